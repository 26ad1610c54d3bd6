from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream.evaluation.baselines.base_rate import base_rate
from stream.evaluation.baselines.bgnbd import bgnbd
from stream.evaluation.baselines.days import blocks
from stream.evaluation.baselines.recency import fit_grouped, recency
from stream.evaluation.baselines.rfm import rfm
from stream.evaluation.baselines.sample import sample
from stream.evaluation.examples import compared
from stream.evaluation.history import DAY, History
from stream.evaluation.metrics import auc, log_loss
from stream.evaluation.models import OTHERS
from stream.evaluation.progress import no_progress
from tests.support.evaluated import BEGIN, simulated, with_noise_after

LOG = simulated()
FIRST = compared(LOG).first


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("hours", [0, 13])
def test_nothing_later_moves_a_prediction(name: str, hours: int) -> None:
    """Noise in place of all that comes after a time leaves every prediction before it bit for bit as it was."""
    at = BEGIN + 12 * 7 * DAY + hours * 3_600
    noisy = with_noise_after(LOG, at)
    before = np.arange(len(LOG.opened_at))[LOG.opened_at <= at]
    model = OTHERS[name]

    was, now = model(LOG, FIRST, no_progress), model(noisy, FIRST, no_progress)

    assert np.isfinite(was[before][FIRST:]).all()
    assert np.array_equal(was[before], now[before], equal_nan=True)
    if name != "prior":
        assert not np.array_equal(was, now, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in ("base_rate", "prior")])
def test_every_model_learns(name: str) -> None:
    """On customers who differ, each model ranks them and has a better log-loss than the base rate."""
    last = compared(LOG).last
    here = slice(FIRST + 200, last)
    y = LOG.converted[here]
    p = OTHERS[name](LOG, FIRST, no_progress)[here]

    assert auc(p, y) > 0.6
    assert log_loss(p, y) < log_loss(base_rate(LOG, FIRST)[here], y)


def test_base_rate_counts_known_labels_only() -> None:
    """The rate of a day is that of the labels known when it began, half a positive in one added."""
    p = base_rate(LOG, FIRST)

    assert np.isnan(p[:FIRST]).all()
    for example in (FIRST, FIRST + 101, len(p) - 1):
        known = LOG.known_at <= LOG.opened_at[example] // DAY * DAY
        expected = (LOG.converted[known].sum() + 0.5) / (known.sum() + 1)
        assert p[example] == pytest.approx(expected)


def test_a_grouped_regression_reaches_the_observed_rates() -> None:
    """With a column for each group, the probabilities are the groups' rates."""
    x = np.array([[1.0, 0.0], [0.0, 1.0]])

    weights = fit_grouped(x, np.array([300.0, 9_000.0]), np.array([1_000.0, 10_000.0]), np.zeros(2))

    assert 1 / (1 + np.exp(-weights)) == pytest.approx([0.3, 0.9], abs=0.001)


def test_a_grouped_regression_survives_one_class() -> None:
    """Labels that are all alike give finite weights."""
    weights = fit_grouped(np.ones((1, 1)), np.array([50.0]), np.array([50.0]), np.zeros(1))

    assert 4 < weights[0] < 20


def test_recency_tells_never_from_long_ago() -> None:
    """A customer without an occurrence has a probability of its own."""
    never = LOG.history.at(LOG.customer, LOG.opened_at).count == 0
    p = recency(LOG, FIRST)

    day = LOG.day_began
    for example in np.flatnonzero(never[FIRST:])[:5] + FIRST:
        assert np.unique(p[never & (day == day[example])]).size == 1


def test_rfm_says_what_its_cells_then_show() -> None:
    """With many customers the predictions spread, and the low, the middle and the high ones come true."""
    log = simulated(customers=600, weeks=40)
    here = slice(compared(log).last // 2, compared(log).last)
    p, y = rfm(log, compared(log).first)[here], log.converted[here]

    assert p.min() < 0.15
    assert p.max() > 0.6
    # Frequency grows with age, so a quintile's rate moves while it is learnt.
    for low, high in ((0, 0.2), (0.2, 0.4), (0.4, 1)):
        some = (p >= low) & (p < high)
        assert y[some].mean() == pytest.approx(p[some].mean(), abs=0.08)


@pytest.mark.parametrize("days", [182, 28])
def test_rfm_by_hand(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Customers who never bought share a cell: its recent positives and 20 examples of the base rate."""
    monkeypatch.setattr("stream.evaluation.baselines.rfm._RECENT", days * DAY)
    log = replace(LOG, history=History.of(60, np.zeros(0, int), np.zeros(0), np.zeros(0)))
    p = rfm(log, FIRST)

    for example in (FIRST, len(p) - 1):
        today = log.day_began[example]
        recent = (log.known_at <= today) & (log.known_at > today - days * DAY)
        positives, known = log.converted[recent].sum(), recent.sum()
        base = (positives + 0.5) / (known + 1)
        assert p[example] == pytest.approx((positives + 20 * base) / (known + 20))


def test_bgnbd_gives_the_rate_of_those_who_never_bought() -> None:
    """A customer without a purchase has no place in the model: the rate of such customers is taken."""
    never = LOG.history.at(LOG.customer, LOG.opened_at).count == 0
    example = int(np.flatnonzero(never[FIRST:])[-1]) + FIRST
    known = np.arange(len(never)) < LOG.known_by_day[example]

    found = bgnbd(LOG, FIRST)[example]

    alike = known & never
    assert found == pytest.approx((LOG.converted[alike].sum() + 0.5) / (alike.sum() + 1))


def test_blocks_cover_every_example_once_in_whole_days() -> None:
    """Blocks follow each other without a gap, and know the labels of their first midnight."""
    for days in (1, 28):
        found = blocks(LOG, FIRST, days)

        assert [block.first for block in found] == [FIRST, *(b.last for b in found[:-1])]
        assert found[-1].last == len(LOG.opened_at)
        for block in found:
            opened = LOG.opened_at[block.first : block.last]
            assert block.at % DAY == 0
            assert block.at <= opened[0]
            assert opened[-1] < block.at + days * DAY
            assert block.known == np.count_nonzero(LOG.known_at <= block.at)


def test_a_drawn_row_stays_drawn_unless_others_displace_it() -> None:
    """The draw from fewer rows holds all that the draw from more rows took of them."""
    few, many = sample(500, 100), sample(1_000, 100)

    assert len(few) == len(many) == 100
    assert set(many[many < 500]) <= set(few)
    assert abs(many.mean() - 500) < 100
    assert np.array_equal(sample(50, 100), np.arange(50))


def test_history_knows_what_had_happened() -> None:
    """Count, first, last and total at any time are those of the occurrences up to it."""
    chance = np.random.default_rng(8)
    who, when = chance.integers(0, 5, 40), chance.integers(0, 30, 40).astype(float)
    value = chance.random(40)
    history = History.of(6, who, when, value)
    asked, at = chance.integers(0, 6, 60), chance.integers(-2, 33, 60).astype(float)

    found = history.at(asked, at)

    for row in range(60):
        mine = (who == asked[row]) & (when <= at[row])
        assert found.count[row] == mine.sum()
        assert found.total[row] == pytest.approx(value[mine].sum())
        if mine.any():
            assert found.first[row] == when[mine].min()
            assert found.last[row] == when[mine].max()
        else:
            assert np.isnan(found.first[row])
            assert np.isnan(found.last[row])


def test_a_days_occurrences_count_once() -> None:
    """By day, a customer's second purchase of a day is left out, the next day's stays."""
    history = History.of(
        2, np.array([0, 0, 0, 1]), np.array([0.6, 0.2, 1.1, 0.3]) * DAY, np.ones(4)
    )

    assert (history.by_day().times / DAY).tolist() == pytest.approx([0.2, 1.1, 0.3])
    assert history.by_day().starts.tolist() == [0, 2, 3]

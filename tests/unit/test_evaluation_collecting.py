"""A log through the decision and the learner, in memory: what is kept of it, and that nothing leaks back."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from schemas.decisions import Decisions
from schemas.learning import Learning
from schemas.outcomes import Outcome
from stream.evaluation.collecting import Collecting
from stream.evaluation.driver import Driver
from stream.evaluation.examples import Evaluated
from tests.support.logs import BEGIN, DAY, Row, shop, touches

OUTCOME = Outcome(name="purchase", horizon_days=7, types=("purchase",), min_value=5)


def run(rows: Sequence[Row], partitions: int = 8, learning: Learning | None = None) -> Evaluated:
    """What an evaluation keeps of the rows."""
    decisions = Decisions(
        outcomes=(OUTCOME,), learning=learning or Learning(every_days=3, history_hours=72)
    )
    collecting = Collecting(decisions)
    Driver(decisions, partitions, collecting).run(touches(rows), lambda _: None)
    return collecting.evaluated("log.csv", rows[0].at, rows[-1].at)


ROWS = shop(customers=30, days=80)


@pytest.fixture(scope="module")
def found() -> Evaluated:
    """The simulated shop, evaluated."""
    return run(ROWS)


def matrix(evaluated: Evaluated, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """The features of these names, 0 where a run has never seen one."""
    place = {name: column for column, name in enumerate(evaluated.features)}
    columns = [
        evaluated.x[:, place[name]] if name in place else np.zeros(len(evaluated.x))
        for name in names
    ]
    return np.stack(columns, axis=1).astype(float)


def test_labels_say_what_happened(found: Evaluated) -> None:
    """An example is converted if and only if the log has an occurrence within the horizon after it."""
    customers = sorted({row.customer_id for row in ROWS})
    bought = [
        np.array([row.at for row in ROWS if row.customer_id == customer and row.type == "purchase"])
        for customer in customers
    ]
    expected = [
        bool(np.any((bought[customer] > opened) & (bought[customer] <= opened + 7 * DAY)))
        for customer, opened in zip(found.customer, found.opened_at, strict=True)
    ]

    assert len(expected) > 400
    assert 0 < sum(expected) < len(expected)
    assert found.converted.tolist() == expected


def test_every_known_label_is_there_once(found: Evaluated) -> None:
    """All examples have their labels known by the log's end, and none comes twice."""
    assert found.known_at.max() <= found.ended_at
    pairs = set(zip(found.customer.tolist(), found.opened_at.tolist(), strict=True))
    assert len(pairs) == len(found.customer)


def test_bands_are_those_of_the_probabilities(found: Evaluated) -> None:
    """The band at an example's opening is that of its probability, but for the hysteresis."""
    logit = np.log(found.bandshift / (1 - found.bandshift))
    cuts = np.log(np.array(OUTCOME.cuts) / (1 - np.array(OUTCOME.cuts)))
    lowest = np.searchsorted(cuts, logit - OUTCOME.hysteresis - 1e-4)
    highest = np.searchsorted(cuts, logit + OUTCOME.hysteresis + 1e-4)

    assert np.all((lowest <= found.band) & (found.band <= highest))
    assert len(np.unique(found.band)) > 2


def test_nothing_leaks_back(found: Evaluated) -> None:
    """With everything after a time replaced by noise, what was said before it stays the same, bit for bit."""
    at = BEGIN + 55 * DAY
    chance = random.Random(7)
    kept = [row for row in ROWS if row.at <= at]
    noise = [
        Row(f"n{number}", f"customer-{chance.randrange(60)}", kind, when, "99")
        for number, when in enumerate(
            sorted(chance.randrange(at + 1, ROWS[-1].at) for _ in range(900))
        )
        for kind in [chance.choice(("purchase", "email_open", "call_inbound"))]
    ]
    # The same end, so that the same labels are known by then.
    noisy = run([*kept, *noise, Row("end", "customer-0", "web_visit", ROWS[-1].at)])

    ours, theirs = found.opened_at <= at, noisy.opened_at <= at
    names = sorted({*found.features, *noisy.features})
    assert np.count_nonzero(ours) > 200
    assert np.array_equal(found.opened_at[ours], noisy.opened_at[theirs])
    assert np.array_equal(matrix(found, names)[ours], matrix(noisy, names)[theirs])
    for name in ("bandshift", "prior", "band"):
        assert np.array_equal(getattr(found, name)[ours], getattr(noisy, name)[theirs]), name
    known = found.known_at[ours] <= at
    assert np.array_equal(found.converted[ours][known], noisy.converted[theirs][known])
    # What came later did change: the comparison above can fail.
    assert not np.array_equal(found.converted[ours], noisy.converted[theirs])


def test_the_learner_is_part_of_it(found: Evaluated) -> None:
    """Once labels are known, the probabilities are no longer the prior's."""
    late = found.opened_at > BEGIN + 40 * DAY

    assert np.allclose(found.bandshift[:5], found.prior[:5], atol=2e-3)
    assert np.abs(found.bandshift - found.prior)[late].mean() > 0.01


def test_partitions_change_nothing(found: Evaluated) -> None:
    """One partition or eight: the same examples, in the same order, with the same probabilities."""
    alone = run(ROWS, partitions=1)

    assert alone.features == found.features
    for name in ("customer", "opened_at", "converted", "x", "band", "bandshift"):
        assert np.array_equal(getattr(alone, name), getattr(found, name)), name
    figures = ("changes", "reversals", "changes_in_silence", "customer_years")
    assert [getattr(alone, name) for name in figures] == pytest.approx(
        [getattr(found, name) for name in figures]
    )


def test_examples_open_at_touchpoints_too() -> None:
    """With examples on events, there are some beside the schedule's, each with its band and label."""
    more = run(ROWS[:250], learning=Learning(every_days=3, history_hours=72, on_events=True))
    fewer = run(ROWS[:250])

    assert len(more.opened_at) > len(fewer.opened_at)
    assert set(more.band.tolist()) <= {0, 1, 2, 3, 4}

"""Properties of learned models: they begin as the prior, their reasons add up, and rows do not touch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.model.linear import MILLION
from stream.model.models import Library, Model, Models
from stream.model.reasons import COMBINED, MOST_EACH_WAY
from stream.model.snapshot import decode_snapshot, encode_snapshot
from stream.model.stages import combined, offsets, shares
from stream.settings import DEFAULT_OUTCOMES
from tests.property.test_model import PRIOR, VECTORIZER, Touch, snapshot, touches
from tests.support.learned import random_snapshot

VERSIONS = 4
NAMES = [outcome.name for outcome in DEFAULT_OUTCOMES]


def library() -> Library:
    """Some versions of each outcome, read back from their bytes."""
    found = Library()
    for version in range(1, VERSIONS + 1):
        for place, outcome in enumerate(DEFAULT_OUTCOMES):
            made = random_snapshot(outcome, VECTORIZER, version, 10 * version + place)
            found.add(decode_snapshot(encode_snapshot(made)))
    return found


MODELS = Models(VECTORIZER, DEFAULT_OUTCOMES, library())
models = st.tuples(*(st.integers(0, VERSIONS) for _ in NAMES)).map(MODELS.get)
batches = st.lists(touches, min_size=1, max_size=12)


@settings(max_examples=40)
@given(models, batches)
def test_reasons_of_a_learned_model_add_up_exactly(model: Model, batch: list[list[Touch]]) -> None:
    """Base, families and what they do together add up to the log-odds to the last digit, in any version."""
    raw = VECTORIZER.raw([snapshot(happened) for happened in batch])
    scored, reasons = model.score(raw), MODELS.reasons(model)
    parts = model.parts(raw, scored, range(len(batch))).tolist()
    for row, log_odds in enumerate(scored.log_odds.tolist()):
        words: dict[int, str] = {}
        for place, total in enumerate(log_odds):
            base = int(model.base[place])
            given = parts[row][place], raw[row].tolist(), words, place, total - base
            told = reasons.explain(*given)
            assert base + sum(round(each.contribution * MILLION) for each in told) == total
            assert all(each.text for each in told)
            assert [each.family for each in told].count(COMBINED) <= 1
            families = [each for each in told if each.family != COMBINED]
            for sign in (1, -1):
                said = [
                    sign * each.contribution for each in families if sign * each.contribution > 0
                ]
                mine = sorted((sign * part / MILLION for part in parts[row][place]), reverse=True)
                strongest = [each for each in mine[:MOST_EACH_WAY] if each > 0]
                assert said == pytest.approx(strongest, abs=1e-4), "the strongest, in their order"


@settings(max_examples=40)
@given(models, batches, st.data())
def test_a_row_of_a_learned_model_does_not_depend_on_its_batch(
    model: Model, batch: list[list[Touch]], data: st.DataObject
) -> None:
    """Any cut of a batch gives the same log-odds, stages and parts, bit for bit."""
    raw = VECTORIZER.raw([snapshot(happened) for happened in batch])
    begin = data.draw(st.integers(0, len(batch) - 1))
    cut = slice(begin, data.draw(st.integers(begin + 1, len(batch))))
    whole, part = model.score(raw), model.score(raw[cut])
    rows = range(cut.start, cut.stop)
    assert np.array_equal(part.log_odds, whole.log_odds[cut])
    assert np.array_equal(part.probabilities, whole.probabilities[cut])
    assert np.array_equal(model.stages(part, range(len(rows))), model.stages(whole, rows))
    assert np.array_equal(
        model.parts(raw[cut], part, range(len(rows))), model.parts(raw, whole, rows)
    )


@settings(max_examples=40)
@given(batches)
def test_nothing_learned_is_the_prior(batch: list[list[Touch]]) -> None:
    """Beside an outcome that was learned, those that were not keep the prior's log-odds, but for rounding.

    The prior rounds every family to a millionth, a learned model the sum.
    """
    raw = VECTORIZER.raw([snapshot(happened) for happened in batch])
    expected = PRIOR.score(raw).log_odds
    for learned in range(len(NAMES)):
        versions = tuple(1 if place == learned else 0 for place in range(len(NAMES)))
        found = MODELS.get(versions).score(raw).log_odds
        others = [place for place in range(len(NAMES)) if place != learned]
        assert np.abs(found - expected)[:, others].max() <= len(PRIOR.families)
    assert MODELS.get((0,) * len(NAMES)).versions == (0,) * len(NAMES)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=20))
def test_stages_without_learning_add_up_to_the_horizon(log_odds: list[float]) -> None:
    """The stages that the prior implies have together the prior's own probability."""
    horizon = np.array(log_odds)
    for outcome in DEFAULT_OUTCOMES:
        stages = offsets(horizon, shares(outcome))
        assert stages.shape == (len(log_odds), len(outcome.stage_ends))
        np.testing.assert_allclose(combined(stages), horizon, rtol=1e-9, atol=1e-9)
        survives = np.prod(1 / (1 + np.exp(stages)), axis=-1)
        np.testing.assert_allclose(survives, 1 / (1 + np.exp(horizon)), rtol=1e-9)

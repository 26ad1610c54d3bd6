"""Properties of the prior, of banding, and of rows in a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.outcomes import Outcome
from schemas.types import TypeRegistry
from stream.features.grid import DAY, KEPT
from stream.features.layout import Layout
from stream.features.state import UNSCORED, CustomerState
from stream.features.vector import Vectorizer
from stream.model.banding import Banding
from stream.model.linear import MILLION
from stream.model.prior import prior
from stream.model.reasons import Reasons
from stream.settings import DEFAULT_OUTCOMES

NOW = 1_700_000_000
REGISTRY = TypeRegistry()
LAYOUT = Layout(REGISTRY)
VECTORIZER = Vectorizer(LAYOUT)
PRIOR = prior(DEFAULT_OUTCOMES, VECTORIZER)
ENGAGED = [number for number, kind in enumerate(REGISTRY.kinds) if kind.engagement]
SIGNS = [-1 if outcome.kind == "absence" else 1 for outcome in DEFAULT_OUTCOMES]

Touch = tuple[int, int, int]
touches = st.lists(
    st.tuples(st.sampled_from(ENGAGED), st.integers(0, KEPT), st.integers(0, 100_000)), max_size=15
)


def snapshot(happened: Sequence[Touch]) -> bytes:
    """The state of a customer who did these things, as it is kept."""
    state = CustomerState("c", LAYOUT, len(DEFAULT_OUTCOMES))
    state.advance(NOW)
    for number, (kind, age, cents) in enumerate(happened):
        stage = REGISTRY.places[REGISTRY.kinds[kind].name].stage
        state.add(number, kind, stage, NOW - age, cents)
    return state.snapshot()


def log_odds(happened: Sequence[Touch]) -> list[int]:
    """Of each outcome, so turned that more engagement may only raise it."""
    scored = PRIOR.score(VECTORIZER.raw([snapshot(happened)]))
    return [int(sign * value) for sign, value in zip(SIGNS, scored.log_odds[0], strict=True)]


def never_falls(before: Sequence[Touch], after: Sequence[Touch]) -> None:
    """Fail where any outcome is lower afterwards."""
    assert all(low <= high for low, high in zip(log_odds(before), log_odds(after), strict=True))


@given(touches, st.tuples(st.sampled_from(ENGAGED), st.integers(0, KEPT), st.integers(0, 100_000)))
def test_more_never_lowers_the_prior(happened: list[Touch], more: Touch) -> None:
    """One more touchpoint in which the customer acts never lowers the prior (nor raises churn)."""
    never_falls(happened, [*happened, more])


@given(touches.filter(bool), st.data())
def test_later_never_lowers_the_prior(happened: list[Touch], data: st.DataObject) -> None:
    """The same touchpoints, one of them more recent, never score lower."""
    place = data.draw(st.integers(0, len(happened) - 1))
    kind, age, cents = happened[place]
    later = [*happened]
    later[place] = (kind, data.draw(st.integers(0, age)), cents)
    never_falls(happened, later)


@given(touches.filter(bool), st.data())
def test_dearer_never_lowers_the_prior(happened: list[Touch], data: st.DataObject) -> None:
    """The same touchpoints, one of them of a higher value, never score lower."""
    place = data.draw(st.integers(0, len(happened) - 1))
    kind, age, cents = happened[place]
    dearer = [*happened]
    dearer[place] = (kind, age, cents + data.draw(st.integers(0, 1_000_000)))
    never_falls(happened, dearer)


@given(st.lists(touches, min_size=1, max_size=40), st.data())
def test_a_row_does_not_depend_on_its_batch(batch: list[list[Touch]], data: st.DataObject) -> None:
    """Any cut of a batch gives the same features, log-odds, parts and probabilities, bit for bit."""
    snapshots = [snapshot(happened) for happened in batch]
    cut = data.draw(st.integers(0, len(batch)))
    whole = VECTORIZER.matrix(VECTORIZER.raw(snapshots))
    scored = PRIOR.score(VECTORIZER.raw(snapshots))
    for part in (slice(0, cut), slice(cut, None), slice(cut, cut + 1)):
        if not snapshots[part]:
            continue
        matrix = VECTORIZER.matrix(VECTORIZER.raw(snapshots[part]))
        again = PRIOR.score(VECTORIZER.raw(snapshots[part]))
        assert matrix.tobytes() == whole[part].tobytes()
        for name in ("log_odds", "parts", "probabilities"):
            assert np.array_equal(getattr(again, name), getattr(scored, name)[part]), name


@given(touches)
def test_reasons_add_up_to_the_log_odds_exactly(happened: list[Touch]) -> None:
    """Base and contributions, as they are printed, add up to the log-odds to the last digit."""
    raw = VECTORIZER.raw([snapshot(happened)])
    scored = PRIOR.score(raw)
    reasons = Reasons(VECTORIZER, PRIOR.families)
    parts = PRIOR.parts(raw, scored, [0])[0].tolist()
    words: dict[int, str] = {}
    for place in range(len(DEFAULT_OUTCOMES)):
        told = reasons.explain(parts[place], raw[0].tolist(), words)
        total = PRIOR.base[place] + sum(round(each.contribution * MILLION) for each in told)
        assert total == scored.log_odds[0, place]
        assert all(each.text for each in told)


cuts = st.lists(st.integers(1, 99), min_size=4, max_size=4, unique=True).map(
    lambda found: tuple(each / 100 for each in sorted(found))
)
paths = st.lists(st.integers(-6 * MILLION, 6 * MILLION), min_size=1, max_size=30)


@given(cuts, paths)
def test_a_band_is_left_only_beyond_the_margin(found: tuple[float, ...], path: list[int]) -> None:
    """A customer stays in a band exactly as long as the log-odds are within its bounds and the margin."""
    outcome = Outcome(name="o", horizon_days=7, cuts=found, hysteresis=0.01)  # type: ignore[arg-type]
    banding = Banding(outcome)
    band = banding.place(path[0], UNSCORED)
    assert band == sum(path[0] >= cut for cut in banding.cuts)
    for value in path[1:]:
        low, high = banding.holds[band]
        after = banding.place(value, band)
        assert (after == band) == (low <= value < high)
        low, high = banding.holds[after]
        assert low <= value < high
        assert banding.place(value, after) == after
        band = after


@given(touches, st.integers(0, 3 * DAY))
def test_a_probability_is_the_logistic_of_the_log_odds(happened: list[Touch], age: int) -> None:
    """Probability, in millionths, is 1 / (1 + exp(-log-odds)), rounded."""
    scored = PRIOR.score(VECTORIZER.raw([snapshot([*happened, (0, age, 100)])]))
    exact = 1 / (1 + np.exp(-scored.log_odds / MILLION))
    assert np.abs(scored.probabilities / MILLION - exact).max() <= 0.5000001 / MILLION

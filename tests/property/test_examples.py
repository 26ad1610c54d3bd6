"""Properties of examples: every label once and as defined, and the same whether or not they were stored between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.learning import Learning
from schemas.outcomes import Outcome
from schemas.types import TypeRegistry
from stream.features.codec import decode, encode
from stream.features.grid import DAY, HOUR
from stream.features.layout import Layout
from stream.features.pending import DONE, OPEN
from stream.features.state import CustomerState
from stream.model.frozen import freeze, thaw
from stream.model.labels import Schedule, predicted_size

REGISTRY: Final = TypeRegistry()
LAYOUT: Final = Layout(REGISTRY)
START: Final = 1_700_000_000
OUTCOMES: Final = (
    Outcome(name="buys", horizon_days=28, types=("purchase",)),
    Outcome(name="spends", horizon_days=7, types=("purchase",), min_value=20),
    Outcome(name="leaves", horizon_days=14, kind="absence", types=("purchase", "web_visit")),
)
LEARNING: Final = Learning(every_days=3)
LEAST: Final = (None, 2_000, None)
SIZES = [predicted_size(len(outcome.stage_ends)) for outcome in OUTCOMES]
KINDS: Final = tuple(REGISTRY.places[name].number for name in ("purchase", "web_visit"))
COUNTED: Final = ((KINDS[0],), (KINDS[0],), KINDS)


class Touch(NamedTuple):
    """A touchpoint that happened some time before it arrives."""

    age: int
    kind: int
    cents: int


class Given(NamedTuple):
    """One label, as given at one time."""

    opened: int
    place: int
    stage: int
    at_risk: bool
    occurred: bool
    at: int


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 30), st.integers(0, 24 * 12)).map(lambda hours: hours * HOUR),
        st.sampled_from(["open", "touch", "look"]),
        st.builds(
            Touch,
            st.integers(0, 4 * DAY),
            st.sampled_from(KINDS),
            st.integers(0, 4_000),
        ),
    ),
    min_size=1,
    max_size=30,
)
Steps = list[tuple[int, str, Touch]]


def told(history: Steps) -> Steps:
    """A life in which no two examples are opened at one moment, and after which all labels are known."""
    found = [(HOUR + pause if what == "open" else pause, what, one) for pause, what, one in history]
    return [*found, (60 * DAY, "look", Touch(0, 0, 0))]


def lived(history: Steps, stored: Sequence[bool]) -> tuple[list[Given], CustomerState]:
    """All labels of one customer's life; where `stored`, the state went to bytes and back before a step."""
    schedule = Schedule(LEARNING, OUTCOMES, REGISTRY)
    state = CustomerState("ann", LAYOUT, len(OUTCOMES))
    state.advance(START)
    found = []
    for number, (pause, what, touch) in enumerate(told(history)):
        if stored[number % len(stored)]:
            (state,) = decode([("ann", encode(state))], LAYOUT, len(OUTCOMES))
        state.advance(state.at + pause)
        for pending, labels in schedule.mature(state):
            assert pending.vector == f"v{pending.opened}".encode()
            for label in labels:
                assert pending.predicted[label.place] == bytes([label.place]) * SIZES[label.place]
                assert label.final == (label.stage == len(OUTCOMES[label.place].stage_ends) - 1)
                found.append(Given(pending.opened, *label[:4], state.at - state.shift))
        if what == "open":
            opened = schedule.open(state)
            opened.vector = f"v{opened.opened}".encode()
            opened.predicted = [bytes([place]) * SIZES[place] for place in range(len(OUTCOMES))]
        elif what == "touch":
            happened = state.at - state.shift - touch.age
            schedule.occurred(state, touch.kind, touch.cents, happened)
    return found, state


def defined(history: Steps) -> list[Given]:
    """The same from the definition, looking at everything each time."""
    state = CustomerState("ann", LAYOUT, len(OUTCOMES))
    now = START - state.shift
    opened: list[int] = []
    touches: list[tuple[int, Touch]] = []
    given: dict[tuple[int, int, int], None] = {}
    found = []
    for pause, what, touch in told(history):
        now += pause
        for number, begin in enumerate(opened):
            for place, outcome in enumerate(OUTCOMES):
                ends = outcome.stage_ends
                since = [
                    happened - begin
                    for happened, one in touches
                    if one.kind in COUNTED[place] and one.cents >= (LEAST[place] or 0)
                ]
                firsts = [k for s in since if s > 0 for k, end in enumerate(ends) if s <= end * DAY]
                first = min(firsts, default=OPEN)
                for stage, end in enumerate(ends):
                    key = number, place, stage
                    if now < begin + (end + 1) * DAY or key in given:
                        continue
                    given[key] = None
                    if first >= stage or stage == len(ends) - 1:
                        found.append(
                            Given(begin, place, stage, first >= stage, first <= stage, now)
                        )
        if what == "open":
            opened.append(now)
        elif what == "touch":
            touches.append((now - touch.age, touch))
    return found


@settings(max_examples=150)
@given(steps, st.lists(st.booleans(), min_size=1, max_size=5))
def test_every_label_is_given_once_and_as_defined(history: Steps, stored: list[bool]) -> None:
    """Labels come in the definition's order and once, whatever comes late, and however often states are stored."""
    found, state = lived(history, stored)
    assert found == defined(history)
    assert len({each[:3] for each in found}) == len(found)
    assert state.examples() == []


@settings(max_examples=100)
@given(steps)
def test_examples_on_their_way_survive_storing(history: Steps) -> None:
    """A state with pending examples reads back field by field, and is written as the same bytes again."""
    schedule = Schedule(LEARNING, OUTCOMES, REGISTRY)
    state = CustomerState("käse", LAYOUT, len(OUTCOMES))
    state.advance(START)
    for number, (pause, what, touch) in enumerate(history):
        state.advance(state.at + pause)
        schedule.mature(state)
        if what == "open":
            opened = schedule.open(state)
            opened.vector = bytes(range(number))
            opened.predicted = [bytes([place]) * number for place in range(len(OUTCOMES))]
        else:
            happened = state.at - state.shift - touch.age
            schedule.occurred(state, touch.kind, touch.cents, happened)
    state.log_odds[0], state.changed_at[1], state.by_events[2] = -5, -100_000_000, 7
    state.changed_by[0] = (1 << 32) - 1
    data = encode(state)
    (back,) = decode([("käse", data)], LAYOUT, len(OUTCOMES))
    assert encode(back) == data
    assert back.matures == state.matures
    assert [(one.opened, one.given, one.marks, one.vector) for one in back.examples()] == [
        (one.opened, one.given, one.marks, one.vector) for one in state.examples()
    ]
    for one, other in zip(back.examples(), state.examples(), strict=True):
        kept = zip(one.marks, one.predicted, other.predicted, strict=True)
        assert all(mine == (b"" if mark == DONE else theirs) for mark, mine, theirs in kept)
    for name in ("log_odds", "changed_at", "changed_by", "by_events"):
        assert getattr(back, name) == getattr(state, name)
    back.moved()
    assert encode(back) == data


@given(st.sampled_from([1, 40, 256, 257, 700]), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_frozen_vectors_thaw_to_half_precision(features: int, rows: int, seed: int) -> None:
    """A vector comes back within one part in 2,000, zeros as zeros, and is no larger than what it holds."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 3, (rows, features)) * (rng.random((rows, features)) < 0.3)
    frozen = freeze(matrix)
    back = thaw(frozen, features)
    assert back.shape == matrix.shape
    np.testing.assert_allclose(back, matrix, rtol=1 / 2_000, atol=1e-7)
    assert freeze(back) == frozen
    bits = (features + 7) // 8
    assert [len(each) for each in frozen] == [bits + 2 * np.count_nonzero(row) for row in back]


@pytest.mark.parametrize("harm", ["shorter", "longer", "column"])
def test_damaged_vectors_are_refused(harm: str) -> None:
    """Bytes that were cut, lengthened, or name a feature that there is not, are no vector."""
    (whole,) = freeze(np.array([[0.0, 1.0, 0.0, 2.5]]))
    damaged = {"shorter": whole[:-1], "longer": whole + b"\0", "column": whole}[harm]
    with pytest.raises(ValueError, match="vector"):
        thaw([damaged], 3 if harm == "column" else 4)

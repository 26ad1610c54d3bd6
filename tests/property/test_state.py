"""Window sums kept up to date as time passes equal sums from scratch, whatever the order and the pauses."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.types import TypeRegistry
from stream.features.codec import decode, encode
from stream.features.grid import DAY, FINE, HOUR, KEPT, WINDOWS
from stream.features.layout import Layout
from stream.features.state import CustomerState
from stream.features.vector import Vectorizer

LAYOUT = Layout(TypeRegistry())
VECTORIZER = Vectorizer(LAYOUT)
START = 1_700_000_000

pauses = st.one_of(
    st.just(0), st.integers(0, 400), st.integers(0, 2 * DAY), st.integers(0, 100 * DAY)
)
ages = st.one_of(st.integers(-200, 10), st.integers(0, 2 * HOUR), st.integers(0, KEPT))
happenings = st.lists(
    st.tuples(
        pauses,
        ages,
        st.integers(0, 4),
        st.integers(0, 2),
        st.sampled_from([0, 0, 1250, -300, 1 << 40]),
    ),
    min_size=1,
    max_size=40,
)
Happening = tuple[int, int, int, int, int]


def new_state() -> CustomerState:
    """A customer of whom nothing is known."""
    return CustomerState("käse", LAYOUT, 2)


def tile(time: int, at: int) -> int:
    """Where the tile begins that a touchpoint of `time` lies in, seen from `at`."""
    if time // FINE * FINE + WINDOWS[0].reach > at:
        return time // FINE * FINE
    if time // HOUR * HOUR + WINDOWS[2].reach > at:
        return time // HOUR * HOUR
    return time // DAY * DAY


def summed(events: Sequence[tuple[int, int, int, int]], at: int) -> list[float]:
    """Window sums from scratch: the definition."""
    row = [0.0] * LAYOUT.last
    for time, kind, stage, cents in events:
        for number, window in enumerate(WINDOWS):
            if tile(time, at) + window.reach > at:
                row[number * LAYOUT.per_window + kind] += 1
                row[number * LAYOUT.per_window + LAYOUT.types + stage] += 1
                row[LAYOUT.values + 3 * number + stage] += cents
    return row


def run(
    happened: Sequence[Happening], *, dues: bool
) -> tuple[CustomerState, list[tuple[int, int, int, int]]]:
    """Let it happen, event by event; the state, the time at the end, and the events as they count."""
    state, now, events = new_state(), START, []
    for number, (pause, age, kind, stage, cents) in enumerate(happened):
        now += pause
        while dues and state.at and state.due() <= now:
            state.advance(state.due())
        state.advance(now)
        state.add(number, kind, stage, now - age, cents)
        events.append((now - age, kind, stage, cents))
    return state, events


@given(happenings, pauses)
def test_sums_equal_sums_from_scratch(happened: list[Happening], pause: int) -> None:
    """After any touchpoints, early or late, and any pause, each window holds what its definition says."""
    state, events = run(happened, dues=False)
    state.advance(state.at + pause)
    assert list(state.row[: LAYOUT.last]) == summed(events, state.at)


@given(happenings)
def test_taking_time_in_small_parts_changes_nothing(happened: list[Happening]) -> None:
    """A state that was advanced at each of its due times equals one that was not, byte for byte."""
    assert encode(run(happened, dues=True)[0]) == encode(run(happened, dues=False)[0])


@given(happenings)
def test_bytes_and_back(happened: list[Happening]) -> None:
    """A state read back from its bytes is the same in every part, and so are its bytes."""
    state, _ = run(happened, dues=True)
    state.bands[:] = bytes([3, 255])
    state.probabilities[:] = array("I", [1_000_000, 0])
    state.snapshot()
    state.fired = {7: START}
    data = encode(state)
    back = decode([("käse", data), ("käse", data)], LAYOUT, 2)[1]
    back.snapshot()
    for name in CustomerState.__slots__:
        assert getattr(back, name) == getattr(state, name), name
    assert encode(back) == data
    assert back.due() == state.due()


@given(happenings)
def test_any_order_of_arrival_gives_the_same_sums(happened: list[Happening]) -> None:
    """Touchpoints that arrive in another order, at one moment, give the same tiles."""
    now = START + KEPT
    states = []
    for order in (list(happened), sorted(happened)):
        state = new_state()
        state.advance(now)
        for number, (_, age, kind, stage, cents) in enumerate(order):
            state.add(number, kind, stage, now - age, cents)
        states.append(state)
    assert states[0].row == states[1].row
    assert states[0].keys == states[1].keys


@given(happenings)
def test_nothing_moves_between_due_times(happened: list[Happening]) -> None:
    """From one due time until just before the next, every feature stands still."""
    state, _ = run(happened, dues=False)
    due = state.due()
    assert state.at < due <= state.at + DAY
    before = state.snapshot()
    state.advance(due - 1)
    matrix = VECTORIZER.matrix(VECTORIZER.raw([before, state.snapshot()]))
    assert matrix[0].tolist() == matrix[1].tolist()

"""When examples open, what counts for them, and when which label is known: cases worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import pytest

from schemas.learning import Learning
from schemas.outcomes import Outcome
from schemas.types import TypeRegistry
from stream.features.codec import decode, encode
from stream.features.grid import DAY, HOUR, NEVER
from stream.features.layout import Layout
from stream.features.state import CustomerState
from stream.model.labels import Label, Schedule

REGISTRY: Final = TypeRegistry()
LAYOUT: Final = Layout(REGISTRY)
PURCHASE: Final = REGISTRY.places["purchase"].number
VISIT: Final = REGISTRY.places["web_visit"].number
MONTH: Final = Outcome(name="purchase", horizon_days=28, types=("purchase",))
DEAR: Final = Outcome(name="dear", horizon_days=7, types=("purchase",), min_value=50)
CHURN: Final = Outcome(name="churn", horizon_days=28, kind="absence", types=("purchase",))

Seen = tuple[float, int, int]
"""After how many days a touchpoint happened, of which type, and its value in hundredths."""
Known = dict[int, list[tuple[int, bool, bool, bool]]]
"""By the day on which labels are known: stage, at risk, occurred, final."""


class Followed:
    """One customer's examples under a schedule."""

    def __init__(self, *outcomes: Outcome, customer: str = "ann", **learning: int | bool) -> None:
        self.schedule = Schedule(Learning(**learning), outcomes, REGISTRY)  # type: ignore[arg-type]
        self.state = CustomerState(customer, LAYOUT, len(outcomes))
        self.begin = 1_700_000_000 // DAY * DAY
        self.state.advance(self.begin)

    def at(self, days: float) -> int:
        """So long after the beginning, by the log's clock."""
        return self.begin - self.state.shift + round(days * DAY)

    def advance(self, days: float) -> None:
        """Let time pass until so long after the beginning."""
        self.state.advance(self.begin + round(days * DAY))

    def seen(self, days: float, kind: int = PURCHASE, cents: int = 0) -> None:
        """A touchpoint that happened so long after the beginning."""
        self.schedule.occurred(self.state, kind, cents, self.at(days))

    def labels(self, days: float) -> list[Label]:
        """What becomes known at a moment."""
        self.advance(days)
        return [label for each in self.schedule.mature(self.state) for label in each.labels]


STAGES_OF_NOBODY: Final = {
    3: [(0, True, False, False)],
    8: [(1, True, False, False)],
    29: [(2, True, False, True)],
}


@pytest.mark.parametrize(
    ("outcome", "seen", "known"),
    [
        pytest.param(MONTH, [], STAGES_OF_NOBODY, id="nothing-occurs"),
        pytest.param(CHURN, [], STAGES_OF_NOBODY, id="an-absence-is-no-occurrence"),
        pytest.param(
            MONTH,
            [(1, PURCHASE, 0)],
            {3: [(0, True, True, False)], 29: [(2, False, True, True)]},
            id="at-once",
        ),
        pytest.param(
            CHURN,
            [(10, PURCHASE, 0)],
            STAGES_OF_NOBODY | {29: [(2, True, True, True)]},
            id="an-absence-ended-late",
        ),
        pytest.param(
            MONTH,
            [(2, PURCHASE, 0)],
            {3: [(0, True, True, False)], 29: [(2, False, True, True)]},
            id="the-end-of-a-stage-belongs-to-it",
        ),
        pytest.param(
            MONTH,
            [(2 + 1 / DAY, PURCHASE, 0)],
            STAGES_OF_NOBODY | {8: [(1, True, True, False)], 29: [(2, False, True, True)]},
            id="a-second-later",
        ),
        pytest.param(
            MONTH, [(0, PURCHASE, 0)], STAGES_OF_NOBODY, id="what-opened-it-does-not-count"
        ),
        pytest.param(MONTH, [(-0.1, PURCHASE, 0)], STAGES_OF_NOBODY, id="nor-what-happened-before"),
        pytest.param(
            MONTH,
            [(28, PURCHASE, 0)],
            STAGES_OF_NOBODY | {29: [(2, True, True, True)]},
            id="the-last-second-counts",
        ),
        pytest.param(
            MONTH, [(28 + 1 / DAY, PURCHASE, 0)], STAGES_OF_NOBODY, id="what-comes-after-does-not"
        ),
        pytest.param(MONTH, [(1, VISIT, 0)], STAGES_OF_NOBODY, id="another-type"),
        pytest.param(
            DEAR,
            [(1, PURCHASE, 4_999), (3, PURCHASE, 5_000)],
            {3: [(0, True, False, False)], 8: [(1, True, True, True)]},
            id="from-a-value-on",
        ),
        pytest.param(
            MONTH,
            [(9, PURCHASE, 0), (1, PURCHASE, 0)],
            {3: [(0, True, True, False)], 29: [(2, False, True, True)]},
            id="the-first-counts-in-any-order",
        ),
    ],
)
def test_labels_by_hand(outcome: Outcome, seen: list[Seen], known: Known) -> None:
    """Each label is known a day after its stage's end, once; of stages no longer at risk only the last is."""
    followed = Followed(outcome)
    followed.schedule.open(followed.state)
    for days, kind, cents in seen:
        followed.seen(days, kind, cents)
    found: Known = {}
    for day in range(1, 60):
        told = followed.labels(day)
        if told:
            found[day] = [each[1:] for each in told]
    assert found == known
    assert followed.state.examples() == []
    assert followed.state.matures == NEVER


def test_a_touchpoint_may_come_late_within_the_grace() -> None:
    """What happened in a stage and arrives within the day after it still counts; later it does not."""
    in_time, late = Followed(MONTH), Followed(MONTH)
    for followed in (in_time, late):
        followed.schedule.open(followed.state)
    in_time.advance(2.99)
    in_time.seen(1.5)
    assert in_time.labels(3) == [Label(0, 0, at_risk=True, occurred=True, final=False)]
    assert late.labels(3) == [Label(0, 0, at_risk=True, occurred=False, final=False)]
    late.seen(1.5)
    assert late.labels(8) == []
    assert late.labels(29) == [Label(0, 2, at_risk=False, occurred=True, final=True)]


def test_no_grace_is_possible() -> None:
    """Without grace a label is known at its stage's end."""
    followed = Followed(DEAR, grace_days=0)
    followed.schedule.open(followed.state)
    followed.advance(1.9)
    assert followed.schedule.mature(followed.state) == []
    assert [label.stage for label in followed.labels(2)] == [0]
    assert [label.stage for label in followed.labels(7)] == [1]


def test_several_outcomes_share_an_example() -> None:
    """One example is labelled for all outcomes, each by its own stages, and goes when all are done."""
    followed = Followed(MONTH, DEAR, CHURN)
    followed.schedule.open(followed.state)
    followed.seen(5, PURCHASE, 6_000)
    assert [(label.place, label.stage, label.occurred) for label in followed.labels(3)] == [
        (0, 0, False), (1, 0, False), (2, 0, False),
    ]  # fmt: skip
    assert [(label.place, label.stage, label.occurred) for label in followed.labels(8)] == [
        (0, 1, True), (1, 1, True), (2, 1, True),
    ]  # fmt: skip
    assert len(followed.state.examples()) == 1
    assert [(label.place, label.at_risk) for label in followed.labels(29)] == [
        (0, False), (2, False),
    ]  # fmt: skip
    assert followed.state.examples() == []


def test_a_long_pause_gives_all_labels_at_once() -> None:
    """Labels that became known while nobody looked are all given, and never again."""
    followed = Followed(MONTH, DEAR)
    followed.schedule.open(followed.state)
    assert [(label.place, label.stage) for label in followed.labels(100)] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1),
    ]  # fmt: skip
    assert followed.labels(100) == []
    assert followed.labels(200) == []


@pytest.mark.parametrize("every", [1, 7, 28])
def test_every_customer_opens_on_a_day_of_its_own(every: int) -> None:
    """Each customer opens one example every so many days, at the beginning of its day; days differ."""
    firsts = set()
    for number in range(60):
        followed = Followed(MONTH, customer=f"c{number}", every_days=every)
        opened = []
        for hours in range(0, 3 * every * 24, 6):
            followed.advance(hours * HOUR / DAY)
            if followed.schedule.opens(followed.state):
                opened.append(hours)
        assert len(opened) == 3
        assert {later - sooner for sooner, later in pairwise(opened)} == {24 * every}
        assert opened[0] % 24 == 0
        firsts.add(opened[0])
    assert len(firsts) > every * 2 // 3


def test_touchpoints_open_one_example_a_day_where_asked_to() -> None:
    """With `on_events` the first touchpoint of a customer's day opens an example, and only the first."""
    followed, never = Followed(MONTH, on_events=True), Followed(MONTH)
    opened = []
    for days in (0.2, 0.5, 0.999, 1.0, 1.4, 3.7):
        followed.advance(days)
        if followed.schedule.opens_by_event(followed.state):
            followed.schedule.open(followed.state)
            opened.append(days)
        never.advance(days)
        assert not never.schedule.opens_by_event(never.state)
    assert opened == [0.2, 1.0, 3.7]


def test_an_example_opened_inside_a_day_matures_a_whole_number_of_days_later() -> None:
    """Its stages count from the second at which it was opened."""
    followed = Followed(DEAR, on_events=True)
    followed.advance(0.25)
    followed.schedule.open(followed.state)
    followed.seen(2.25 + 1 / DAY, PURCHASE, 5_000)
    followed.advance(3.25 - 1 / DAY)
    assert followed.schedule.mature(followed.state) == []
    assert [label.occurred for label in followed.labels(3.25)] == [False]
    assert [label.occurred for label in followed.labels(8.25)] == [True]


def test_a_state_that_was_stored_meanwhile_is_the_same() -> None:
    """Storing a state between two labels changes no byte of what it is stored as later."""

    def lived(*, stored: bool) -> bytes:
        found = Followed(MONTH)
        for day in range(20):
            found.advance(day)
            found.schedule.mature(found.state)
            if stored:
                (found.state,) = decode([("ann", encode(found.state))], LAYOUT, 1)
            if day % 5 == 0:
                found.schedule.open(found.state)
        return encode(found.state)

    assert lived(stored=True) == lived(stored=False)

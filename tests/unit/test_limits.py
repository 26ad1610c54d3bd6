"""What is unusual in amount or time stays bounded, and decides the same wherever it is decided again."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.bands import Band
from schemas.decisions import Decisions
from schemas.outcomes import Outcome
from schemas.rules import Rule
from schemas.types import TypeRegistry
from stream.features import state as states
from stream.features.codec import decode, encode
from stream.features.layout import Layout
from stream.features.state import MOST_FIRED, MOST_REMEMBERED, CustomerState
from stream.partition import verdict
from stream.partition.control import Kind
from stream.partition.outputs import BAND_CHANGES, TRIGGERS
from tests.support.world import START, World, touchpoint

DAY = 86_400
BANDED = Outcome(name="purchase", horizon_days=7, base_rate=0.05, cuts=(0.02, 0.06, 0.1, 0.15))


def test_of_a_busy_customer_the_latest_event_ids_are_remembered() -> None:
    """However many touchpoints one id has in a day, its state stays small, and keeps which came last."""
    layout = Layout(TypeRegistry())
    state = CustomerState("guest", layout, 1)
    state.advance(START)
    for number in range(MOST_REMEMBERED + 10):
        state.add(number, 1, 0, START, 0)
    (again,) = decode([("guest", encode(state))], layout, 1)
    assert list(again.ids) == list(state.ids) == list(range(10, MOST_REMEMBERED + 10))


async def test_rules_that_are_no_more_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more rules than a state has room for, those that fired longest ago are forgotten."""
    monkeypatch.setattr(verdict, "MOST_FIRED", 2)
    names = ["first", "second", "third"]
    rules = [Rule(name=name, outcome="purchase", band=Band.VERY_HIGH) for name in names]
    world = World(outcomes=[BANDED], rules=rules)
    world.control(Kind.LIVE, START)
    world.send("ann", touchpoint(1, "ann", "purchase", START, value=50), START)
    await world.work()
    assert [each["rule"] for each in world.bodies(TRIGGERS)] == names
    (state,) = world.owners[0]._states.values()
    assert len(state.fired) == 2
    assert states.MOST_FIRED == MOST_FIRED == 255, "a state counts them in one byte"


def test_there_may_be_as_many_rules_as_a_state_can_keep() -> None:
    """One more than that is refused when the settings are read, not when it fires."""
    rules = [Rule(name=f"r{number}", outcome="purchase", band=Band.HIGH) for number in range(256)]
    assert len(Decisions(outcomes=(BANDED,), rules=tuple(rules[:MOST_FIRED])).rules) == MOST_FIRED
    with pytest.raises(ValidationError, match="at most 255"):
        Decisions(outcomes=(BANDED,), rules=tuple(rules))


async def test_a_record_of_the_far_future_is_rejected_and_turns_no_clock() -> None:
    """A producer that stamps in microseconds gets a dead letter; those after it are scored as ever."""
    world = World(outcomes=[BANDED], rules=[])
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    world.send("ann", touchpoint(2, "ann", "purchase", START), START * 1_000_000)
    world.send("ann", touchpoint(3, "ann", "purchase", START + 60), START + 60)
    await world.work()
    counts = world.counts()
    assert (counts["scored"], counts["rejected_time_invalid"]) == (2, 1)
    assert counts.get("silence_scorings", 0) <= 1


async def test_a_worker_with_other_settings_decides_as_the_partition_began() -> None:
    """Where the log has adopted nothing, the decisions of the first worker stay until others are adopted."""
    world = World(outcomes=[BANDED], rules=[])
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    await world.work()
    other = BANDED.model_copy(update={"cuts": (0.5, 0.6, 0.7, 0.8)})
    later = World(outcomes=[other], rules=[])
    later.store, later.log = world.store, world.log
    later.owners = later.make_owners()
    later.send("bob", touchpoint(2, "bob", "purchase", START + 1), START + 1)
    await later.work()
    ann, bob = later.bodies(BAND_CHANGES)
    assert ann["to"] == bob["to"] == "very high"


async def test_a_clock_ahead_of_the_broker_appends_one_tick_at_a_time() -> None:
    """An idle owner waits until it has read its last tick before it appends another."""
    world = World()
    world.control(Kind.LIVE, START)
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    await world.work()
    before = await world.log.end(0)
    world.wall = START + DAY
    for _ in range(5):
        await world.owners[0].work(())
    assert await world.log.end(0) == before + 1

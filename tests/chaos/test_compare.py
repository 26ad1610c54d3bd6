from __future__ import annotations

from collections.abc import Callable

import pytest

from stream.broker.memory import DEAD_LETTERS
from stream.partition.outputs import BAND_CHANGES, SCORES, TOUCHPOINTS
from tests.chaos.compare import Differences, compare_outputs, compare_sent, compare_states
from tests.chaos.undisturbed import RecordedLog, Records
from tests.chaos.watch import OUTPUTS
from tests.support.shop import touches
from tests.support.world import World

PARTITIONS = 2


async def run_of(events: int) -> tuple[World, dict[str, Records]]:
    """A run in memory, and all that is in its topics."""
    world = World(partitions=PARTITIONS)
    world.log = RecordedLog(world.signer)
    world.log.record({})
    world.owners = world.make_owners()
    world.history(touches(events))
    world.send("a", b"hello", touches(1)[0].at)
    await world.work()
    topics = {
        kind: {n: list(world.log.topics[kind, n]) for n in range(PARTITIONS)}
        for kind in (TOUCHPOINTS, *OUTPUTS, DEAD_LETTERS)
    }
    return world, topics


async def differences(world: World, topics: dict[str, Records], other: World) -> Differences:
    """Of states and topics against another run."""
    found = Differences()
    await compare_states(found, world.store, other, PARTITIONS)
    assert isinstance(other.log, RecordedLog)
    compare_outputs(found, topics, other, other.log)
    return found


def _lost(topics: dict[str, Records]) -> None:
    del topics[SCORES][0][5]


def _changed(topics: dict[str, Records]) -> None:
    old = topics[BAND_CHANGES][1][3]
    topics[BAND_CHANGES][1][3] = old._replace(value=(old.value or b"").replace(b'"to":', b'"to": '))


def _two_bodies(topics: dict[str, Records]) -> None:
    old = topics[SCORES][0][5]
    topics[SCORES][0].append(old._replace(value=(old.value or b"") + b" "))


def _not_buried(topics: dict[str, Records]) -> None:
    for records in topics[DEAD_LETTERS].values():
        records.clear()


async def test_equal_runs_do_not_differ_nor_do_repeated_outputs() -> None:
    """The same log gives no difference, and an output published twice with one body is none either."""
    world, topics = await run_of(600)
    other, _ = await run_of(600)
    topics[SCORES][0].append(topics[SCORES][0][5])
    found = await differences(world, topics, other)
    assert found.total == 0, found.words
    assert found.compared["scores"] > 500
    assert found.compared["dead letters"] == 1


@pytest.mark.parametrize("harm", [_lost, _changed, _two_bodies, _not_buried])
async def test_what_differs_in_a_topic_is_found(
    harm: Callable[[dict[str, Records]], None],
) -> None:
    """One output that is lost, changed or has two bodies, and one dead letter less, each count as differences."""
    world, topics = await run_of(600)
    other, _ = await run_of(600)
    harm(topics)
    assert (await differences(world, topics, other)).total > 0


async def test_a_state_that_differs_is_found() -> None:
    """A log that is one touchpoint shorter gives other states."""
    world, topics = await run_of(600)
    other, _ = await run_of(599)
    assert (await differences(world, topics, other)).counts["states"] > 0


async def test_a_lost_touchpoint_is_found() -> None:
    """What was acknowledged to a producer and is not in the log counts as a difference."""
    _, topics = await run_of(10)
    found = Differences()
    compare_sent(found, {(0, 10_000): 1}, topics[TOUCHPOINTS])
    assert found.total == 1

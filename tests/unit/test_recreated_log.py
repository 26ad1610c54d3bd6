"""A log that is not the one that states were made from, or has lost its beginning, is noticed on taking over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.agents.owner import Owner, Parts
from stream.errors import LogLostError
from stream.partition.outputs import TOUCHPOINTS
from stream.partition.tail import tail_of
from stream.store.memory import MemoryStore
from tests.support.world import START, World, touchpoint


async def _again(world: World) -> Owner:
    """The next owner of the only partition, of a worker that looks at the log."""

    async def look(partition: int, offset: int) -> str:
        return tail_of(world.log.topics[TOUCHPOINTS, partition][offset])

    owner = world.owners[0]
    parts = replace(owner._parts, tail=look)
    return Owner(0, parts)


async def _worked(*customers: str) -> World:
    world = World()
    for number, name in enumerate(customers):
        at = START + number
        world.send(name, touchpoint(number, name, "purchase", at), at)
    await world.work()
    return world


async def test_the_same_log_is_known_again() -> None:
    """An owner takes over where the record before its position is the one that was taken in."""
    world = await _worked("ann", "ben")
    owner = await _again(world)
    await owner.take_over()
    assert owner.ready


async def test_another_log_of_the_same_length_is_refused() -> None:
    """A recreated topic that has grown to where the states stand is refused, with the offset and a way out."""
    world, other = await _worked("ann", "ben"), await _worked("ann", "cleo")
    world.log.topics[TOUCHPOINTS, 0] = other.log.topics[TOUCHPOINTS, 0]
    owner = await _again(world)
    with pytest.raises(LogLostError, match="partition 0: offset 1 holds another record") as told:
        await owner.take_over()
    assert not owner.ready
    assert told.value.hint is not None
    assert "new namespace" in told.value.hint


def _cut(world: World, monkeypatch: pytest.MonkeyPatch, begin: int) -> None:
    """Let the log begin later, as retention would."""

    async def beginning(partition: int) -> int:
        del partition
        return begin

    monkeypatch.setattr(world.log, "beginning", beginning)


async def test_a_log_that_no_longer_reaches_back_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With Redis lost and the log's beginning gone, the owner says what is missing and names the option."""
    world = await _worked("ann", "ben", "cleo")
    world.store = MemoryStore()
    world.owners = world.make_owners()
    _cut(world, monkeypatch, 2)
    with pytest.raises(LogLostError, match="its first 2 records are gone") as told:
        await world.owners[0].take_over()
    assert told.value.hint is not None
    assert "--accept-loss" in told.value.hint


async def test_a_loss_that_is_accepted_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to go on, an owner takes in what there still is, and its ledger counts what is gone."""
    world = await _worked("ann", "ben", "cleo")
    world.store = MemoryStore()
    parts = Parts(world.pipelines, world.store, world.log, lambda: world.wall, accept_loss=True)
    world.owners = [Owner(0, parts)]
    _cut(world, monkeypatch, 2)
    await world.work()
    assert world.owners[0].ready
    assert sorted(world.owners[0]._states) == ["cleo"]
    assert world.owners[0]._ledger.counts["lost"] == 2

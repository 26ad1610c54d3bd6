"""A log that is not the one that states were made from, or has lost its beginning, is noticed on taking over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.agents.owner import Owner, Parts
from stream.errors import LogLostError, RefusedError
from stream.partition.ledger import Position, encode_ledger
from stream.partition.outputs import TOUCHPOINTS
from stream.partition.tail import tail_of
from stream.store.memory import MemoryStore
from stream.store.port import Write
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


async def test_ends_of_transactions_before_the_position_are_no_other_log() -> None:
    """The log is known by the record that was taken in, at its own offset, whatever takes up offsets after it."""
    world = await _worked("ann", "ben")
    before = world.owners[0]
    position = Position(2)
    assert before._position == position
    write = Write(Position(3), encode_ledger(before._ledger), b"", [])
    await world.store.apply(0, before._claim, position, write)
    world.send("cleo", touchpoint(9, "cleo", "purchase", START + 9), START + 9)
    owner = await _again(world)
    await owner.take_over()
    assert owner.ready


async def test_records_from_before_the_position_are_refused() -> None:
    """What was read for another owner, from where it stood, never turns a partition back."""
    world = await _worked("ann", "ben", "cleo")
    owner = world.owners[0]
    with pytest.raises(RefusedError, match="expected records from offset 3 on, got 1"):
        await owner.work(world.log.topics[TOUCHPOINTS, 0][1:])
    assert owner._position == Position(3)

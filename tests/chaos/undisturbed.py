"""The undisturbed run: what a single clean worker makes of the same recorded log, in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final

from stream.broker.memory import MemoryLog, MemoryRecord
from stream.model.snapshot import decode_snapshot
from stream.partition.control import Kind
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.settings import Settings
from tests.support.world import World

_BATCH: Final = 500
_PATIENCE: Final = 20
"""Turns without anything done."""
Records = dict[int, list[MemoryRecord]]
"""By partition, in order."""


class RecordedLog(MemoryLog):
    """A log that holds all that was ever appended: forwards are among it, and only noted a second time."""

    forwards: list[Output]

    def record(self, touchpoints: Mapping[int, Sequence[MemoryRecord]]) -> None:
        """Hold these, under their own offsets."""
        self.forwards = []
        for number, records in touchpoints.items():
            self.topics[TOUCHPOINTS, number] = list(records)

    def read(self, partition: int, most: int) -> Sequence[MemoryRecord]:
        """By offset, not by place: a transaction's end takes an offset too."""
        held = self.topics[TOUCHPOINTS, partition]
        begin = bisect_left(held, self.positions[partition], key=lambda each: each.offset)
        records = held[begin : begin + most]
        if records:
            self.positions[partition] = records[-1].offset + 1
        return records

    async def end(self, partition: int) -> int:
        held = self.topics[TOUCHPOINTS, partition]
        return held[-1].offset + 1 if held else 0

    async def publish(self, outputs: Sequence[Output]) -> None:
        self.forwards += [each for each in outputs if each.topic == TOUCHPOINTS]
        await super().publish([each for each in outputs if each.topic != TOUCHPOINTS])

    async def append(self, partition: int, kind: Kind, what: str = "", version: int = 0) -> None:
        del partition, kind, what, version


async def undisturbed(
    settings: Settings, touchpoints: Records, snapshots: Sequence[MemoryRecord]
) -> tuple[World, RecordedLog]:
    """Work through recorded touchpoints with the models that were published."""
    partitions = settings.kafka.partitions
    world = World(
        partitions=partitions,
        outcomes=settings.outcomes,
        rules=settings.rules,
        learning=settings.learning.decided,
        types=settings.types,
        wall=0,
    )
    for record in snapshots:
        world.pipelines.library.add(decode_snapshot(record.value or b""))
    log = RecordedLog(world.signer)
    log.record(touchpoints)
    world.log = log
    world.owners = world.make_owners()
    await _work(world, log)
    return world, log


async def _work(world: World, log: RecordedLog) -> None:
    """Take in everything; AssertionError where a partition stands still, as for a model that never came."""
    for owner in world.owners:
        await owner.work(())
        idle = 0
        while idle < _PATIENCE:
            stood = owner._position
            records = () if owner.busy else log.read(owner.partition, _BATCH)
            if not records and not owner.busy:
                break
            await owner.work(records)
            idle = 0 if records or owner._position != stood else idle + 1
        else:
            message = f"partition {owner.partition} stands still at {owner._position}"
            raise AssertionError(message)
        await owner.acknowledged()

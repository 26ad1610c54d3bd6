"""Single versions of models out of `model-snapshots`, for whoever does not follow the topic."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer

from schemas.home import home
from stream.broker import reading
from stream.model.snapshot import Snapshot, UnreadableSnapshotError, decode_snapshot


class _Head(msgspec.Struct):
    outcome: str
    version: int


_head = msgspec.json.Decoder(_Head).decode


async def read_snapshots(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, wanted: Collection[tuple[str, int]]
) -> list[Snapshot]:
    """Those of these outcomes and versions that are there and can be read.

    Read from the end: those in force are among the latest, and a year of one an hour is a gigabyte.
    """
    found: dict[tuple[str, int], Snapshot] = {}
    if not wanted:
        return []
    async with aclosing(reading.backwards(consumer, topic, partitions)) as steps:
        async for records in steps:
            for record in records:
                try:
                    head = _head(record.value or b"")
                    key = head.outcome, head.version
                    if key in wanted and key not in found:
                        found[key] = decode_snapshot(record.value)
                except (msgspec.MsgspecError, RecursionError, UnreadableSnapshotError):
                    continue
            if len(found) == len(wanted):
                break
    return list(found.values())


class Version(NamedTuple):
    """What a list tells of a version: the rest of a year's versions would not fit into memory."""

    version: int
    known_to: datetime
    champion: str
    examples: int
    positives: int
    log_loss: dict[str, float]
    ece: float | None
    held: int | None
    """The older version whose weights these are."""


@dataclass
class Published:
    """Versions of one outcome, as far back as they were looked for."""

    versions: dict[int, Version] = field(default_factory=dict)
    whole: dict[int, Snapshot] = field(default_factory=dict)
    """Those that were asked for."""
    unreadable: int = 0

    def take(self, snapshot: Snapshot, wanted: Collection[int]) -> None:
        """Take a version in; the newest one is kept whole too."""
        version, metrics = snapshot.version, snapshot.metrics
        if not version or version in self.versions:
            return
        if version > max(self.versions, default=0):
            self.whole = {n: each for n, each in self.whole.items() if n in wanted}
            self.whole[version] = snapshot
        elif version in wanted:
            self.whole[version] = snapshot
        self.versions[version] = _row(snapshot, metrics)


def _row(snapshot: Snapshot, metrics: dict[str, Any]) -> Version:
    return Version(
        snapshot.version,
        snapshot.known_to,
        snapshot.champion,
        snapshot.examples,
        snapshot.positives,
        metrics.get("log_loss", {}),
        metrics.get("ece"),
        metrics.get("held"),
    )


async def published(
    consumer: AIOKafkaConsumer,
    topic: str,
    partitions: int,
    outcome: str,
    most: int | None,
    wanted: Collection[int] = (),
) -> Published:
    """An outcome's latest `most` versions or more (None: all), and those wanted, wherever they lie.

    The newest one is among `whole`. Read from the end, in the outcome's partition alone.
    """
    found = Published()
    only = {home(outcome, partitions)}
    async with aclosing(reading.backwards(consumer, topic, partitions, only)) as steps:
        async for records in steps:
            for record in records:
                if record.key != outcome.encode():
                    continue
                try:
                    found.take(decode_snapshot(record.value or b""), wanted)
                except UnreadableSnapshotError:
                    found.unreadable += 1
            enough = most is not None and len(found.versions) >= most
            if enough and set(wanted) <= set(found.versions):
                break
    return found

"""The log's in-memory twin, for unit tests and simulations: topics as lists, one consumer group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from stream.broker import deadletters
from stream.partition.control import Headers, Kind, Signer
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.partition.step import DeadLetter

DEAD_LETTERS = "touchpoints-dlq"


class MemoryRecord(NamedTuple):
    """A record as a consumer would see it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class MemoryLog:
    """A `Log` in this process's memory. `clock` stamps (ms since 1970) what comes without a timestamp."""

    def __init__(self, signer: Signer, clock: Callable[[], int] = lambda: 0) -> None:
        self._signer = signer
        self._clock = clock
        self.topics: dict[tuple[str, int], list[MemoryRecord]] = defaultdict(list)
        self.offsets: dict[int, int] = {}
        self.positions: dict[int, int] = defaultdict(int)

    def add(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp: int | None = None,
    ) -> int:
        """Append a record; returns its offset."""
        found = self.topics[topic, partition]
        stamp = self._clock() if timestamp is None else timestamp
        found.append(MemoryRecord(len(found), stamp, key, value, headers))
        return len(found) - 1

    def read(self, partition: int, most: int) -> Sequence[MemoryRecord]:
        """The next touchpoints of a partition, up to `most`; reading moves on."""
        begin = self.positions[partition]
        records = self.topics[TOUCHPOINTS, partition][begin : begin + most]
        self.positions[partition] += len(records)
        return records

    async def committed(self, partition: int) -> int | None:
        return self.offsets.get(partition)

    async def beginning(self, partition: int) -> int:
        del partition
        return 0

    async def end(self, partition: int) -> int:
        return len(self.topics[TOUCHPOINTS, partition])

    async def commit(self, offsets: Mapping[int, int]) -> None:
        self.offsets.update(offsets)

    def seek(self, partition: int, offset: int) -> None:
        self.positions[partition] = offset

    async def publish(self, outputs: Sequence[Output]) -> None:
        for topic, partition, key, value, headers, timestamp in outputs:
            self.add(topic, partition, key, value, headers, timestamp)

    async def bury(self, partition: int, dead: Sequence[DeadLetter]) -> None:
        for each in dead:
            key, value, headers, timestamp = deadletters.row(TOUCHPOINTS, partition, each)
            self.add(DEAD_LETTERS, partition, key, value, headers, timestamp)

    async def append(self, partition: int, kind: Kind, what: str = "", version: int = 0) -> None:
        value, headers = self._signer.control(partition, kind, what, version)
        self.add(TOUCHPOINTS, partition, b"", value, headers)

"""The log's in-memory twin, for unit tests and simulations: topics as lists, one consumer group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from stream.broker import deadletters
from stream.broker.port import Committed, Transactor
from stream.errors import RefusedError
from stream.partition.control import Headers, Kind, Signer
from stream.partition.ledger import Position
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
        self.reached: dict[int, Committed] = {}
        """C of partitions whose outputs and offsets are one transaction."""
        self.epochs: dict[int, int] = defaultdict(int)
        """How often somebody has begun to publish for a partition."""

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


class MemoryTransactions:
    """The `Transactions` of a log in memory: readers of it see what was committed, and nothing else."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def confirm(self, partition: int) -> None:
        """There is always just one member."""

    async def fence(self, partition: int) -> Transactor:
        self._log.epochs[partition] += 1
        return MemoryTransactor(self._log, partition, self._log.epochs[partition])

    async def committed(self, partition: int) -> Committed | None:
        offset = self._log.offsets.get(partition)
        if offset is None:
            return None
        found = self._log.reached.get(partition)
        return found if found and found.position.offset == offset else Committed(Position(offset))

    async def next(self, partition: int) -> int:
        return self._log.positions[partition]


class MemoryTransactor:
    """A `Transactor` until another one begins."""

    def __init__(self, log: MemoryLog, partition: int, epoch: int) -> None:
        self._log = log
        self._partition = partition
        self._epoch = epoch

    async def send(
        self,
        reached: Committed,
        outputs: Sequence[Output] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        log, partition = self._log, self._partition
        if log.epochs[partition] != self._epoch:
            raise RefusedError(f"partition {partition}: another worker publishes for it")
        await log.publish(outputs)
        await log.bury(partition, dead)
        log.offsets[partition], log.reached[partition] = reached.position.offset, reached

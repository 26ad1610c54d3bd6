"""The records of several partitions as one row, by their logs' clocks."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.broker.client import answering
from stream.broker.reading import Bounds
from stream.partition.intake import Record

_WAIT_MS = 1_000


class Placed(NamedTuple):
    """A record, its partition, and the clock by which it is merged."""

    clock: int
    partition: int
    record: Record


class Merge:
    """Pure half: takes records of each partition in order, gives those whose turn is certain."""

    def __init__(self, partitions: Sequence[int]) -> None:
        self._waiting: dict[int, deque[Placed]] = {number: deque() for number in partitions}
        self.open = set(partitions)
        """Partitions of which more is to come."""

    @property
    def hungry(self) -> list[int]:
        """Those that must be read before any record's turn is certain."""
        return [number for number in self.open if not self._waiting[number]]

    def put(self, placed: Placed) -> None:
        """Add a partition's next record; clocks of one partition never fall."""
        self._waiting[placed.partition].append(placed)

    def take(self) -> list[Placed]:
        """All records whose turn is certain, in order: equal clocks by partition."""
        found: list[Placed] = []
        if self.hungry:
            return found
        heads = [(each[0].clock, number) for number, each in self._waiting.items() if each]
        heapify(heads)
        while heads:
            _, number = heappop(heads)
            waiting = self._waiting[number]
            found.append(waiting.popleft())
            if waiting:
                heappush(heads, (waiting[0].clock, number))
            elif number in self.open:
                break
        return found


async def merged(
    consumer: AIOKafkaConsumer,
    topic: str,
    spans: Mapping[int, Bounds],
    turn: Callable[[int, Record], int],
) -> AsyncIterator[Sequence[Placed]]:
    """The records between bounds, merged; `turn` tells a partition's clock at its next record."""
    wanted = {number: span for number, span in spans.items() if span.begin < span.end}
    if not wanted:
        return
    merge = Merge(list(wanted))
    tps = {number: TopicPartition(topic, number) for number in wanted}
    with answering():
        consumer.assign(list(tps.values()))
        for number, span in wanted.items():
            consumer.seek(tps[number], span.begin)
    while True:
        while hungry := merge.hungry:
            with answering():
                # Only those: of the others there is enough, and memory is not without end.
                found = await consumer.getmany(*(tps[n] for n in hungry), timeout_ms=_WAIT_MS)
                for tp, records in found.items():
                    for record in records:
                        if record.offset < wanted[tp.partition].end:
                            clock = turn(tp.partition, record)
                            merge.put(Placed(clock, tp.partition, record))
                for number in hungry:
                    # Not the last record's offset: the log may end in markers that are no records.
                    if await consumer.position(tps[number]) >= wanted[number].end:
                        merge.open.discard(number)
        ready = merge.take()
        if not ready:
            return
        yield ready

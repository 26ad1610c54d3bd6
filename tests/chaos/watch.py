"""Where all partitions stand, ten times a second, through every fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream import app
from stream.broker import client
from stream.broker.topics import Topics
from stream.errors import BandshiftError
from stream.partition.outputs import BAND_CHANGES, EXAMPLES, SCORES, TRIGGERS
from stream.settings import Settings

_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 1.0
OUTPUTS: Final = (SCORES, BAND_CHANGES, TRIGGERS, EXAMPLES)

Ends = dict[tuple[str, int], int]


class Look(NamedTuple):
    """N of every partition (as one number each) at a moment of the monotonic clock."""

    at: float
    places: tuple[float, ...]


@dataclass
class Watch:
    """Looks at the store for as long as it runs; a store that does not answer shows nothing."""

    settings: Settings
    looks: list[Look] = field(default_factory=list)

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.namespace)

    async def run(self) -> None:
        """Look until cancelled."""
        store = app.store(self.settings, self.topics)
        numbers = range(self.settings.kafka.partitions)
        try:
            while True:
                began = time.monotonic()
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        found = await store.standings(numbers)
                except (TimeoutError, BandshiftError):
                    await asyncio.sleep(_LOOK_SECONDS)
                    continue
                places = tuple(
                    each.position.offset + each.position.cursor / 1e6 if each.position else -1.0
                    for each in found
                )
                # When it began: what was asked before a kill must not pass for what came after it.
                self.looks.append(Look(began, places))
                await asyncio.sleep(max(0.0, _LOOK_SECONDS - (time.monotonic() - began)))
        finally:
            await store.close()

    # -- what was seen -----------------------------------------------------------------------------------

    def since(self, at: float) -> list[Look]:
        """The looks from a moment on."""
        found = []
        for look in reversed(self.looks):
            if look.at < at:
                break
            found.append(look)
        return found[::-1]

    def progressed(self, after: float, partitions: Iterable[int] | None = None) -> float | None:
        """When each of these partitions (or, told none, any at all) had moved on; None where not yet."""
        looks = self.since(after)
        waiting = None if partitions is None else set(partitions)
        for before, now in pairwise(looks):
            moved = {n for n, place in enumerate(now.places) if place > before.places[n]}
            if waiting is None:
                if moved:
                    return now.at
                continue
            waiting -= moved
            if not waiting:
                return now.at
        return None

    def longest_rest(self, begin: float, end: float) -> float:
        """The longest time in which no partition moved on, in seconds."""
        looks = [each for each in self.since(begin) if each.at <= end]
        last, longest = begin, 0.0
        for before, now in pairwise(looks):
            if any(place > old for place, old in zip(now.places, before.places, strict=True)):
                longest = max(longest, now.at - last)
                last = now.at
        return max(longest, end - last)

    def throughput(self, begin: float) -> list[tuple[float, float]]:
        """Second by second: records taken in, rebuilding included."""
        found: dict[int, float] = {}
        looks = self.since(begin)
        for before, now in pairwise(looks):
            moved = _moved(before.places, now.places)
            if moved:
                found[int(now.at - begin)] = found.get(int(now.at - begin), 0) + moved
        last = int(looks[-1].at - begin) if looks else -1
        return [(float(second), found.get(second, 0.0)) for second in range(last + 1)]


def _moved(before: Sequence[float], now: Sequence[float]) -> float:
    return sum(max(0.0, int(new) - max(0, int(old))) for old, new in zip(before, now, strict=True))


class LogEnds:
    """Where topics end, asked of the broker while it answers."""

    def __init__(self, reader: AIOKafkaConsumer, settings: Settings) -> None:
        self._reader = reader
        self._topics = Topics(settings.namespace)
        self._numbers = range(settings.kafka.partitions)

    async def of(self, kinds: Sequence[str]) -> Ends | None:
        """By kind of topic and partition, the next offset; None where the broker does not answer."""
        tps = {
            TopicPartition(self._topics.name(kind), number): (kind, number)
            for kind in kinds
            for number in self._numbers
        }
        try:
            async with asyncio.timeout(5):
                with client.answering():
                    found = await self._reader.end_offsets(list(tps))
        except (BandshiftError, TimeoutError):
            return None
        return {tps[tp]: end for tp, end in found.items()}


async def ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until they have ended: Redis' client takes a cancellation for a lost connection at times."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)

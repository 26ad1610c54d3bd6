"""Dead letters, counted and sent back through the front door.

What was sent back is noted by a marker in the dead-letter topic, behind the letters it names and after they
were acknowledged. So running it again does not send them twice; a crash between the two may, and then the
event id, which is remembered for a day, makes the second one a duplicate.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.home import home
from schemas.intake import read
from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry
from stream.broker import deadletters
from stream.broker.client import answering
from stream.broker.deadletters import Kept
from stream.broker.reading import Bounds, bounds, span
from stream.broker.topics import Topics
from stream.partition.control import CONTROL, ORIGIN, SIGNATURE, Headers

MARKER: Final = "bandshift-redriven"
_AT_ONCE: Final = 500
"""Letters per marker: after a crash at most so many are sent a second time."""
_ids = msgspec.json.Decoder(list[str])


class Letter(NamedTuple):
    """A dead letter and where it lies; `written` in ms since 1970."""

    kept: Kept
    partition: int
    offset: int
    written: int


@dataclass
class Stock:
    """The dead letters up to the present end. A letter published twice counts once."""

    spans: dict[int, Bounds]
    reasons: dict[str, str] = field(default_factory=dict)
    """Id -> reason."""
    redriven: set[str] = field(default_factory=set)
    latest: dict[str, int] = field(default_factory=dict)
    """Reason -> when the last one was written, in ms since 1970."""

    def counts(self) -> dict[str, tuple[int, int]]:
        """Reason -> how many are outstanding, how many were redriven; the most outstanding first."""
        found: dict[str, list[int]] = {}
        for identity, reason in self.reasons.items():
            found.setdefault(reason, [0, 0])[identity in self.redriven] += 1
        ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
        return {reason: (open_ones, done) for reason, (open_ones, done) in ordered}


async def take_stock(consumer: AIOKafkaConsumer, topics: Topics, partitions: int) -> Stock:
    """Read the whole dead-letter topic once."""
    stock = Stock(dict(enumerate(await bounds(consumer, topics.dead_letters, partitions))))
    async for number, records in span(consumer, topics.dead_letters, stock.spans):
        for record in records:
            letter = _letter(number, record)
            if letter is None:
                stock.redriven.update(_marked(record))
            else:
                stock.reasons[letter.kept.identity] = letter.kept.reason
                stock.latest[letter.kept.reason] = letter.written
    return stock


async def outstanding(
    consumer: AIOKafkaConsumer, topics: Topics, stock: Stock, reason: str | None = None
) -> AsyncIterator[tuple[int, list[Letter]]]:
    """The letters of a stock that were not redriven, each once: (partition, its next ones)."""
    seen = set(stock.redriven)
    async for number, records in span(consumer, topics.dead_letters, stock.spans):
        found = []
        for record in records:
            letter = _letter(number, record)
            if letter is None or letter.kept.identity in seen:
                continue
            if reason is None or letter.kept.reason == reason:
                seen.add(letter.kept.identity)
                found.append(letter)
        if found:
            yield number, found


def _marked(record: Any) -> Sequence[str]:
    if any(name == MARKER for name, _ in record.headers):
        return _ids.decode(record.value)
    return ()


def _letter(number: int, record: Any) -> Letter | None:
    kept = deadletters.read(record.key, record.value, record.headers)
    return None if kept is None else Letter(kept, number, record.offset, record.timestamp)


class Redriver:
    """Sends dead letters back to where touchpoints come in."""

    def __init__(
        self, producer: AIOKafkaProducer, topics: Topics, registry: TypeRegistry, partitions: int
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._registry = registry
        self._partitions = partitions

    async def redrive(self, number: int, letters: Sequence[Letter]) -> int:
        """Send letters that lie in one partition of the dead-letter topic, and note it; returns how many."""
        left = iter(letters)
        while part := list(islice(left, _AT_ONCE)):
            with answering():
                await asyncio.gather(*[await self._send(letter.kept) for letter in part])
                await self._producer.send_and_wait(
                    self._topics.dead_letters,
                    msgspec.json.encode([letter.kept.identity for letter in part]),
                    b"",
                    partition=number,
                    headers=[(MARKER, b"1")],
                )
        return len(letters)

    async def _send(self, kept: Kept) -> Awaitable[Any]:
        headers = front_door(kept.headers)
        key = kept.key
        if key is None and kept.value is None:
            key = b""  # Kafka's Python client sends no record without key and value
        sent: Awaitable[Any] = await self._producer.send(
            self._topics.touchpoints,
            kept.value,
            key,
            partition=self.partition(kept, dict(headers)),
            headers=list(headers),
            # In history the log's clock goes by it: the present would be years ahead.
            timestamp_ms=kept.timestamp or 0,
        )
        return sent

    def partition(self, kept: Kept, headers: Mapping[str, bytes]) -> int:
        """The customer's home where the letter can be read by now; else where it came from, or its key's home."""
        if CONTROL not in headers and kept.value is not None:
            found = read(kept.value, self._registry, headers)
            if isinstance(found, Touchpoint):
                return home(found.customer_id, self._partitions)
        if 0 <= kept.partition < self._partitions:
            return kept.partition
        return home((kept.key or b"").decode("utf-8", "replace"), self._partitions)


def front_door(headers: Headers) -> Headers:
    """The original headers without those of a forward.

    Its home keeps the highest origin it has seen: with the old one, the letter would be taken for a repetition.
    """
    names = {name for name, _ in headers}
    forwarded = {ORIGIN} if CONTROL in names else {ORIGIN, SIGNATURE}
    return tuple((name, text) for name, text in headers if name not in forwarded)

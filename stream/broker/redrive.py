"""Dead letters, counted and sent back through the front door.

What was sent back is noted by a marker in the dead-letter topic, behind the letters it names and after they
were acknowledged. So running it again does not send them twice; a crash between the two may, and then the
event id, which is remembered for a day, makes the second one a duplicate.

A letter larger than the topic takes goes compressed, as it once came. What cannot go back is told, and stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from time import time
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
from stream.broker.packing import Original, pack
from stream.broker.reading import Bounds, bounds, span
from stream.broker.topics import MOST_RECORD, Topics
from stream.partition.control import CONTROL, ORIGIN, SIGNATURE, Headers

MARKER: Final = "bandshift-redriven"
_AT_ONCE: Final = 500
"""Letters per marker: after a crash at most so many are sent a second time."""
_BESIDES: Final = 128
_PER_HEADER: Final = 8
"""Bytes at the most that a batch of one record, and each header's lengths, take of the topic's limit."""
_MOST_COMPRESSED: Final = MOST_RECORD - 1_024
"""Bytes of zlib data whose gzip surely fits the topic's limit."""
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


@dataclass
class Redriven:
    """What came of letters: those that were sent, and sentences about those that could not be."""

    sent: list[Letter] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Redriver:
    """Sends dead letters back to where touchpoints come in; large ones by a producer that compresses with gzip."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        compressing: AIOKafkaProducer,
        topics: Topics,
        registry: TypeRegistry,
        partitions: int,
    ) -> None:
        self._producer = producer
        self._compressing = compressing
        self._topics = topics
        self._registry = registry
        self._partitions = partitions

    async def redrive(self, number: int, letters: Sequence[Letter]) -> Redriven:
        """Send letters that lie in one partition of the dead-letter topic, and note it."""
        done = Redriven()
        left = iter(letters)
        while part := list(islice(left, _AT_ONCE)):
            with answering():
                sent = await self._send_all(part, done)
                if sent:
                    await self._producer.send_and_wait(
                        self._topics.dead_letters,
                        msgspec.json.encode([letter.kept.identity for letter in sent]),
                        b"",
                        partition=number,
                        headers=[(MARKER, b"1")],
                    )
        return done

    async def _send_all(self, part: Sequence[Letter], done: Redriven) -> list[Letter]:
        sent: list[Letter] = []
        waiting: list[Awaitable[Any]] = []
        for letter in part:
            original = letter.kept.original
            refusal = _refusal(letter, original)
            if refusal is not None:
                done.refused.append(refusal)
                continue
            large = _is_large(original)
            future = await self._send(
                self._compressing if large else self._producer, letter.kept, original
            )
            if large:
                await future  # one at a time: together they might not fit into memory
            else:
                waiting.append(future)
            sent.append(letter)
        await asyncio.gather(*waiting)
        done.sent += sent
        return sent

    async def _send(
        self, producer: AIOKafkaProducer, kept: Kept, original: Original
    ) -> Awaitable[Any]:
        headers = front_door(original.headers)
        key = original.key
        if key is None and original.value is None:
            key = b""  # Kafka's Python client sends no record without key and value
        sent: Awaitable[Any] = await producer.send(
            self._topics.touchpoints,
            original.value,
            key,
            partition=self.partition(kept, original, dict(headers)),
            headers=list(headers),
            # In history the log's clock goes by it: the present would be years ahead. Kafka takes no future.
            timestamp_ms=min(kept.timestamp or 0, int(time() * 1000)),
        )
        return sent

    def partition(self, kept: Kept, original: Original, headers: Mapping[str, bytes | None]) -> int:
        """The customer's home where the letter can be read by now; else where it came from, or its key's home."""
        if CONTROL not in headers and original.value is not None:
            found = read(original.value, self._registry, headers)
            if isinstance(found, Touchpoint):
                return home(found.customer_id, self._partitions)
        if 0 <= kept.partition < self._partitions:
            return kept.partition
        return home((original.key or b"").decode("utf-8", "replace"), self._partitions)


def _is_large(original: Original) -> bool:
    """Whether the topic takes it only compressed."""
    return original.size + _BESIDES + _PER_HEADER * len(original.headers) > MOST_RECORD


def _refusal(letter: Letter, original: Original) -> str | None:
    """Why a letter cannot go back, if it cannot."""
    kept = letter.kept
    where = f"{kept.topic}, partition {kept.partition}, offset {kept.offset}"
    if kept.whole is not None:
        return f"{where}: it had {kept.whole} bytes, of which only the beginning was kept"
    if _is_large(original) and (packed := len(pack(original, 9))) > _MOST_COMPRESSED:
        return f"{where}: expected at most {_MOST_COMPRESSED} bytes once compressed, got {packed}"
    return None


def front_door(headers: Headers) -> Headers:
    """The original headers without those of a forward.

    Kafka's Python client sends no name that is no UTF-8: "?" stands for such bytes. Its home keeps the highest origin it has seen: with the old one, the letter would be taken for a repetition.
    """
    names = {name for name, _ in headers}
    forwarded = {ORIGIN} if CONTROL in names else {ORIGIN, SIGNATURE}
    return tuple(
        (name.encode("utf-8", "replace").decode(), text)
        for name, text in headers
        if name not in forwarded
    )

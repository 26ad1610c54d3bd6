"""A steady load: touchpoints sent one by one on time, and the time until what they caused can be read."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.ground import PARTITIONS
from benchmarks.log import Recipe, touches
from schemas.home import home
from stream.broker import client
from stream.broker.topics import Topics
from stream.errors import BandshiftError
from stream.settings import Settings

_MOST_SECONDS: Final = 60
_AFTERWARDS_SECONDS: Final = 10
_LAST_SECONDS: Final = 0.2
"""For band changes that come a little after the last score."""


class _Cause(msgspec.Struct):
    event_id: str


class _Data(msgspec.Struct):
    touchpoint: _Cause | None


class _Body(msgspec.Struct):
    data: _Data


_decode: Final = msgspec.json.Decoder(_Body).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass
class Seen:
    """Seconds from sending a touchpoint to holding the record that it caused; one entry per record.

    `late` is by how much the sender itself missed its moments: where that is much, the rest means little.
    """

    scores: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


class Load:
    """Sends at a rate and reads the outputs, with connections of its own, inside `connected()`."""

    def __init__(self, settings: Settings, customers: int, rate: int, *, seed: int) -> None:
        self._settings = settings
        self._topics = Topics(settings.namespace)
        self._rate = rate
        recipe = Recipe(events=rate * _MOST_SECONDS, customers=customers, scattered=True, seed=seed)
        self._touches = iter(
            [(touch.customer, msgspec.json.decode(touch.value)) for touch in touches(recipe)]
        )
        self._sent: dict[str, float] = {}
        self._seen = Seen()
        self._scored = 0
        self._producer: AIOKafkaProducer
        self._consumer: AIOKafkaConsumer

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connect, and read what comes from now on."""
        async with (
            client.producer(self._settings.kafka) as self._producer,
            client.reader(self._settings.kafka) as self._consumer,
        ):
            names = (self._topics.scores, self._topics.band_changes)
            tps = [TopicPartition(name, each) for name in names for each in range(PARTITIONS)]
            self._consumer.assign(tps)
            await self._consumer.seek_to_end(*tps)
            reading = asyncio.create_task(self._read())
            gc.collect()
            gc.disable()  # its pauses would be counted as the worker's
            try:
                yield
            finally:
                gc.enable()
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def run(self, seconds: int) -> Seen:
        """Send for so long, and wait for what it causes."""
        self._seen, before = Seen(), self._scored
        total = seconds * self._rate
        sent = []
        begin = time.perf_counter()
        for number in range(total):
            moment = begin + number / self._rate
            pause = moment - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            self._seen.late.append(time.perf_counter() - moment)
            sent.append(await self._send(*next(self._touches)))
        await asyncio.gather(*sent)
        deadline = time.perf_counter() + _AFTERWARDS_SECONDS
        while self._scored - before < total:
            if time.perf_counter() > deadline:
                raise BandshiftError(
                    f"expected {total} scores, got {self._scored - before} within "
                    f"{_AFTERWARDS_SECONDS} seconds after the last touchpoint was sent"
                )
            await asyncio.sleep(0.05)
        await asyncio.sleep(_LAST_SECONDS)
        return self._seen

    async def _send(self, customer: str, body: dict[str, Any]) -> asyncio.Future[Any]:
        body["occurred_at"] = datetime.now(UTC)
        value = _encode(body)
        self._sent[body["event_id"]] = time.perf_counter()
        found: asyncio.Future[Any] = await self._producer.send(
            self._topics.touchpoints,
            value,
            customer.encode(),
            partition=home(customer, PARTITIONS),
        )
        return found

    async def _read(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=1_000)
            now = time.perf_counter()
            for tp, records in found.items():
                score = tp.topic == self._topics.scores
                times = self._seen.scores if score else self._seen.changes
                for record in records:
                    cause = _decode(record.value).data.touchpoint
                    if cause is not None:
                        times.append(now - self._sent[cause.event_id])
                        self._scored += score

"""Producers who send a real shop's touchpoints while faults happen: first as history, then live."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.home import home
from schemas.rules import Rule
from stream import app
from stream.broker import client, golive
from stream.broker.topics import Topics
from stream.errors import BandshiftError
from stream.partition.control import IN_STEP, Kind
from stream.settings import Settings
from tests.support.poison import HIDDEN, POISON
from tests.support.shop import touches
from tests.support.world import TICK_SECONDS

SHARE: Final = 4
"""One customer of so many: at 100 touchpoints a second, a day of the shop passes in a second."""
_POISONED, _MISROUTED, _REPEATED = 0.01, 0.03, 0.02
_ADOPTS_SECONDS: Final = 20.0
_HIDDEN_SECONDS: Final = 10.0
_BOMBS: Final = 0.05
"""Of hidden records: each takes 20 MiB of memory wherever it is read."""
_MOST_REQUEST: Final = 32 << 20
_PAUSE_SECONDS: Final = 0.05
_DAY: Final = TICK_SECONDS


class Event(NamedTuple):
    """A touchpoint, `at` seconds after the shop's first."""

    at: int
    customer: str
    body: dict[str, Any]


def shop() -> Iterator[Event]:
    """The shop's touchpoints, again and again, each time behind the last and with ids of its own."""
    rows = [each for each in touches(1 << 30) if crc32(each.customer.encode()) % SHARE == 0]
    first, span = rows[0].at, rows[-1].at - rows[0].at + _DAY
    turn = 0
    while True:
        for row in rows:
            body = json.loads(row.value)
            body["event_id"] = f"{body['event_id']}-{turn}"
            yield Event(row.at - first + turn * span, row.customer, body)
        turn += 1


@asynccontextmanager
async def compressing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that takes records of any size, in batches that the topic takes once compressed."""
    made = AIOKafkaProducer(
        **client.options(settings.kafka),
        compression_type="gzip",
        enable_idempotence=True,
        max_request_size=_MOST_REQUEST,
    )
    async with client.started(settings.kafka, made, made.stop):
        yield made


def days_a_second(rate: float) -> float:
    """How fast the shop's time passes."""
    rows = [each for each in touches(1 << 30) if crc32(each.customer.encode()) % SHARE == 0]
    return rate / (len(rows) / ((rows[-1].at - rows[0].at) / _DAY))


@dataclass
class Flow:
    """One producer's work, which ends when it is told to."""

    settings: Settings
    rate: float
    chance: random.Random
    began_at: int
    """The time of the first touchpoint, in seconds since 1970."""
    live: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    taken: dict[tuple[int, int], int] = field(default_factory=dict)
    """What the broker has acknowledged: (partition, offset) -> checksum of the value."""
    paused: bool = False
    adopted: int = 0

    def __post_init__(self) -> None:
        self._topics = Topics(self.settings.namespace)
        self._signer = app.signer(self.settings, self._topics)
        self._partitions = self.settings.kafka.partitions
        self._day = 0
        self._now = self.began_at
        self._waiting: set[asyncio.Future[Any]] = set()

    async def run(self) -> None:
        """Send until cancelled."""
        events = shop()
        async with client.producer(self.settings.kafka, linger_ms=5) as producer:
            for number in range(self._partitions):
                await self._control(producer, number, Kind.ADOPT, 0, IN_STEP, 1)
            last = time.monotonic()
            owed, adopt = 0.0, last + _ADOPTS_SECONDS
            while True:
                await asyncio.sleep(_PAUSE_SECONDS)
                now = time.monotonic()
                owed += self.rate * (now - last)
                last = now
                if self.paused:
                    owed = 0.0
                while owed >= 1:
                    owed -= 1
                    await self._one(producer, next(events))
                if now >= adopt and not self.paused:
                    adopt = now + _ADOPTS_SECONDS
                    await self._adopt(producer)

    async def hide(self) -> None:
        """Send what fits the topic only because it is compressed, until cancelled."""
        async with compressing(self.settings) as producer:
            while True:
                await asyncio.sleep(_HIDDEN_SECONDS)
                if self.paused:
                    continue
                bomb = self.chance.random() < _BOMBS
                key, value, headers = (HIDDEN[-1] if bomb else self.chance.choice(HIDDEN[:-1])).sent
                number = self.chance.randrange(self._partitions)
                await self._send(producer, number, key, value, headers, self._now)
                await producer.flush()
                self.counts["hidden"] += 1

    async def acknowledged(self) -> None:
        """Return when the broker has all that was sent."""
        while self._waiting:
            await asyncio.wait(set(self._waiting), timeout=60)

    async def go_live(self) -> None:
        """From now on the broker's clock rules."""
        self.paused = True
        await self.acknowledged()
        async with (
            client.admin(self.settings.kafka) as admin,
            client.producer(self.settings.kafka) as producer,
        ):
            for number in range(self._partitions):
                await self._control(producer, number, Kind.TICK, self._now)
            await self.acknowledged()
            await golive.go_live(admin, producer, self._topics, self._partitions, self._signer)
        self.live = True
        self.paused = False

    # -- how ---------------------------------------------------------------------------------------------

    async def _one(self, producer: AIOKafkaProducer, event: Event) -> None:
        chance = self.chance
        if self.live:
            at = int(time.time())
            happened = at - chance.randrange(60)
        else:
            at = happened = self.began_at + event.at
            if at > time.time() - _DAY:
                self.paused = True  # the past is over; somebody must go live
                return
            await self._tick(producer, at)
            if chance.random() < 0.02:  # late
                happened -= chance.randrange(3 * _DAY)
        self._now = at
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(happened))
        value = json.dumps(event.body | {"occurred_at": stamp}).encode()
        where = home(event.customer, self._partitions)
        if chance.random() < _MISROUTED:
            where = chance.randrange(self._partitions)
            self.counts["misrouted"] += 1
        again = 2 if chance.random() < _REPEATED else 1
        for _ in range(again):
            await self._send(producer, where, event.customer.encode(), value, (), at)
        self.counts["touchpoints"] += 1
        if chance.random() < _POISONED:
            _, poison, headers, _, _ = chance.choice(POISON)
            number = chance.randrange(self._partitions)
            await self._send(producer, number, b"poison", poison, headers, at)
            self.counts["poison"] += 1

    async def _tick(self, producer: AIOKafkaProducer, at: int) -> None:
        if self._day and at // _DAY > self._day:
            for number in range(self._partitions):
                await self._control(producer, number, Kind.TICK, at // _DAY * _DAY)
        self._day = at // _DAY

    async def _adopt(self, producer: AIOKafkaProducer) -> None:
        """Other rules from here on: a rebuild must decide with those that were in force at each place."""
        self.adopted += 1
        hours = 24 * (1 + self.adopted % 3)
        rules = [
            Rule(**(each.model_dump() | {"cooldown_hours": hours})) for each in self.settings.rules
        ]
        decisions = self.settings.decisions.model_copy(update={"rules": tuple(rules)})
        for number in range(self._partitions):
            await self._control(
                producer, number, Kind.ADOPT, 0, "settings", self.adopted, decisions.text
            )

    async def _control(
        self,
        producer: AIOKafkaProducer,
        number: int,
        kind: Kind,
        at: int,
        what: str = "",
        version: int = 0,
        body: str = "",
    ) -> None:
        value, headers = self._signer.control(number, kind, what, version, body)
        await self._send(producer, number, b"", value, headers, at)

    async def _send(
        self,
        producer: AIOKafkaProducer,
        number: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        at: int,
    ) -> None:
        sent = None
        while sent is None:
            try:
                sent = await producer.send(
                    self._topics.touchpoints,
                    value,
                    key,
                    partition=number,
                    headers=list(headers),
                    timestamp_ms=at * 1000,
                )
            except (KafkaError, BandshiftError) as error:
                self.counts[f"producer waited: {type(error).__name__}"] += 1
                await asyncio.sleep(0.2)
        self._waiting.add(sent)
        sent.add_done_callback(partial(self._done, number, crc32(value or b"")))

    def _done(self, number: int, checksum: int, sent: asyncio.Future[Any]) -> None:
        self._waiting.discard(sent)
        if sent.cancelled() or sent.exception() is not None:
            self.counts["not acknowledged"] += 1
        else:
            self.taken[number, sent.result().offset] = checksum

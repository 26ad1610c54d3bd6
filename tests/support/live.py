"""A namespace on real Kafka and Redis: its log, a worker of another process, and what came of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.home import home
from stream import app
from stream.broker import client
from stream.broker.memory import MemoryRecord
from stream.broker.topics import Topics
from stream.partition.control import IN_STEP, Kind
from stream.partition.ledger import Position, decode_ledger, totals
from stream.settings import Settings
from stream.store.digest import digest
from stream.store.redis import RedisStore
from tests.engines import environment
from tests.support.shop import Touch
from tests.support.world import TICK_SECONDS


@dataclass
class Space:
    """One namespace."""

    settings: Settings
    store: RedisStore
    spawned: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.namespace)

    @property
    def partitions(self) -> int:
        return self.settings.kafka.partitions

    async def produce(
        self, touches: Iterable[Touch], *, after: int = 0, last: bool = True, live: bool = False
    ) -> int:
        """Write a log: every touchpoint to its customer's home at its own time, with ticks.

        One at the beginning, one a day, one at the end.

        A log written in two parts (`last=False`, then `after` the last time of the first) is the same log.
        One that is `live` from its beginning waits for no learner. Returns the number of records.
        """
        signer = app.signer(self.settings, self.topics)
        written = 0
        async with client.producer(self.settings.kafka, linger_ms=20) as producer:
            sent: list[asyncio.Future[object]] = []

            async def tick(at: int) -> None:
                for partition in range(self.partitions):
                    value, headers = signer.control(partition, Kind.TICK)
                    sent.append(await self._send(producer, partition, b"", value, headers, at))

            if live or self.settings.learning.enabled:
                begin = (Kind.LIVE,) if live else (Kind.ADOPT, IN_STEP, 1)
                for partition in range(self.partitions):
                    value, headers = signer.control(partition, *begin)
                    sent.append(await self._send(producer, partition, b"", value, headers, 0))
                    written += 1
            day, at = after // TICK_SECONDS, after
            for at, customer, value in touches:
                if not day or at // TICK_SECONDS > day:
                    await tick(at // TICK_SECONDS * TICK_SECONDS if day else at)
                    written += self.partitions
                day = at // TICK_SECONDS
                where = home(customer, self.partitions)
                sent.append(await self._send(producer, where, customer.encode(), value, (), at))
                written += 1
            if last:
                await tick(at)
                written += self.partitions
            await asyncio.gather(*sent)
        return written

    async def _send(
        self,
        producer: AIOKafkaProducer,
        partition: int,
        key: bytes,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        at: int,
    ) -> asyncio.Future[object]:
        topic = self.topics.touchpoints
        sent: asyncio.Future[object] = await producer.send(
            topic, value, key, partition=partition, headers=list(headers), timestamp_ms=at * 1000
        )
        return sent

    async def send(self, customer: str, value: bytes, at: float) -> None:
        """One producer's touchpoint, at its own time."""
        where = home(customer, self.partitions)
        async with client.producer(self.settings.kafka) as producer:
            await (await self._send(producer, where, customer.encode(), value, (), int(at)))

    # -- what came of it -----------------------------------------------------------------------------------

    async def positions(self) -> list[Position | None]:
        """N of every partition."""
        return [each.position for each in await self.store.standings(range(self.partitions))]

    async def counts(self) -> dict[str, int]:
        """The counts of all partitions."""
        standings = await self.store.standings(range(self.partitions))
        return totals([decode_ledger(each.ledger) for each in standings])

    async def taken_in(self, records: int, *, within: float = 90) -> dict[str, int]:
        """Wait until that many records were taken in."""
        counts: dict[str, int] = {}
        try:
            async with asyncio.timeout(within):
                while (counts := await self.counts()).get("in", 0) < records:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            message = (
                f"only {counts.get('in', 0)} of {records} records were taken in within {within} s"
            )
            raise AssertionError(message) from None
        return counts

    async def read(self, kind: str) -> list[MemoryRecord]:
        """All records of one kind of topic."""
        topic = self.topics.name(kind)
        found = []
        consumer = AIOKafkaConsumer(**client.options(self.settings.kafka))
        await consumer.start()
        try:
            tps = [TopicPartition(topic, partition) for partition in range(self.partitions)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            for tp, begin in (await consumer.beginning_offsets(tps)).items():
                consumer.seek(tp, begin)
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [
                        MemoryRecord(
                            each.offset, each.timestamp, each.key, each.value, tuple(each.headers)
                        )
                        for each in records
                    ]
        finally:
            await consumer.stop()
        return found

    async def bodies(self, kind: str) -> list[dict[str, Any]]:
        """The data of the CloudEvents in one kind of topic."""
        return [json.loads(record.value or b"")["data"] for record in await self.read(kind)]

    async def digest(self) -> str:
        """One hash over all states."""
        return (await digest(self.store, range(self.partitions))).text

    # -- working -------------------------------------------------------------------------------------------

    def spawn(self, log: Path, *, program: str = "worker", **more: str) -> subprocess.Popen[bytes]:
        """A worker (or learner) as a process of its own; `more` are settings as environment variables."""
        with log.open("ab") as file:
            spawned = subprocess.Popen(
                [sys.executable, "-m", "stream.cli", program],
                env=environment(self.settings) | more,
                stdout=file,
                stderr=file,
            )
        self.spawned.append(spawned)
        return spawned

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[asyncio.Task[None]]:
        """A worker in this process, stopped at the end as a signal would stop it."""
        stop = asyncio.Event()
        task = asyncio.create_task(app.run(self.settings, stop))
        try:
            yield task
        finally:
            stop.set()
            await task


@asynccontextmanager
async def space(settings: Settings) -> AsyncIterator[Space]:
    """The namespace of these settings; programs that a failed test has left at work are ended."""
    store = app.store(settings, Topics(settings.namespace))
    found = Space(settings, store)
    try:
        yield found
    finally:
        for program in found.spawned:
            if program.poll() is None:
                program.kill()
                program.wait()
        await store.close()


def unique(records: Iterable[MemoryRecord]) -> dict[str, bytes]:
    """Id -> body, one each; fails where one id has two bodies."""
    found: dict[str, bytes] = {}
    for record in records:
        value = record.value or b""
        identity = json.loads(value)["id"]
        assert found.setdefault(identity, value) == value, f"{identity} has two bodies"
    return found

"""Delivery exactly once, on real Kafka and Redis: who reads what was committed sees no id a second time."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis

from schemas.home import home
from stream import app
from stream.agents.owner import Owner, Parts
from stream.broker import client
from stream.broker.deadletters import PREFIX
from stream.broker.memory import DEAD_LETTERS, MemoryLog, MemoryRecord
from stream.broker.reading import bounds, span
from stream.embedded.redis import EmbeddedRedis
from stream.partition.control import ORIGIN, Headers, Kind
from stream.partition.outputs import BAND_CHANGES, EXAMPLES, SCORES, TOUCHPOINTS, TRIGGERS
from stream.store.digest import digest
from stream.store.memory import MemoryStore
from tests.engines import MakeSettings
from tests.support.live import Space, space
from tests.support.world import touchpoint

EVENTS = 3_000
CUSTOMERS = 60
SECONDS = 60 * 86_400
"""Of the log's time: long enough for labels."""
OUTPUTS = (SCORES, BAND_CHANGES, TRIGGERS, EXAMPLES, DEAD_LETTERS)
STEP_RECORDS = 5


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    """A Redis of the test's own, to lose."""
    with EmbeddedRedis(tmp_path / "redis") as running:
        yield running


async def write(at: Space) -> int:
    """A live log with poison, repeated and misplaced touchpoints; the number of its records, without forwards."""
    chance, partitions, written = Random(5), at.partitions, 0
    begin = (
        int(time.time()) - SECONDS
    )  # the owners' own ticks say what time it is: no years of silence
    signer = app.signer(at.settings, at.topics)
    async with client.producer(at.settings.kafka, linger_ms=20) as producer:

        async def put(
            partition: int,
            key: bytes,
            value: bytes | None,
            headers: Headers,
            ms: int,
        ) -> None:
            nonlocal written
            written += 1
            await producer.send(
                at.topics.touchpoints,
                value,
                key,
                partition=partition,
                headers=list(headers),
                timestamp_ms=ms,
            )

        for partition in range(partitions):
            value, headers = signer.control(partition, Kind.LIVE)
            await put(partition, b"", value, headers, begin * 1000)
        for number in range(EVENTS):
            happened = begin + number * SECONDS // EVENTS
            customer = f"c{chance.randrange(CUSTOMERS)}"
            kind = chance.choice(("purchase", "sms", "email_open", "coupon_redeemed", "web_visit"))
            body = touchpoint(number, customer, kind, happened, value=chance.choice((1, 20, 300)))
            where = home(customer, partitions)
            if chance.random() < 0.05:
                where = chance.randrange(partitions)
            if chance.random() < 0.05:
                body = b"no touchpoint"
            for _ in range(2 if chance.random() < 0.03 else 1):
                await put(where, customer.encode(), body, (), happened * 1000)
        await producer.flush()
    return written


async def read(at: Space, kind: str) -> list[list[MemoryRecord]]:
    """What a reader of committed records finds, by partition."""
    found: list[list[MemoryRecord]] = [[] for _ in range(at.partitions)]
    async with client.reader(at.settings.kafka) as consumer:
        topic = at.topics.name(kind)
        spans = dict(enumerate(await bounds(consumer, topic, at.partitions)))
        async for number, records in span(consumer, topic, spans):
            found[number] += [
                MemoryRecord(each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
                for each in records
            ]
    return found


def identity(kind: str, record: MemoryRecord) -> str:
    """The id of an output; where a dead letter comes from, of whose id the topic's name is part."""
    if kind == DEAD_LETTERS:
        found = dict(record.headers)
        return f"{found[PREFIX + 'partition']!r} {found[PREFIX + 'offset']!r}"
    return str(json.loads(record.value or b"")["id"])


def ids(kind: str, records: Sequence[MemoryRecord]) -> Counter[str]:
    """How often each id occurs."""
    return Counter(identity(kind, record) for record in records)


async def undisturbed(at: Space) -> tuple[MemoryStore, dict[str, dict[str, bytes]]]:
    """What one owner at a time makes of the recorded log, at least once, with nothing going wrong."""
    store, outputs = MemoryStore(), {kind: dict[str, bytes]() for kind in OUTPUTS}
    pipelines = app.pipelines(at.settings, at.topics, at.partitions)
    for partition, records in enumerate(await read(at, TOUCHPOINTS)):
        log = MemoryLog(app.signer(at.settings, at.topics))
        log.topics[TOUCHPOINTS, partition] += records
        owner = Owner(partition, Parts(pipelines, store, log, lambda: 0))
        await owner.work(())
        await owner.work(records)
        while owner.busy:
            await owner.work(())
        await owner.acknowledged()
        for (kind, _), found in log.topics.items():
            if kind in outputs:
                outputs[kind] |= {identity(kind, each): each.value or b"" for each in found}
    return store, outputs


async def empty(redis: EmbeddedRedis) -> None:
    """Forget everything."""
    connected = Redis.from_url(redis.url)
    await connected.flushall()
    await connected.aclose()


@pytest.mark.timeout(150)
async def test_no_id_comes_twice_whatever_happens_to_workers_and_redis(
    live_settings: MakeSettings, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    """Kills, a paused owner that comes back, an emptied Redis: states and outputs as undisturbed, each id once."""
    settings = await live_settings(
        partitions=4, redis={"url": own_redis.url}, learning={"enabled": True}
    )
    more = {
        "BANDSHIFT_WORKER__DELIVERY": "exactly_once",
        "BANDSHIFT_WORKER__STEP_RECORDS": str(STEP_RECORDS),
    }
    async with space(settings) as at:
        total = await write(at)
        logs = [tmp_path / f"worker-{number}.log" for number in range(4)]
        workers = [at.spawn(logs[0], **more)]
        try:
            await at.taken_in(total // 10)
            workers[0].kill()
            workers.append(at.spawn(logs[1], **more))
            await at.taken_in(total * 3 // 10)
            workers[1].send_signal(signal.SIGSTOP)
            workers.append(at.spawn(logs[2], **more))
            await at.taken_in(total * 5 // 10)
            workers[1].send_signal(signal.SIGCONT)
            await at.taken_in(total * 6 // 10)
            await empty(own_redis)
            await asyncio.sleep(1)
            await at.taken_in(total * 8 // 10)
            workers[2].kill()
            await at.taken_in(total)
            await settled(at)
        finally:
            for worker in workers:
                worker.terminate()
            codes = [worker.wait(timeout=30) for worker in workers]
        told = "\n".join(each.read_text() for each in logs if each.exists())
        assert codes[1] == 0, told
        store, expected = await undisturbed(at)
        assert await at.digest() == (await digest(store, range(at.partitions))).text
        for kind in OUTPUTS:
            records = [record for each in await read(at, kind) for record in each]
            found = ids(kind, records)
            assert [each for each, times in found.items() if times > 1] == [], f"{kind}: {told}"
            assert {identity(kind, each): each.value for each in records} == expected[kind], kind
            assert found, f"{kind}: nothing to see"
        forwards = Counter(
            dict(record.headers)[ORIGIN]
            for each in await read(at, TOUCHPOINTS)
            for record in each
            if ORIGIN in dict(record.headers)
        )
        assert forwards
        assert set(forwards.values()) == {1}


async def settled(at: Space) -> None:
    """Wait until every partition stands at the end of its log: forwards and ticks come last."""
    async with asyncio.timeout(60), client.reader(at.settings.kafka) as consumer:
        while True:
            ends = await bounds(consumer, at.topics.touchpoints, at.partitions)
            standing = [each.offset if each else 0 for each in await at.positions()]
            if standing == [each.end for each in ends]:
                return
            await asyncio.sleep(0.2)

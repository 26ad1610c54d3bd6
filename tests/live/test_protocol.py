"""Former owners are refused, a lost store is rebuilt, and none of it shows in what is published."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from stream.embedded.redis import EmbeddedRedis
from stream.partition.outputs import BAND_CHANGES, SCORES
from tests.engines import MakeSettings
from tests.support.live import Space, space, unique
from tests.support.shop import touches
from tests.support.world import World

EVENTS = 6_000


async def expected(partitions: int, events: int) -> World:
    """The undisturbed run over the same log, in memory."""
    world = World(partitions=partitions)
    world.history(touches(events))
    await world.work()
    return world


async def same(at: Space, world: World) -> None:
    """States and outputs are those of the undisturbed run."""
    assert await at.digest() == await world.digest()
    assert await at.counts() == world.counts()
    for topic in (BAND_CHANGES, SCORES):
        assert unique(await at.read(topic)) == unique(world.outputs(topic)), topic


@pytest.mark.timeout(200)
async def test_a_paused_worker_is_refused_and_recovers(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """A worker stopped until its partitions have moved applies nothing afterwards, and works again by itself."""
    settings = await live_settings(partitions=8)
    world = await expected(8, EVENTS)
    async with space(settings) as at:
        half = await at.produce(touches(EVENTS)[: EVENTS // 2], last=False)
        logs = tmp_path / "paused.log", tmp_path / "other.log"
        paused = at.spawn(logs[0], BANDSHIFT_WORKER__STEP_RECORDS="5")
        await at.taken_in(200)
        paused.send_signal(signal.SIGSTOP)
        other = at.spawn(logs[1])
        try:
            await at.taken_in(half)
            paused.send_signal(signal.SIGCONT)
            await _both_hold_partitions(*logs)
            total = half + await at.produce(
                touches(EVENTS)[EVENTS // 2 :], after=touches(EVENTS)[EVENTS // 2 - 1].at
            )
            await at.taken_in(total)
            await same(at, world)
        finally:
            for process in (paused, other):
                process.terminate()
            assert [process.wait(timeout=30) for process in (paused, other)] == [0, 0]
        assert "taken over" in logs[0].read_text(), "the paused worker was refused"


async def _both_hold_partitions(*logs: Path) -> None:
    async with asyncio.timeout(60):
        while not all(_holds_half(log.read_text()) for log in logs):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.2)


def _holds_half(text: str) -> bool:
    held = [
        line.partition("partitions: ")[2] for line in text.splitlines() if "partitions: [" in line
    ]
    return bool(held) and held[-1].count(",") == 3


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    """A Redis of the test's own, to lose."""
    with EmbeddedRedis(tmp_path / "redis") as running:
        yield running


async def _empty(redis: EmbeddedRedis) -> None:
    client = Redis.from_url(redis.url)
    await client.flushall()
    await client.aclose()


@pytest.mark.timeout(200)
async def test_an_emptied_store_is_rebuilt_and_nothing_sent_twice(
    live_settings: MakeSettings, own_redis: EmbeddedRedis
) -> None:
    """Redis emptied under a running worker: it rebuilds from the log, repeats no output, and ends the same."""
    settings = await live_settings(redis={"url": own_redis.url})
    partitions = settings.kafka.partitions
    world = await expected(partitions, EVENTS)
    async with space(settings) as at:
        half = await at.produce(touches(EVENTS)[: EVENTS // 2], last=False)
        async with at.worker():
            await at.taken_in(half)
            await asyncio.sleep(0.3)
            await _empty(own_redis)
            total = half + await at.produce(
                touches(EVENTS)[EVENTS // 2 :], after=touches(EVENTS)[EVENTS // 2 - 1].at
            )
            await at.taken_in(total)
        await same(at, world)
        for topic in (BAND_CHANGES, SCORES):
            assert len(await at.read(topic)) == len(world.outputs(topic)), f"{topic} were repeated"


@pytest.mark.timeout(200)
async def test_a_store_emptied_in_the_middle_of_the_work_ends_the_same(
    live_settings: MakeSettings, own_redis: EmbeddedRedis
) -> None:
    """However often Redis is emptied while a worker is busy, states and outputs end as if it had not been."""
    settings = await live_settings(redis={"url": own_redis.url}, worker={"step_records": 20})
    world = await expected(settings.kafka.partitions, EVENTS)
    async with space(settings) as at:
        total = await at.produce(touches(EVENTS))
        async with at.worker():
            for part in (5, 3, 2):
                await at.taken_in(total // part)
                await _empty(own_redis)
            await at.taken_in(total)
        await same(at, world)

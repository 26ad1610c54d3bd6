"""What a customer costs in Redis: everything that is there after 50 touchpoints each in 90 days."""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio import Redis

from benchmarks.bench import Bench
from benchmarks.contestants import OURS
from benchmarks.ground import PARTITIONS, TICK_MS, create, environment, rows, ticks, write
from benchmarks.log import Recipe, touches
from benchmarks.program import running
from benchmarks.race import wait
from benchmarks.silence import taken_in
from stream.broker import client
from stream.broker.topics import Topics
from stream.embedded.redis import EmbeddedRedis
from stream.partition.control import Signer
from stream.settings import Settings
from stream.store.connect import connect

EACH: Final = 50


async def measure(bench: Bench) -> dict[str, Any]:
    """Bytes of `used_memory` per customer, before against after, in a Redis that holds nothing else."""
    customers = 500 if bench.quick else bench.customers
    bench.tell(f"memory: {customers:,} customers with {EACH} touchpoints each")
    with EmbeddedRedis(bench.directory / "memory") as redis:
        settings = bench.settings("memory", redis={"url": redis.url})
        before = await _used(redis.url)
        await _fill(bench, settings, Recipe(customers=customers, each=EACH, seed=bench.seed))
        after = await _used(redis.url)
        sizes = await _state_sizes(settings)
    return {
        "redis_bytes_per_customer": (after - before) / len(sizes),
        "state_bytes_mean": sum(sizes) / len(sizes),
        "customers": len(sizes),
        "touchpoints_each": EACH,
    }


async def _fill(bench: Bench, settings: Settings, recipe: Recipe) -> None:
    """Let a worker take in the log, then one tick everywhere: so the store is at rest, its outboxes empty."""
    log = touches(recipe)
    await create(settings, [OURS.space(settings.namespace)])
    records = await write(settings, rows(settings, log))
    signer = Signer(settings.control_key(), Topics(settings.namespace).touchpoints)
    store = connect(settings)
    told = environment(settings, **OURS.environment(settings.namespace))
    output = bench.directory / f"{settings.namespace}.log"
    try:
        async with (
            client.reader(settings.kafka) as consumer,
            running(OURS.command, told, bench.cores, output) as program,
        ):
            await wait(bench, program, consumer, taken_in(store, records))
            records += await write(settings, ticks(signer, log[-1].at + TICK_MS))
            await wait(bench, program, consumer, taken_in(store, records))
    finally:
        await store.close()


async def _used(url: str) -> int:
    async with Redis.from_url(url) as redis:
        found: dict[str, Any] = await redis.info("memory")
        return int(found["used_memory"])


async def _state_sizes(settings: Settings) -> list[int]:
    store = connect(settings)
    try:
        return [
            len(state)
            for partition in range(PARTITIONS)
            async for part in store.customers(partition)
            for _, state in part
        ]
    finally:
        await store.close()

"""What a customer costs in Redis: everything that is there after 50 touchpoints each in 90 days.

Once with nothing learned, and once with a learner at work, whose examples wait there for their labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis

from benchmarks.bench import Bench
from benchmarks.contestants import OURS, OURS_WITH_SILENCE, Contestant
from benchmarks.ground import PARTITIONS, TICK_MS, create, environment, rows, ticks, write
from benchmarks.log import Recipe, touches
from benchmarks.program import running
from benchmarks.race import wait
from benchmarks.silence import taken_in
from stream.broker import client
from stream.broker.topics import Topics
from stream.embedded.redis import EmbeddedRedis
from stream.features.codec import decode
from stream.features.layout import Layout
from stream.features.pending import pack
from stream.partition.control import Signer
from stream.settings import Settings
from stream.store.connect import connect

EACH: Final = 50


async def measure(bench: Bench) -> dict[str, Any]:
    """Bytes of `used_memory` per customer, before against after, in a Redis that holds nothing else."""
    customers = 500 if bench.quick else bench.customers
    recipe = Recipe(customers=customers, each=EACH, seed=bench.seed)
    bench.tell(f"memory: {customers:,} customers with {EACH} touchpoints each")
    plain = await _measure(bench, recipe, learns=False)
    bench.tell(f"memory: {customers:,} customers with {EACH} touchpoints each, examples pending")
    learning = await _measure(bench, recipe, learns=True)
    return {
        "redis_bytes_per_customer": plain.pop("redis_bytes"),
        "redis_bytes_per_customer_learning": learning.pop("redis_bytes"),
        "plain": plain,
        "learning": learning,
        "customers": customers,
        "touchpoints_each": EACH,
    }


async def _measure(bench: Bench, recipe: Recipe, *, learns: bool) -> dict[str, float]:
    contestant = OURS_WITH_SILENCE if learns else OURS
    with EmbeddedRedis(bench.directory / f"memory-{learns}") as redis:
        # A lag beyond the log: nobody waits for models, examples open and wait as ever.
        learning = {"enabled": learns, "lag_hours": 24 * 28, "history_hours": 24 * 28}
        settings = bench.settings("memory", redis={"url": redis.url}, learning=learning)
        before = await _used(redis.url)
        await _fill(bench, settings, contestant, recipe)
        after = await _used(redis.url)
        states = await _states(settings)
    found = {
        "redis_bytes": (after - before) / len(states),
        "state_bytes_mean": sum(map(len, states)) / len(states),
    }
    return found | _examples(states, settings)


def _examples(states: Sequence[bytes], settings: Settings) -> dict[str, float]:
    """Of a customer on the mean: how many examples wait, and the bytes of them that are part of the state."""
    layout, outcomes = Layout(settings.registry), len(settings.outcomes)
    waiting = [
        state.examples() for state in decode([("", each) for each in states], layout, outcomes)
    ]
    vectors = sum(len(each.vector) for pending in waiting for each in pending)
    return {
        "examples_mean": sum(map(len, waiting)) / len(states),
        "examples_bytes_mean": sum(len(pack(pending)) for pending in waiting) / len(states),
        "vectors_bytes_mean": vectors / len(states),
    }


async def _fill(bench: Bench, settings: Settings, contestant: Contestant, recipe: Recipe) -> None:
    """Let a worker take in the log, then ticks everywhere: so the store is at rest, its outboxes empty."""
    log = touches(recipe)
    await create(settings, [contestant.space(settings.namespace)])
    records = await write(settings, rows(settings, log))
    signer = Signer(settings.control_key(), Topics(settings.namespace).touchpoints)
    store = connect(settings)
    told = environment(settings, **contestant.environment(settings.namespace))
    output = bench.directory / f"{settings.namespace}.log"
    try:
        async with (
            client.reader(settings.kafka) as consumer,
            running(contestant.command, told, bench.cores, output) as program,
        ):
            await wait(bench, program, consumer, taken_in(store, records))
            for _ in range(2):  # the first one's silence has outputs of its own
                records += await write(settings, ticks(signer, log[-1].at + TICK_MS))
                await wait(bench, program, consumer, taken_in(store, records))
    finally:
        await store.close()


async def _used(url: str) -> int:
    async with Redis.from_url(url) as redis:
        found: dict[str, Any] = await redis.info("memory")
        return int(found["used_memory"])


async def _states(settings: Settings) -> list[bytes]:
    store = connect(settings)
    try:
        return [
            state
            for partition in range(PARTITIONS)
            async for part in store.customers(partition)
            for _, state in part
        ]
    finally:
        await store.close()

"""How long after a touchpoint was sent its band change can be read, at a steady 500 touchpoints a second.

A deployment that has gone live: a few days of history first, then the broker's clock, triggers and silence.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.contestants import OURS_WITH_SILENCE, Contestant
from benchmarks.ground import PARTITIONS, create, environment, rows, write
from benchmarks.load import Load
from benchmarks.log import DAY, Recipe, touches
from benchmarks.program import Program, running
from benchmarks.race import wait
from benchmarks.silence import taken_in
from stream.broker import client, golive
from stream.broker.topics import Topics
from stream.partition.control import Signer
from stream.settings import Settings
from stream.store.connect import connect

RATE: Final = 500
_HISTORY_DAYS: Final = 3


async def measure(bench: Bench, contestant: Contestant = OURS_WITH_SILENCE) -> dict[str, Any]:
    """Percentiles in milliseconds, and the worker's share of its core meanwhile."""
    bench.tell("latency: history, then live")
    settings = bench.settings("latency")
    await create(settings, [contestant.space(settings.namespace)])
    history = touches(
        Recipe(
            events=2_000 if bench.quick else 8_000,
            customers=bench.customers,
            days=_HISTORY_DAYS,
            start=int(time.time()) - _HISTORY_DAYS * DAY,
            seed=bench.seed,
        )
    )
    records = await write(settings, rows(settings, history))
    told = environment(settings, **contestant.environment(settings.namespace))
    output = bench.directory / f"{settings.namespace}.log"
    async with running(contestant.command, told, bench.cores, output) as program:
        await go_live(bench, settings, program, records)
        return await _under_load(bench, settings, program)


async def go_live(bench: Bench, settings: Settings, program: Program, records: int) -> None:
    """Wait until a worker has taken in its history of so many records, and take the namespace live."""
    topics = Topics(settings.namespace)
    signer = Signer(settings.control_key(), topics.touchpoints)
    store = connect(settings)
    try:
        async with (
            client.reader(settings.kafka) as consumer,
            client.admin(settings.kafka) as admin,
            client.producer(settings.kafka) as producer,
        ):
            await wait(bench, program, consumer, taken_in(store, records))
            await golive.go_live(admin, producer, topics, PARTITIONS, signer)
            await wait(bench, program, consumer, taken_in(store, records + 2 * PARTITIONS))
    finally:
        await store.close()


async def _under_load(bench: Bench, settings: Settings, program: Program) -> dict[str, Any]:
    warm, long = (1, 4) if bench.quick else (20, 20)
    load = Load(settings, bench.customers, RATE, seed=bench.seed + 1)
    async with load.connected():
        bench.tell(f"latency: {RATE} touchpoints a second, {warm} s to warm up")
        await load.run(warm)
        bench.tell(f"latency: {RATE} touchpoints a second, {long} s measured")
        begin = program.sample()
        seen = await load.run(long)
        end = program.sample()
    return {
        "latency_ms": percentiles(seen.changes),
        "latency_ms_scores": percentiles(seen.scores),
        "latency_core_share": (end.cpu - begin.cpu) / (end.at - begin.at),
        "touchpoints": len(seen.scores),
        "touchpoints_per_second": RATE,
        "band_changes": len(seen.changes),
        "sent_late_ms": percentiles(seen.late),
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the most, in milliseconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    found = {name: ordered[round(last * share)] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {name: at * 1000 for name, at in (found | {"max": ordered[-1]}).items()}

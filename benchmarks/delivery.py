"""Both deliveries side by side: throughput over the same log in turns, and latency at a steady rate.

By what readers of committed records see: a record counts once the transaction that holds it is committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Any, Final

from benchmarks import latency
from benchmarks.bench import Bench
from benchmarks.contestants import OURS, OURS_WITH_SILENCE, Contestant
from benchmarks.ground import create, environment, rows, write
from benchmarks.log import Recipe, touches
from benchmarks.program import running
from benchmarks.race import wait
from benchmarks.silence import counts, taken_in
from stream.broker import client
from stream.settings import Settings
from stream.store.connect import connect
from stream.store.redis import RedisStore

DELIVERIES: Final = ("at_least_once", "exactly_once")
_LOOK_SECONDS: Final = 0.02


async def measure(bench: Bench) -> dict[str, Any]:
    """Medians of both; `ratio_exactly_once` is the median of the rounds' ratios of throughput."""
    rates: dict[str, list[float]] = {each: [] for each in DELIVERIES}
    log = touches(Recipe(events=bench.events, customers=bench.customers, seed=bench.seed))
    for number in range(bench.runs):
        for delivery in DELIVERIES:
            bench.tell(f"delivery, round {number + 1} of {bench.runs}: {delivery}")
            settings = bench.settings("delivery")
            await create(settings, [OURS.space(settings.namespace)])
            records = await write(settings, rows(settings, log))
            rates[delivery].append(await _rate(bench, settings, delivery, records))
    found: dict[str, Any] = {}
    for delivery in DELIVERIES:
        seen = await latency.measure(bench, _as(OURS_WITH_SILENCE, delivery))
        found[delivery] = {
            "touchpoints_per_second": median(rates[delivery]),
            "runs": rates[delivery],
        } | {name: seen[name] for name in ("latency_ms", "latency_ms_scores", "latency_core_share")}
    ratios = [
        once / least for least, once in zip(*(rates[each] for each in DELIVERIES), strict=True)
    ]
    return {
        "ratio_exactly_once": median(ratios),
        "latency_ms_exactly_once": found["exactly_once"]["latency_ms"],
        **found,
    }


def _as(contestant: Contestant, delivery: str) -> Contestant:
    variables = contestant.variables | {"BANDSHIFT_WORKER__DELIVERY": delivery}
    return replace(contestant, variables=variables)


async def _rate(bench: Bench, settings: Settings, delivery: str, records: int) -> float:
    """Records a second, from the first tenth that is taken in to the end."""
    contestant = _as(OURS, delivery)
    told: Mapping[str, str] = environment(settings, **contestant.environment(settings.namespace))
    output = bench.directory / f"{settings.namespace}.log"
    store = connect(settings)
    try:
        async with (
            client.reader(settings.kafka) as consumer,
            running(contestant.command, told, bench.cores, output) as program,
        ):
            first, began = await _reached(store, records // 10)
            await wait(bench, program, consumer, taken_in(store, records))
            return (records - first) / (time.perf_counter() - began)
    finally:
        await store.close()


async def _reached(store: RedisStore, records: int) -> tuple[int, float]:
    """How many records were taken in when it were so many or more, and when that was."""
    async with asyncio.timeout(60):
        while True:
            done = (await counts(store)).get("in", 0)
            if done >= records:
                return done, time.perf_counter()
            await asyncio.sleep(_LOOK_SECONDS)

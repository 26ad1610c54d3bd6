"""What time passing costs: the same log with silence off and on, the difference over its scorings."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

from aiokafka import AIOKafkaConsumer

from benchmarks.bench import Bench
from benchmarks.contestants import OURS, OURS_WITH_SILENCE
from benchmarks.ground import PARTITIONS, create, rows, write
from benchmarks.log import Recipe, touches
from benchmarks.race import Far, Run, race
from stream.partition.ledger import decode_ledger, totals
from stream.store.connect import connect
from stream.store.redis import RedisStore


async def measure(bench: Bench) -> dict[str, Any]:
    """Pairs of runs; the median of what one silence scoring adds, in CPU microseconds."""
    recipe = Recipe(events=bench.events, customers=bench.customers, seed=bench.seed)
    log = touches(recipe)
    pairs: list[tuple[Run, Run]] = []
    scorings = 0
    for number in range(bench.runs):
        found = []
        for contestant in (OURS, OURS_WITH_SILENCE):
            bench.tell(f"silence, pair {number + 1} of {bench.runs}: {contestant.title}")
            settings = bench.settings("silence")
            await create(settings, [contestant.space(settings.namespace)])
            records = await write(settings, rows(settings, log))
            store = connect(settings)
            try:
                done = taken_in(store, records)
                found.append(await race(bench, contestant, settings, len(log), done))
                scorings = (await counts(store)).get("silence_scorings", 0)
            finally:
                await store.close()
        pairs.append((found[0], found[1]))
    added = [(silent.cpu_seconds - off.cpu_seconds) / scorings * 1e6 for off, silent in pairs]
    return {
        "cpu_us_per_silence": median(added),
        "silence_scorings": scorings,
        "silence_scorings_per_event": scorings / len(log),
        "runs": [[asdict(run) for run in pair] for pair in pairs],
    }


async def counts(store: RedisStore) -> dict[str, int]:
    """What the worker has counted in all partitions."""
    standings = await store.standings(range(PARTITIONS))
    return totals([decode_ledger(each.ledger) for each in standings])


def taken_in(store: RedisStore, records: int) -> Far:
    """Done when the worker has taken in that many records, ticks included."""

    async def look(_: AIOKafkaConsumer) -> tuple[int, int]:
        return (await counts(store)).get("in", 0), records

    return look

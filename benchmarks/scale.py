"""What an event costs among 100,000 customers, beside what it costs among 5,000.

Both logs are scattered: the next touchpoint is nearly always another customer's, and with 100,000 of them
most states are new. All of them appear, so that 100,000 stand in the store at the end.
"""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.contestants import OURS
from benchmarks.ground import create, rows, write
from benchmarks.log import Recipe, touches
from benchmarks.race import Run, race

_MANY: Final = 20
"""Times as many customers."""


async def measure(bench: Bench) -> dict[str, Any]:
    """Pairs of runs; the median of their ratios."""
    few = bench.customers
    events = bench.events * 2
    logs = [
        touches(Recipe(events=events, customers=customers, scattered=True, seed=bench.seed))
        for customers in (few, few * _MANY)
    ]
    pairs: list[tuple[Run, Run]] = []
    for number in range(bench.runs):
        found = []
        for log, customers in zip(logs, (few, few * _MANY), strict=True):
            bench.tell(f"scale, pair {number + 1} of {bench.runs}: {customers:,} customers")
            settings = bench.settings("scale")
            await create(settings, [OURS.space(settings.namespace)])
            await write(settings, rows(settings, log))
            found.append(await race(bench, OURS, settings, len(log)))
        pairs.append((found[0], found[1]))
    return {
        "ratio_100k_customers": median(many.cpu_us / few.cpu_us for few, many in pairs),
        "ratio_100k_customers_wall": median(many.wall_us / few.wall_us for few, many in pairs),
        "customers": [len({touch.customer for touch in log}) for log in logs],
        "events": events,
        "runs": [[asdict(run) for run in pair] for pair in pairs],
    }

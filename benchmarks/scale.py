"""What an event costs among 100,000 customers, beside what it costs among 5,000.

First everybody does one thing, unmeasured: so that many states stand in the store, and nobody is new. Then
come the parts that are measured, as long for few as for many, in turns; the next touchpoint is nearly always
another customer's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

from benchmarks.bench import Bench
from benchmarks.contestants import OURS
from benchmarks.ground import PARTITIONS, create, environment, rows, write
from benchmarks.log import DAY, START, Recipe, Touch, touches
from benchmarks.program import Program, running
from benchmarks.race import all_scored, wait
from stream.broker import client
from stream.broker.reading import bounds
from stream.broker.topics import Topics
from stream.settings import Settings

_MANY: Final = 20
"""Times as many customers."""
_FIRST_DAYS: Final = 10
_DAYS: Final = 90


@dataclass
class _Crowd:
    """A worker among so many customers, and what its touchpoints have cost."""

    customers: int
    settings: Settings
    program: Program
    consumer: AIOKafkaConsumer
    scored: int = 0
    cpu_us: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    """Band changes per touchpoint."""

    async def take(self, bench: Bench, log: list[Touch]) -> None:
        """Let the worker take in a part of the log, and note what it cost."""
        topics = Topics(self.settings.namespace)
        changed, before = await self._end(topics.band_changes), self.program.sample()
        await write(self.settings, rows(self.settings, log))
        self.scored += len(log)
        await wait(bench, self.program, self.consumer, all_scored(topics.scores, self.scored))
        cpu = self.program.sample().cpu - before.cpu
        self.cpu_us.append(cpu / len(log) * 1e6)
        self.changes.append((await self._end(topics.band_changes) - changed) / len(log))

    async def _end(self, topic: str) -> int:
        return sum(each.end for each in await bounds(self.consumer, topic, PARTITIONS))


async def measure(bench: Bench) -> dict[str, Any]:
    """The median of the ratios of CPU time, part by part."""
    few_customers = bench.customers // 10 if bench.quick else bench.customers
    sizes = few_customers, few_customers * _MANY
    async with AsyncExitStack() as stack:
        few, many = [await stack.enter_async_context(_crowd(bench, size)) for size in sizes]
        parts = [_parts(bench, size) for size in sizes]
        for number, (part_of_few, part_of_many) in enumerate(zip(*parts, strict=True)):
            bench.tell(f"scale, pair {number + 1} of {bench.runs}")
            await few.take(bench, part_of_few)
            await many.take(bench, part_of_many)
    pairs = list(zip(few.cpu_us, many.cpu_us, strict=True))[1:]
    return {
        "ratio_100k_customers": median(more / less for less, more in pairs),
        "crowds": [
            {
                "customers": each.customers,
                "cpu_us": each.cpu_us[1:],
                "band_changes_per_event": each.changes[1:],
                "peak_mb": each.program.peak_bytes / 2**20,
            }
            for each in (few, many)
        ],
        "events_each_time": bench.events // 2,
    }


@asynccontextmanager
async def _crowd(bench: Bench, customers: int) -> AsyncIterator[_Crowd]:
    """A worker that has met all of its customers once."""
    bench.tell(f"scale: {customers:,} customers come in")
    settings = bench.settings("scale")
    await create(settings, [OURS.space(settings.namespace)])
    told = environment(settings, **OURS.environment(settings.namespace))
    log = bench.directory / f"{settings.namespace}.log"
    async with (
        client.reader(settings.kafka) as consumer,
        running(OURS.command, told, bench.cores, log) as program,
    ):
        crowd = _Crowd(customers, settings, program, consumer)
        first = Recipe(
            events=customers, customers=customers, days=_FIRST_DAYS, scattered=True, seed=bench.seed
        )
        await crowd.take(bench, touches(first))
        yield crowd


def _parts(bench: Bench, customers: int) -> list[list[Touch]]:
    """What is measured: parts of a log that follow one another in time."""
    recipe = Recipe(
        events=bench.events // 2 * bench.runs,
        customers=customers,
        days=_DAYS - _FIRST_DAYS,
        start=START + _FIRST_DAYS * DAY,
        scattered=True,
        everybody=False,
        seed=bench.seed + 1,
    )
    log = touches(recipe)
    size = len(log) // bench.runs
    return [log[begin : begin + size] for begin in range(0, size * bench.runs, size)]

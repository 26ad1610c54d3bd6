"""One contestant over one log, timed from outside in the same way for everybody.

The broker stamps every score as it is appended. From the first stamp to the last one, a contestant's wall
time and CPU time are divided by the touchpoints scored between; so its start, and nothing else, is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.bench import Bench
from benchmarks.contestants import Contestant
from benchmarks.ground import PARTITIONS, environment
from benchmarks.program import ContestantError, Program, running
from stream.broker import client
from stream.broker.reading import Bounds, bounds, span
from stream.settings import Settings

_LOOK_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 60

Far = Callable[[AIOKafkaConsumer], Awaitable[tuple[int, int]]]
"""How far a contestant is, and how far it has to go."""


@dataclass(frozen=True)
class Run:
    """What one run took, per touchpoint in microseconds."""

    contestant: str
    touchpoints: int
    seconds: float
    cpu_seconds: float
    wall_us: float
    cpu_us: float
    peak_mb: float


class Window(NamedTuple):
    """First and last stamp (seconds since 1970), and how many scores the first one does not cover."""

    begin: float
    end: float
    scores: int


async def race(
    bench: Bench,
    contestant: Contestant,
    settings: Settings,
    touchpoints: int,
    far: Far | None = None,
) -> Run:
    """Let a contestant work through the log of a namespace; `far` where scores do not tell the end."""
    scores = contestant.space(settings.namespace).scores
    # What a framework keeps on disk goes where it is cleared away afterwards.
    told = contestant.environment(settings.namespace) | {"TMPDIR": str(bench.directory)}
    log = bench.directory / f"{settings.namespace}-{contestant.name}.log"
    async with (
        client.reader(settings.kafka) as consumer,
        running(contestant.command, environment(settings, **told), bench.cores, log) as program,
    ):
        await wait(bench, program, consumer, far or all_scored(scores, touchpoints))
        ended = time.time()
        program.sample()
        window = await _window(consumer, scores)
        if far is not None:  # it goes on after its last score
            window = window._replace(end=ended, scores=touchpoints)
        return _run(contestant, program, window)


def all_scored(topic: str, touchpoints: int) -> Far:
    """Done when so many scores were published."""

    async def look(consumer: AIOKafkaConsumer) -> tuple[int, int]:
        found = await bounds(consumer, topic, PARTITIONS)
        return sum(each.end - each.begin for each in found), touchpoints

    return look


async def wait(bench: Bench, program: Program, consumer: AIOKafkaConsumer, far: Far) -> None:
    """Until it is done; ContestantError where it ends before, or does not move."""
    best, moved = -1, time.monotonic()
    while True:
        done, total = await far(consumer)
        if done >= total:
            return
        program.check()
        bench.far(done, total)
        if done != best:
            best, moved = done, time.monotonic()
        elif time.monotonic() - moved > _PATIENCE_SECONDS:
            raise ContestantError(
                f"a contestant has not moved for {_PATIENCE_SECONDS} seconds", program.tail()
            )
        await asyncio.sleep(_LOOK_SECONDS)


async def _window(consumer: AIOKafkaConsumer, topic: str) -> Window:
    found = {
        number: each
        for number, each in enumerate(await bounds(consumer, topic, PARTITIONS))
        if each.begin < each.end
    }
    firsts = await _stamps(consumer, topic, {n: Bounds(b, b + 1) for n, (b, _) in found.items()})
    lasts = await _stamps(consumer, topic, {n: Bounds(e - 1, e) for n, (_, e) in found.items()})
    first = min(firsts)
    later = await consumer.offsets_for_times(
        {TopicPartition(topic, number): first + 1 for number in found}
    )
    after = sum(
        found[tp.partition].end - place.offset for tp, place in later.items() if place is not None
    )
    return Window(first / 1000, max(lasts) / 1000, after)


async def _stamps(consumer: AIOKafkaConsumer, topic: str, spans: dict[int, Bounds]) -> list[int]:
    """The broker's stamps of the records in these spans."""
    return [
        record.timestamp async for _, records in span(consumer, topic, spans) for record in records
    ]


def _run(contestant: Contestant, program: Program, window: Window) -> Run:
    seconds = window.end - window.begin
    cpu = program.cpu_at(window.end) - program.cpu_at(window.begin)
    return Run(
        contestant=contestant.name,
        touchpoints=window.scores,
        seconds=seconds,
        cpu_seconds=cpu,
        wall_us=seconds / window.scores * 1e6,
        cpu_us=cpu / window.scores * 1e6,
        peak_mb=program.peak_bytes / 2**20,
    )

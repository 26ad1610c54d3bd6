"""Does a worker's memory stay within bounds while more comes in than a slow Redis takes?

Every answer of Redis is held back on its way. Touchpoints are written ahead of the worker all the time, so it
never has nothing to do. Its memory is looked at once a second; the first third warms it up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer

from benchmarks.bench import Bench
from benchmarks.contestants import OURS
from benchmarks.ground import PARTITIONS, create, environment, rows, write
from benchmarks.log import DAY, START, Recipe, touches
from benchmarks.program import Program, running
from stream.broker import client
from stream.broker.reading import bounds
from stream.broker.topics import Topics
from stream.settings import Settings

_DELAY_SECONDS: Final = 0.05
_AHEAD: Final = 60_000
"""So many touchpoints wait at least, whenever more are written."""
_CHUNK: Final = 60_000
_MB: Final = 1 << 20


async def measure(bench: Bench) -> dict[str, Any]:
    """Megabytes after a third of the time and at the end, and how much was taken in meanwhile."""
    seconds = 20 if bench.quick else bench.flood_minutes * 60
    bench.tell(f"flood: {seconds} s at full speed, Redis {_DELAY_SECONDS * 1000:.0f} ms late")
    settings = bench.settings("flood")
    await create(settings, [OURS.space(settings.namespace)])
    async with _slow(settings.redis.url.get_secret_value()) as url:
        told = environment(settings, **OURS.environment(settings.namespace)) | {
            "BANDSHIFT_REDIS__URL": url
        }
        output = bench.directory / f"{settings.namespace}.log"
        async with (
            client.reader(settings.kafka) as consumer,
            running(OURS.command, told, bench.cores, output) as program,
        ):
            scored = await _flood(bench, settings, program, consumer, seconds)
    return _figures(program, scored, seconds)


async def _flood(
    bench: Bench, settings: Settings, program: Program, consumer: AIOKafkaConsumer, seconds: int
) -> int:
    # A day each: times that lie ahead of the broker's clock are refused.
    recipe = Recipe(events=_CHUNK, customers=bench.customers, days=1, start=START, seed=bench.seed)
    written = scored = 0
    begin = time.monotonic()
    while (gone := time.monotonic() - begin) < seconds:
        if written - scored < _AHEAD:
            await write(settings, rows(settings, await asyncio.to_thread(touches, recipe)))
            written += _CHUNK
            recipe = replace(recipe, start=recipe.start + 2 * DAY, seed=recipe.seed + 1)
        found = await bounds(consumer, Topics(settings.namespace).scores, PARTITIONS)
        scored = sum(each.end - each.begin for each in found)
        bench.far(int(gone), seconds)
        program.check()
        await asyncio.sleep(1)
    return scored


def _figures(program: Program, scored: int, seconds: int) -> dict[str, Any]:
    """Medians over a twelfth of the time: a single look may fall before or after a collection."""
    samples = program.samples
    last = samples[-1].at

    def around(share: float) -> float:
        middle = last - seconds * (1 - share)
        near = [each.memory for each in samples if abs(each.at - middle) <= seconds / 24]
        return median(near) / _MB

    early, late = around(1 / 3), around(1 - 1 / 24)
    return {
        "flood_growth": late / early,
        "flood_mb": {"after_a_third": early, "at_the_end": late},
        "peak_mb": program.peak_bytes / _MB,
        "seconds": seconds,
        "redis_late_ms": _DELAY_SECONDS * 1000,
        "scores_per_second": scored / seconds,
    }


@asynccontextmanager
async def _slow(url: str) -> AsyncIterator[str]:
    """A way to Redis on which every answer is late; its URL."""
    parts = urlsplit(url)
    port = parts.port or 6379
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(parts.hostname, port)
        for source, target, late in ((reader, back, 0.0), (there, writer, _DELAY_SECONDS)):
            tasks.add(asyncio.create_task(_pass_on(source, target, late)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()[1]
    try:
        yield url.replace(f":{port}", f":{address}")
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, late: float) -> None:
    with suppress(ConnectionError):
        while data := await source.read(1 << 16):
            await asyncio.sleep(late)
            target.write(data)
            await target.drain()
    target.close()

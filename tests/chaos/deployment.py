"""A deployment at work, with events flowing: what a run breaks."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from stream.broker import client, setup
from stream.broker.topics import Topics
from stream.errors import BandshiftError
from stream.settings import Settings
from tests.chaos import schedule
from tests.chaos.faults import Scene
from tests.chaos.fleet import Fleet
from tests.chaos.flow import Flow, days_a_second
from tests.chaos.ground import Ground
from tests.chaos.options import Options
from tests.chaos.watch import LogEnds, Watch, ended
from tests.engines import environment

_START_SECONDS: Final = 90.0
_DAY: Final = 86_400
_FAULT_SECONDS: Final = 14.0
"""About how long a fault takes, until all goes on."""

Say = Callable[[str], None]


@dataclass
class Deployment:
    """All of its parts."""

    settings: Settings
    ground: Ground
    scene: Scene
    flow: Flow
    ends: LogEnds


@asynccontextmanager
async def prepared(options: Options, say: Say) -> AsyncIterator[Deployment]:
    """A deployment at work, with events flowing."""
    directory = (options.directory / f"seed-{options.seed}").absolute()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    ground = Ground(directory)
    say("starting Kafka and Redis")
    await asyncio.to_thread(ground.start)
    settings = ground.settings(options)
    given = environment(settings) | options.environment()
    given |= {"BANDSHIFT_API__PORT": "0", "BANDSHIFT_API__VIEW": str(directory / "view.sqlite3")}
    fleet = Fleet(
        {name: text for name, text in given.items() if name.startswith("BANDSHIFT")}, directory
    )
    tasks: list[asyncio.Task[None]] = []
    try:
        topics = Topics(settings.namespace)
        async with client.admin(settings.kafka) as admin:
            await setup.create(admin, topics, options.partitions, 1)
        async with client.reader(settings.kafka) as reader:
            watch = Watch(settings)
            session = options.session_seconds or settings.worker.session_seconds
            chance = random.Random(options.seed)
            ends = LogEnds(reader, settings)
            scene = Scene(
                options, chance, ground, fleet, watch, ends, session, settings.kafka.timeout_seconds
            )
            flow = Flow(settings, options.rate, random.Random(options.seed + 1), _begin(options))
            made = Deployment(settings, ground, scene, flow, ends)
            for name in [f"worker-{n + 1}" for n in range(options.workers)]:
                fleet.start(name)
            fleet.start("learner", "learner")
            fleet.start("api", "api")
            works = (ground.copy(), fleet.supervise(), watch.run(), flow.run(), flow.hide())
            tasks += [asyncio.create_task(work) for work in works]
            tasks.append(asyncio.create_task(_alive(tasks, asyncio.current_task())))
            await _at_work(watch)
            yield made
    finally:
        fleet.drop()
        ground.stop()
        await ended(tasks)


async def _alive(tasks: list[asyncio.Task[None]], whole: asyncio.Task[Any] | None) -> None:
    """End the run where a part of the harness itself has failed."""
    done, _ = await asyncio.wait(tasks[:5], return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        if task.exception() is not None:
            logging.getLogger("chaos").critical("the harness failed", exc_info=task.exception())
            if whole is not None:
                whole.cancel()


async def _at_work(watch: Watch) -> None:
    began = time.monotonic()
    while watch.progressed(began) is None:
        if time.monotonic() > began + _START_SECONDS:
            message = f"nothing was taken in within {_START_SECONDS:.0f} s"
            raise BandshiftError(message)
        await asyncio.sleep(0.1)


def _begin(options: Options) -> int:
    """When the history begins, so that it ends about now when the log goes live."""
    expected = options.minutes * 60 / 2
    if options.counted:
        expected = _FAULT_SECONDS * len(schedule.listed(options, random.Random(options.seed))) / 2
    days = days_a_second(options.rate) * (expected * 1.3 + 30)
    return int(time.time() - days * _DAY) // _DAY * _DAY

"""One demo deployment at work: topics, workers, the learner and the API on the embedded engines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.broker import client, lag, setup
from stream.broker.group import owners
from stream.broker.topics import Topics
from stream.demo.programs import Program, stop
from stream.demo.settings import DemoSettings
from stream.embedded.files import tail
from stream.embedded.server import EmbeddedServer
from stream.errors import BrokerError, DemoError
from stream.partition.control import Signer
from stream.partition.ledger import Ledger, decode_ledger
from stream.store.connect import connect
from stream.store.redis import RedisStore

_READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 15.0
_CORES_FOR_TWO: Final = 3


@dataclass
class Deployment:
    """What a run works with."""

    settings: DemoSettings
    topics: Topics
    partitions: int
    store: RedisStore
    workers: list[Program]
    learner: Program
    api: Program
    engines: tuple[EmbeddedServer, ...]

    @property
    def signer(self) -> Signer:
        """Signs this deployment's control records."""
        return Signer(self.settings.control_key(), self.topics.touchpoints)

    @property
    def _programs(self) -> list[Program]:
        return [*self.workers, self.learner, self.api]

    def check(self) -> None:
        """Raise DemoError if a part of it has ended by itself."""
        for engine in self.engines:
            if engine.pid is None:
                raise DemoError(
                    f"The embedded {engine.name} has ended, though nobody had asked it to.",
                    hint="Perhaps the machine ran out of memory. Start the demo again.",
                )
        for program in self._programs:
            program.check()

    async def ledgers(self) -> list[Ledger]:
        """Of all partitions, as of now."""
        standings = await self.store.standings(range(self.partitions))
        return [decode_ledger(standing.ledger) for standing in standings]

    async def ready(self) -> str:
        """Wait until workers own all partitions and the API listens; its address."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with client.admin(self.settings.kafka) as admin:
            while loop.time() - began < _READY_SECONDS:
                address = self.api.address()
                if address and len(await owners(admin, self.topics)) == self.partitions:
                    return address
                await asyncio.sleep(_LOOK_SECONDS)
        raise DemoError(
            f"Workers and API were not at work within {_READY_SECONDS:.0f} seconds.",
            hint="The machine may be too busy. Start the demo again.",
        )

    async def taken_in(self) -> None:
        """Wait until workers have taken in what the log holds now; DemoError if they do not get on."""
        try:
            async with client.reader(self.settings.kafka) as reader:
                await lag.taken_in(
                    reader, self.store, self.topics, self.partitions, patience=_PATIENCE_SECONDS
                )
        except BrokerError as error:
            words = (f"{each.name}: {tail(each.log, 5)}" for each in (*self.workers, self.learner))
            raise DemoError(
                f"The workers do not get on: {error}.",
                hint="\n".join(("Their last words:", *words)),
            ) from error

    async def stop(self) -> None:
        """Stop all of them in order: what workers have taken in is committed then."""
        await asyncio.to_thread(stop, self._programs)


def workers_here() -> int:
    """How many workers serve best here: each takes a core, and so does everything else together."""
    return (
        2 if len(os.sched_getaffinity(0)) >= _CORES_FOR_TWO else 1
    )  # Linux only, as the engines are


@asynccontextmanager
async def deployed(
    settings: DemoSettings, directory: Path, engines: tuple[EmbeddedServer, ...], workers: int
) -> AsyncIterator[Deployment]:
    """Topics, workers, learner and API on running engines; killed at the end if they still run."""
    topics = Topics(settings.namespace)
    async with client.admin(settings.kafka) as admin:
        await setup.create(admin, topics, settings.kafka.partitions, settings.kafka.replication)
        partitions = await setup.partitions(admin, topics)
    store = connect(settings)
    programs: list[Program] = []
    try:
        for name in [*(f"worker-{number + 1}" for number in range(workers)), "learner", "api"]:
            command = name.partition("-")[0]
            programs.append(Program(command, name, settings, directory))
        *work, learner, api = programs
        yield Deployment(settings, topics, partitions, store, work, learner, api, engines)
    finally:
        for program in programs:
            program.kill()
        await store.close()

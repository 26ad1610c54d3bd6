"""The API over a deployment in memory: a real view in a real file, everything else a twin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from schemas.home import home
from stream.api.application import make_asgi
from stream.api.current import Current
from stream.api.describe import Describer
from stream.api.feed import LOGS, Feed
from stream.api.intake import Intake, Sent
from stream.api.metrics import Metrics
from stream.api.model_metrics import ModelCollector
from stream.api.models import Models
from stream.api.parts import Parts
from stream.api.queries import Queries
from stream.api.view import Log, Read, View, Written
from stream.api.watch import Watch
from stream.errors import BrokerError
from stream.partition.outputs import TOUCHPOINTS
from stream.settings import ApiSettings
from tests.support.world import World


@dataclass
class Progress:
    """How far the view has come, as told."""

    lag: int = 0
    caught_up: bool = True
    error: str | None = None


@dataclass
class Broker:
    """Takes what is sent into the world's log, unless it is down."""

    world: World
    down: bool = False
    live: bool = False
    sent: list[Sent] = field(default_factory=list)

    def _answer(self) -> None:
        if self.down:
            raise BrokerError("Kafka: expected an answer, got nothing")

    async def send(self, records: Sequence[Sent]) -> None:
        self._answer()
        self.sent += records
        for partition, key, value, headers, timestamp in records:
            stamp = None if self.live else timestamp
            self.world.log.add(TOUCHPOINTS, partition, key, value, headers, stamp)

    async def ends(self) -> Sequence[int]:
        self._answer()
        topics = self.world.log.topics
        return [len(topics[TOUCHPOINTS, number]) for number in range(self.world.partitions)]

    async def is_live(self) -> bool:
        self._answer()
        return self.live

    async def begins(self) -> Sequence[int]:
        self._answer()
        return [0] * self.world.partitions

    async def committed(self) -> Sequence[int | None]:
        self._answer()
        return [await self.world.log.committed(number) for number in range(self.world.partitions)]


class Deployment:
    """One API over one world."""

    def __init__(self, world: World, path: Path, **api: Any) -> None:
        self.world = world
        self.describe = Describer(world.outcomes)
        self.view = View(path / "view.sqlite3", list(self.describe.places))
        self.queries = Queries(self.view.path)
        self.feed = Feed(world.partitions, self.view.last)
        self.broker = Broker(world)
        self.progress = Progress()
        self.metrics = Metrics()
        self.watch = Watch(world.store, self.broker, self.progress, world.pipelines)
        self.metrics.watch(self.watch)
        self.models = Models(list(self.describe.places), world.pipelines.library)
        self.metrics.collect(ModelCollector(self.models, lambda: self.watch.ledgers))
        self._read: dict[Log, int] = {}

        def wall() -> float:
            return world.wall

        self.parts = Parts(
            settings=ApiSettings(**api),
            partitions=world.partitions,
            current=Current(
                world.store, self.queries, self.describe, world.pipelines, wall, self.watch
            ),
            describe=self.describe,
            feed=self.feed,
            intake=Intake(self.broker, self.watch, world.partitions, wall),
            metrics=self.metrics,
            models=self.models,
            queries=self.queries,
            watch=self.watch,
        )

    def follow(self) -> Written:
        """Read what the world has published since, as the follower does."""
        batch = {}
        for kind in LOGS:
            for partition in range(self.world.partitions):
                log = Log(kind, partition)
                records = self.world.log.topics[kind, partition][self._read.get(log, 0) :]
                if records:
                    batch[log] = [Read(record.offset, record.value) for record in records]
                    self._read[log] = records[-1].offset + 1
        written = self.view.write(batch)
        self.feed.publish({log: self._read[log] for log in batch}, written)
        return written

    async def catch_up(self) -> None:
        """Let the workers work, read what they published, and look."""
        await self.world.work()
        self.follow()
        await self.watch.look()

    def home(self, customer: str) -> int:
        """A customer's partition."""
        return home(customer, self.world.partitions)

    @asynccontextmanager
    async def client(self, host: str = "127.0.0.1:8080") -> AsyncIterator[httpx2.AsyncClient]:
        """A client of the API, in this process."""
        # What fails inside is to be answered, as a server would.
        transport = httpx2.ASGITransport(app=make_asgi(self.parts), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            yield client

    def close(self) -> None:
        """Let go of the view's file."""
        self.queries.close()
        self.view.close()


@asynccontextmanager
async def deployment(
    path: Path, world: World | None = None, **api: Any
) -> AsyncIterator[Deployment]:
    """A deployment whose file lies in `path`."""
    made = Deployment(world or World(partitions=4), path, **api)
    try:
        yield made
    finally:
        made.close()

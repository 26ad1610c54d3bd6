"""The second part: what was held back happens now, and every band change it causes is timed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer

from schemas.outputs import Trigger
from stream.broker import client, golive
from stream.demo.deployment import Deployment
from stream.demo.latency import Latencies
from stream.demo.models import Learned, Models
from stream.demo.outputs import Outputs, Read
from stream.demo.player import Player
from stream.demo.shop import Shop, again

RATE: Final = 100.0
"""Touchpoints a second while the shop's own last weeks are played. At 200, each with requests of its own, this
Kafka alone took three quarters of a core, and half the band changes came after 19 ms instead of 8."""
CALM_RATE: Final = 20.0
"""And afterwards."""
_LOOK_SECONDS: Final = 1.0


@dataclass
class Lived:
    """What has come of it so far."""

    latencies: Latencies = field(default_factory=Latencies)
    changes: int = 0
    triggers: int = 0
    models: Mapping[str, Learned] = field(default_factory=dict)
    """By outcome."""

    def take(self, found: Sequence[Read]) -> None:
        """Count what was read."""
        for read in found:
            if isinstance(read.said, Trigger):
                self.triggers += 1
                continue
            self.changes += 1
            if (latency := read.latency_ms) is not None:
                self.latencies.add(latency)


class Live:
    """A deployment that has gone live, and what is played on it."""

    def __init__(
        self, deployment: Deployment, outputs: Outputs, models: Models, producer: AIOKafkaProducer
    ) -> None:
        self._deployment, self._outputs, self._models = deployment, outputs, models
        self.player = Player(producer, deployment.topics.touchpoints, deployment.partitions)
        self.lived = Lived()

    async def play(
        self, shop: Shop, tell: Callable[[Sequence[Read]], None], over: asyncio.Event
    ) -> None:
        """Play what was held back, then on and on, until `over`; `tell` gets all outputs as they come."""
        playing = asyncio.create_task(self._play(shop))
        reading = asyncio.create_task(self._read(tell))
        looking = asyncio.create_task(self._look())
        ending = asyncio.create_task(over.wait())
        tasks = {playing, reading, looking, ending}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                await next(task for task in (playing, reading, looking) if task.done())
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            await self._settle()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, shop: Shop) -> None:
        await self.player.play(shop.held_back, RATE)
        await self.player.play(again(shop.held_back), CALM_RATE)

    async def _read(self, tell: Callable[[Sequence[Read]], None]) -> None:
        while True:
            found = await self._outputs.read()
            self.lived.take(found)
            tell(found)

    async def _look(self) -> None:
        while True:
            self.lived.models = await self._models.look(await self._deployment.ledgers())
            await asyncio.sleep(_LOOK_SECONDS)

    async def _settle(self) -> None:
        """Return when workers have taken in all that was sent, forwarded touchpoints included."""
        await self.player.finish()
        for _ in range(2):  # what the first wait saw through may have been forwarded
            await self._deployment.taken_in()


@asynccontextmanager
async def gone_live(
    deployment: Deployment, outputs: Outputs, models: Models
) -> AsyncIterator[Live]:
    """The deployment switched from history to live, as `bandshift live` does it."""
    kafka, topics, partitions = deployment.settings.kafka, deployment.topics, deployment.partitions
    async with client.producer(kafka) as producer:
        async with client.admin(kafka) as admin:
            await golive.go_live(admin, producer, topics, partitions, deployment.signer)
        await deployment.taken_in()
        await outputs.from_now()
        yield Live(deployment, outputs, models, producer)

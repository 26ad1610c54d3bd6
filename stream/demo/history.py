"""The first part: past touchpoints into the log, as fast as workers take them in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from schemas.outputs import BandChange
from stream.broker import client
from stream.broker.replayer import Replayer
from stream.demo.deployment import Deployment
from stream.demo.models import Learned, Models
from stream.demo.outputs import Outputs
from stream.demo.shop import Shop, past
from stream.partition.ledger import totals

_LOOK_SECONDS: Final = 0.33


class Came(NamedTuple):
    """How far the history has come."""

    counts: dict[str, int]
    clock: int
    """The log's time that all partitions have reached, in ms since 1970; 0 at first."""
    change: BandChange | None
    """One of the latest band changes."""
    models: Mapping[str, Learned]
    """By outcome."""

    @property
    def touchpoints(self) -> int:
        """How many are taken in."""
        return self.counts.get("in", 0) - self.counts.get("control", 0)


async def bring_in(
    deployment: Deployment,
    shop: Shop,
    outputs: Outputs,
    models: Models,
    tell: Callable[[Came], None],
    asked: asyncio.Event,
) -> int:
    """Return when workers have taken in all of the history, or when asked to stop: how many touchpoints they took.

    `tell` is told several times a second.
    """
    look = _Look(deployment, outputs, models)
    work = asyncio.create_task(_send(deployment, shop))
    asking = asyncio.create_task(asked.wait())
    try:
        while not (work.done() or asking.done()):
            tell(await look())
            await asyncio.wait(
                {work, asking}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        if work.done():
            await work
        came = await look()
        tell(came)
        return came.touchpoints
    finally:
        work.cancel()
        asking.cancel()
        await asyncio.gather(work, asking, return_exceptions=True)


async def _send(deployment: Deployment, shop: Shop) -> None:
    topics, partitions, kafka = deployment.topics, deployment.partitions, deployment.settings.kafka
    async with client.producer(kafka) as producer:
        replayer = Replayer(
            producer,
            topics.touchpoints,
            partitions,
            deployment.signer,
            in_step=deployment.settings.learning.enabled,
        )
        await replayer.send(past(shop))
        await replayer.tick()
    await deployment.taken_in()


class _Look:
    """Looks how far it is. Of all band changes it shows one: where the log's time is furthest behind."""

    def __init__(self, deployment: Deployment, outputs: Outputs, models: Models) -> None:
        self._deployment, self._outputs, self._models = deployment, outputs, models
        self._clocks: dict[int, int] = {}
        self._shown: dict[int, BandChange | None] = {}

    async def __call__(self) -> Came:
        ledgers = await self._deployment.ledgers()
        clocks = {number: ledger.clock for number, ledger in enumerate(ledgers) if ledger.clock}
        moved = [each for each in clocks if clocks[each] != self._clocks.get(each)]
        self._clocks = clocks
        change = None
        if moved:
            behind = min(moved, key=clocks.__getitem__)
            change = await self._outputs.latest(behind)
            if change == self._shown.get(behind):
                change = None
            else:
                self._shown[behind] = change
        clock = min(clocks.values()) if len(clocks) == len(ledgers) else 0
        return Came(totals(ledgers), clock, change, await self._models.look(ledgers))

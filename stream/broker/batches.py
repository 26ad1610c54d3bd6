"""Records into whole batches, in order per partition, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from stream.partition.control import Headers

_MOST_OPEN: Final = 32 << 20
"""Bytes of all open batches: with 10,000 partitions, each with a full one, it would be gigabytes."""


class Batches:
    """One open batch per partition, and what is on its way."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._open: list[Any] = [None] * partitions
        self._sizes = [0] * partitions
        self._bytes = 0
        self._sent: list[Awaitable[Any]] = []

    def add(
        self,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        at: int,
        headers: Headers = (),
    ) -> bool:
        """Add a record; False if the open batch has no room left, or there is too much in all."""
        batch = self._open[partition]
        if batch is None:
            batch = self._open[partition] = self._producer.create_batch()
        elif self._bytes > _MOST_OPEN:
            return False
        added = batch.append(timestamp=at, key=key, value=value, headers=list(headers))
        if added is None:
            return False
        self._bytes += added.size
        self._sizes[partition] += added.size
        return True

    async def ship(self, partition: int) -> None:
        """Send the open batch of a partition; waits while the one before is still queued."""
        batch, self._open[partition] = self._open[partition], None
        if batch is None:
            return
        self._bytes -= self._sizes[partition]
        self._sizes[partition] = 0
        batch.close()
        self._sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
        if len(self._sent) > 4 * len(self._open):
            waiting, self._sent = self._sent, []
            await asyncio.gather(*waiting)

    async def ship_all(self) -> None:
        """Send every open batch."""
        for partition in range(len(self._open)):
            await self.ship(partition)

    async def done(self) -> None:
        """Send what is open and wait until everything is acknowledged."""
        await self.ship_all()
        waiting, self._sent = self._sent, []
        await asyncio.gather(*waiting)

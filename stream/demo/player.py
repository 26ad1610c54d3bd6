"""Plays touchpoints as if they happened now, at a steady pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from schemas.home import home
from stream.broker.client import answering
from stream.demo.careless import Sent, careless
from stream.demo.shop import body
from stream.embedded.shop import ShopTouchpoint

_MOST_OPEN: Final = 2_000
_MOST_BEHIND_SECONDS: Final = 1.0


class Player:
    """Sends touchpoints to the topic `touchpoints`, each stamped with the present time; a few carelessly."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self._producer, self._topic, self._partitions = producer, topic, partitions
        self._open: list[asyncio.Future[Any]] = []
        self.played = 0
        """Touchpoints so far, each counted once however it was sent."""

    async def play(self, rows: Iterable[ShopTouchpoint], rate: float) -> None:
        """Play `rate` touchpoints a second until there are no more; BrokerError where Kafka does not take them."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for row in rows:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._send(row)
            # After a machine has slept, what was missed is not made up for in one burst.
            due = max(due + 1 / rate, loop.time() - _MOST_BEHIND_SECONDS)

    async def _send(self, row: ShopTouchpoint) -> None:
        self.played += 1
        key = row.customer_id.encode()
        where = home(row.customer_id, self._partitions)
        good = Sent(where, key, body(row, int(time.time() * 1000)))
        with answering():
            for partition, key, value in careless(self.played, good, self._partitions):
                self._open.append(
                    await self._producer.send(self._topic, value, key, partition=partition)
                )
        if len(self._open) >= _MOST_OPEN:
            await self.finish()

    async def finish(self) -> None:
        """Return when the broker has all that was played."""
        waiting, self._open = self._open, []
        with answering():
            await asyncio.gather(*waiting)

"""The API's side of Kafka: producing touchpoints, and looking where the topic stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream.api.intake import Sent
from stream.broker import group, setup
from stream.broker.client import answering
from stream.broker.topics import LIVE_CLOCK, Topics
from stream.errors import BrokerError

_ASK_SECONDS: Final = 4.0
_SEND_SECONDS = 8.0
"""For Kafka to take a request's touchpoints: clients wait ten seconds, and each one that waits holds a place."""


class KafkaSender:
    """A `Sender` over one producer that waits for all replicas.

    It gives up after eight seconds. What it has given up may reach the topic all the same: sent again, its
    event id makes it count once.
    """

    def __init__(self, producer: AIOKafkaProducer, topics: Topics) -> None:
        self._producer, self._topic = producer, topics.touchpoints

    async def send(self, records: Sequence[Sent]) -> None:
        """Return when the broker has all of them; BrokerError if it refuses one, or does not answer in time."""
        waiting: list[asyncio.Future[Any]] = []
        with answering():
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    for record in records:  # a comprehension would lose them where it is cut short
                        waiting.append(await self._put(record))  # noqa: PERF401
                    await asyncio.gather(*waiting)
            finally:
                for each in waiting:
                    # An error that nobody has looked at would be logged when the future goes.
                    if not each.cancel() and not each.cancelled():
                        each.exception()

    async def _put(self, record: Sent) -> asyncio.Future[Any]:
        """Put it into a batch; the future is done with the batch."""
        found: asyncio.Future[Any] = await self._producer.send(
            self._topic,
            record.value,
            record.key,
            record.partition,
            record.timestamp,
            list(record.headers),
        )
        return found


class KafkaEnds:
    """The `Ends` of touchpoints, over a consumer and an admin client."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        topics: Topics,
        partitions: int,
    ) -> None:
        self._consumer, self._admin, self._topics = consumer, admin, topics
        self._tps = [
            TopicPartition(topics.touchpoints, partition) for partition in range(partitions)
        ]
        self._live = False
        self._asked = float("-inf")
        self._begins: Sequence[int] | None = None

    async def ends(self) -> Sequence[int]:
        """The end of every partition."""
        with answering():
            found = await self._consumer.end_offsets(self._tps)
        return [found[tp] for tp in self._tps]

    async def is_live(self) -> bool:
        """Whether the broker stamps touchpoints; asked every few seconds."""
        if time.monotonic() - self._asked > _ASK_SECONDS:
            with answering():
                partitions = await setup.partitions(self._admin, self._topics)
                self._live = await setup.clock(self._admin, self._topics) == LIVE_CLOCK
            if partitions != len(self._tps):
                raise BrokerError(
                    f"{self._topics.touchpoints}: expected {len(self._tps)} partitions, "
                    f"now there are {partitions}",
                    "customers' homes have moved: copy the log into a new namespace: bandshift rebuild --namespace next",
                )
            self._asked = time.monotonic()
            self._begins = None
        return self._live

    async def begins(self) -> Sequence[int]:
        """The first offset that is left of every partition; asked when `is_live` was."""
        if self._begins is None:
            with answering():
                found = await self._consumer.beginning_offsets(self._tps)
            self._begins = [found[tp] for tp in self._tps]
        return self._begins

    async def committed(self) -> Sequence[int | None]:
        """What the workers' group has committed, by partition."""
        return await group.committed(self._admin, self._topics, len(self._tps))

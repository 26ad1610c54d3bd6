"""Looking up single records of `touchpoints`: is the log still the one that states were made from?"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.broker.client import answering
from stream.errors import BrokerError
from stream.partition.tail import tail_of


class Tails:
    """Over a consumer of its own; one look at a time."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, seconds: float) -> None:
        """`seconds`: how long a look may take."""
        self._consumer = consumer
        self._topic = topic
        self._seconds = seconds
        self._looking = asyncio.Lock()

    async def of(self, partition: int, offset: int) -> str:
        """The hash of the record at an offset; "" where there is none. Raises BrokerError."""
        tp = TopicPartition(self._topic, partition)
        async with self._looking:
            with answering():
                self._consumer.assign([tp])
                self._consumer.seek(tp, offset)
                wait = int(self._seconds * 1000)
                found = await self._consumer.getmany(tp, timeout_ms=wait, max_records=1)
                self._consumer.assign([])
        for record in found.get(tp, ()):
            return tail_of(record) if record.offset == offset else ""
        raise BrokerError(f"Kafka: {self._topic}, partition {partition}: no record came in time")

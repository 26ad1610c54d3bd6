"""The log in Kafka, as the owners of one worker see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.broker.group import counted
from stream.broker.sending import Sending, answering
from stream.broker.topics import Topics
from stream.partition.control import Kind, Signer
from stream.partition.outputs import Output
from stream.partition.step import DeadLetter


class KafkaLog:
    """A `Log` over one consumer and one producer."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        topics: Topics,
        signer: Signer,
        partitions: int = 0,
    ) -> None:
        """`partitions`: how many the topic has, to be noted beside C; 0 notes nothing."""
        self._consumer = consumer
        self._sending = Sending(producer, topics)
        self._topics = topics
        self._signer = signer
        self._beside = counted(partitions) if partitions else ""

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topics.touchpoints, partition)

    async def committed(self, partition: int) -> int | None:
        with answering():
            found: int | None = await self._consumer.committed(self._tp(partition))
        return found

    async def beginning(self, partition: int) -> int:
        tp = self._tp(partition)
        with answering():
            return int((await self._consumer.beginning_offsets([tp]))[tp])

    async def end(self, partition: int) -> int:
        tp = self._tp(partition)
        with answering():
            return int((await self._consumer.end_offsets([tp]))[tp])

    async def commit(self, offsets: Mapping[int, int]) -> None:
        with answering():
            await self._consumer.commit(
                {self._tp(number): (offset, self._beside) for number, offset in offsets.items()}
            )

    def seek(self, partition: int, offset: int) -> None:
        with answering():
            self._consumer.seek(self._tp(partition), offset)

    async def publish(self, outputs: Sequence[Output]) -> None:
        await self._sending.publish(outputs)

    async def bury(self, partition: int, dead: Sequence[DeadLetter]) -> None:
        await self._sending.bury(partition, dead)

    async def append(self, partition: int, kind: Kind, what: str = "", version: int = 0) -> None:
        value, headers = self._signer.control(partition, kind, what, version)
        await self._sending.send(self._topics.touchpoints, partition, [(b"", value, headers, None)])

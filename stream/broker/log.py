"""The log in Kafka, as the owners of one worker see it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from stream.broker import deadletters
from stream.broker.topics import MOST_RECORD, Topics
from stream.errors import BrokerError, NotAMemberError
from stream.partition.control import Headers, Kind, Signer
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.partition.step import DeadLetter

_FORWARDED_AT_ONCE: Final = MOST_RECORD * 3 // 4
"""A batch counts as one record against the topic's limit."""

Row = tuple[bytes | None, bytes | None, Headers, int | None]


class KafkaLog:
    """A `Log` over one consumer and one producer."""

    def __init__(
        self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, topics: Topics, signer: Signer
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._topics = topics
        self._signer = signer

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topics.touchpoints, partition)

    async def committed(self, partition: int) -> int | None:
        with _answering():
            found: int | None = await self._consumer.committed(self._tp(partition))
        return found

    async def beginning(self, partition: int) -> int:
        tp = self._tp(partition)
        with _answering():
            return int((await self._consumer.beginning_offsets([tp]))[tp])

    async def end(self, partition: int) -> int:
        tp = self._tp(partition)
        with _answering():
            return int((await self._consumer.end_offsets([tp]))[tp])

    async def commit(self, offsets: Mapping[int, int]) -> None:
        with _answering():
            await self._consumer.commit(
                {self._tp(partition): offset for partition, offset in offsets.items()}
            )

    def seek(self, partition: int, offset: int) -> None:
        with _answering():
            self._consumer.seek(self._tp(partition), offset)

    async def publish(self, outputs: Sequence[Output]) -> None:
        rows: dict[tuple[str, int], list[Row]] = {}
        for topic, partition, key, value, headers, timestamp in outputs:
            rows.setdefault((topic, partition), []).append((key, value, headers, timestamp))
        with _answering():
            homes = [
                self._one_by_one(partition, found)
                for (topic, partition), found in rows.items()
                if topic == TOUCHPOINTS
            ]
            sent: list[Awaitable[Any]] = []
            for (topic, partition), found in rows.items():
                if topic != TOUCHPOINTS:
                    sent += await self._send(self._topics.name(topic), partition, found)
            await asyncio.gather(*sent, *homes)

    async def _one_by_one(self, partition: int, rows: Sequence[Row]) -> None:
        """Forwards to one home: a batch only after the one before, or the home could miss one as repeated."""
        part: list[Row] = []
        size = 0
        for row in rows:
            length = len(row[1] or b"") + 512
            if part and size + length > _FORWARDED_AT_ONCE:
                await asyncio.gather(*await self._send(self._topics.touchpoints, partition, part))
                part, size = [], 0
            part.append(row)
            size += length
        await asyncio.gather(*await self._send(self._topics.touchpoints, partition, part))

    async def _send(self, topic: str, partition: int, rows: Sequence[Row]) -> list[Awaitable[Any]]:
        """Queue whole batches; one `send` per record would cost 4 microseconds each."""
        sent: list[Awaitable[Any]] = []
        batch = self._producer.create_batch()
        for key, value, headers, timestamp in rows:
            added = batch.append(key=key, value=value, timestamp=timestamp, headers=list(headers))
            if added is None:
                batch.close()
                sent.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=timestamp, headers=list(headers))
        batch.close()
        sent.append(await self._producer.send_batch(batch, topic, partition=partition))
        return sent

    async def bury(self, partition: int, dead: Sequence[DeadLetter]) -> None:
        rows = [deadletters.row(self._topics.touchpoints, partition, each) for each in dead]
        with _answering():
            await asyncio.gather(*await self._send(self._topics.dead_letters, partition, rows))

    async def append(self, partition: int, kind: Kind, what: str = "", version: int = 0) -> None:
        value, headers = self._signer.control(partition, kind, what, version)
        row: Row = (b"", value, headers, None)
        with _answering():
            await asyncio.gather(*await self._send(self._topics.touchpoints, partition, [row]))


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (CommitFailedError, IllegalStateError) as error:
        raise NotAMemberError("Kafka: the partition went to another worker") from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerError(f"Kafka: expected an answer, got {type(error).__name__}") from error

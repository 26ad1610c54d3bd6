"""Whole batches to Kafka, acknowledged, and what a refusal means for the producer that sent them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    ProducerClosed,
)

from stream.broker import deadletters
from stream.broker.topics import MOST_RECORD, Topics
from stream.errors import BrokerError, NotAMemberError, ProducerSpentError
from stream.partition.control import Headers
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.partition.size import size_of
from stream.partition.step import DeadLetter

_FORWARDED_AT_ONCE: Final = MOST_RECORD * 3 // 4
"""A batch counts as one record against the topic's limit."""
_BESIDES: Final = 512
_PER_HEADER: Final = 8
"""Bytes of a record beside key, headers and value, and of a header's lengths: more than Kafka ever takes."""

Row = tuple[bytes | None, bytes | None, Headers, int | None]


class Sending:
    """What an owner sends, by one producer."""

    def __init__(self, producer: AIOKafkaProducer, topics: Topics) -> None:
        self._producer = producer
        self._topics = topics

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Send outputs, and return when all are acknowledged; forwards to one home in order."""
        rows: dict[tuple[str, int], list[Row]] = {}
        for topic, partition, key, value, headers, timestamp in outputs:
            rows.setdefault((topic, partition), []).append((key, value, headers, timestamp))
        await asyncio.gather(
            *(
                self._one_by_one(partition, found)
                if topic == TOUCHPOINTS
                else self.send(self._topics.name(topic), partition, found)
                for (topic, partition), found in rows.items()
            )
        )

    async def _one_by_one(self, partition: int, rows: Sequence[Row]) -> None:
        """Forwards to one home: a batch only after the one before, or the home could miss one as repeated."""
        part: list[Row] = []
        size = 0
        for row in rows:
            key, value, headers, _ = row
            length = size_of(key, value, headers) + _BESIDES + _PER_HEADER * len(headers)
            if part and size + length > _FORWARDED_AT_ONCE:
                await self.send(self._topics.touchpoints, partition, part)
                part, size = [], 0
            part.append(row)
            size += length
        await self.send(self._topics.touchpoints, partition, part)

    async def send(self, topic: str, partition: int, rows: Sequence[Row]) -> None:
        """Send whole batches, and return when they are acknowledged.

        One `send` per record would cost 4 microseconds each.
        """
        sent: list[Awaitable[Any]] = []
        with _producing(topic, partition):
            batch = self._producer.create_batch()
            for key, value, headers, timestamp in rows:
                added = batch.append(
                    key=key, value=value, timestamp=timestamp, headers=list(headers)
                )
                if added is None:
                    batch.close()
                    sent.append(await self._producer.send_batch(batch, topic, partition=partition))
                    batch = self._producer.create_batch()
                    batch.append(key=key, value=value, timestamp=timestamp, headers=list(headers))
            batch.close()
            sent.append(await self._producer.send_batch(batch, topic, partition=partition))
            await asyncio.gather(*sent)

    async def bury(self, partition: int, dead: Sequence[DeadLetter]) -> None:
        """Send dead letters of a partition, and return when all are acknowledged."""
        rows = [deadletters.row(self._topics.touchpoints, partition, each) for each in dead]
        await self.send(self._topics.dead_letters, partition, rows)


@contextmanager
def answering() -> Iterator[None]:
    """Turn the errors of Kafka's client into ours."""
    try:
        yield
    except (CommitFailedError, IllegalStateError) as error:
        raise NotAMemberError("Kafka: the partition went to another worker") from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerError(f"Kafka: expected an answer, got {type(error).__name__}") from error


@contextmanager
def _producing(topic: str, partition: int) -> Iterator[None]:
    """Tell what no later try can mend from what one may.

    A batch that is refused has used up its sequence numbers: an idempotent producer of aiokafka goes on
    behind the gap, and the broker takes nothing more from it in that partition. So whatever Kafka's client
    does not try again by itself (too large, not allowed, out of order, fenced, ...) ends this producer; a
    time-out before anything was queued does not.
    """
    with answering():
        try:
            yield
        except (KafkaTimeoutError, ProducerClosed):
            raise
        except KafkaError as error:
            if error.retriable:
                raise
            raise ProducerSpentError(
                f"Kafka: {topic}, partition {partition}: the broker refused what was sent: "
                f"{type(error).__name__}",
                "put right what it names, then start the worker again; see: bandshift doctor",
            ) from error

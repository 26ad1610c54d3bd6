"""Reads what comes out of the workers, as any consumer of the topics could."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.outputs import BandChange, BandChangeEvent, Trigger, TriggerEvent
from stream.broker import client
from stream.broker.client import answering
from stream.broker.topics import Topics
from stream.settings import KafkaSettings

_WAIT_MS: Final = 20


class Read(NamedTuple):
    """A band change or a trigger, and when it was read (ms since 1970)."""

    said: BandChange | Trigger
    at: float

    @property
    def latency_ms(self) -> float | None:
        """From the broker's append of the touchpoint to now; None where no touchpoint caused it.

        Live, the log's clock is the broker's: the decision's time is that of the append.
        """
        if self.said.touchpoint is None:
            return None
        return self.at - self.said.decided_at.timestamp() * 1000


class Outputs:
    """One consumer of `band-changes` and `triggers`."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Topics, partitions: int) -> None:
        self._consumer, self._topics = consumer, topics
        self._changes = [TopicPartition(topics.band_changes, each) for each in range(partitions)]
        self._triggers = [TopicPartition(topics.triggers, each) for each in range(partitions)]

    async def latest(self, partition: int) -> BandChange | None:
        """The last band change of a partition; the rest is passed over.

        In history there are thousands a second: to read all of them would cost more than it shows.
        """
        tp = self._changes[partition]
        with answering():
            end = (await self._consumer.end_offsets([tp]))[tp]
            if not end:
                return None
            self._consumer.assign([tp])
            self._consumer.seek(tp, end - 1)
            found = await self._consumer.getmany(tp, timeout_ms=500, max_records=1)
        records = found.get(tp)
        return _read(records[0], self._topics).said if records else None  # type: ignore[return-value]

    async def from_now(self) -> None:
        """From here on, `read` gives all that comes."""
        tps = self._changes + self._triggers
        with answering():
            ends = await self._consumer.end_offsets(tps)
            self._consumer.assign(tps)
            for tp in tps:
                self._consumer.seek(tp, ends[tp])

    async def read(self) -> list[Read]:
        """What has come; waits for half a second if there is nothing."""
        with answering():
            found = await self._consumer.getmany(timeout_ms=500)
        at = time.time() * 1000
        return [_read(record, self._topics, at) for records in found.values() for record in records]


def _read(record: Any, topics: Topics, at: float = 0.0) -> Read:
    if record.topic == topics.triggers:
        return Read(TriggerEvent.model_validate_json(record.value).data, at)
    return Read(BandChangeEvent.model_validate_json(record.value).data, at)


@asynccontextmanager
async def outputs(kafka: KafkaSettings, topics: Topics, partitions: int) -> AsyncIterator[Outputs]:
    """A started reader."""
    consumer = AIOKafkaConsumer(
        **client.options(kafka),
        auto_offset_reset="latest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        # What arrives in a partition that the open request does not ask for waits until it returns.
        fetch_max_wait_ms=_WAIT_MS,
    )
    try:
        await consumer.start()
    except (KafkaError, OSError) as error:
        await consumer.stop()
        raise client.unreachable(kafka, error) from error
    try:
        yield Outputs(consumer, topics, partitions)
    finally:
        await consumer.stop()

"""Reads `model-snapshots` and `model-events` from their beginning, and goes on reading."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.api.feed import Feed
from stream.api.metrics import Metrics
from stream.api.models import EVENTS, KEPT_VERSIONS, SNAPSHOTS, Models
from stream.broker.client import answering
from stream.broker.topics import Topics
from stream.errors import BandshiftError

_KINDS: Final = (SNAPSHOTS, EVENTS)
_REST_SECONDS: Final = 1.0
_POLL_MS: Final = 1_000
_BACK: Final = 2 * KEPT_VERSIONS
"""So many records before the end of a partition are all read. A snapshot takes 4 ms, and after a year of one an
hour there are 9,000 per outcome: of those before, each outcome's last one counts, and versions in force."""
_AT_ONCE: Final = 100
_CHECK_SECONDS: Final = 10.0
"""How often to look whether the topics still reach to where we are."""

Key = tuple[str, int]
"""An outcome, and a version of its model."""


class _Head(msgspec.Struct):
    outcome: str
    version: int


_head = msgspec.json.Decoder(_Head).decode
logger = logging.getLogger("bandshift.api")


class ModelFollower:
    """Keeps the models up with their topics. A record that cannot be read changes nothing."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topics: Topics,
        partitions: int,
        models: Models,
        feed: Feed,
        metrics: Metrics,
        in_force: Callable[[], Collection[Key]],
    ) -> None:
        """`in_force` tells the versions that decide in some partition."""
        self._in_force = in_force
        self._consumer, self._models, self._feed, self._metrics = consumer, models, feed, metrics
        self._kinds = {
            TopicPartition(topics.name(kind), partition): kind
            for kind in _KINDS
            for partition in range(partitions)
        }
        self._next: dict[TopicPartition, int] = {}
        self._near: dict[TopicPartition, int] = {}
        """From which offset on every record is read."""
        self._older: dict[tuple[TopicPartition, bytes | None], Any] = {}
        self._checked = float("-inf")

    async def run(self) -> None:
        """Follow until cancelled; what fails is tried again."""
        self._consumer.assign(list(self._kinds))
        while True:
            try:
                await self._follow()
            except (BandshiftError, KafkaError, OSError) as error:
                logger.warning("models are not read: %s", type(error).__name__)
            except Exception:
                logger.exception("models are not read")
            await asyncio.sleep(_REST_SECONDS)

    async def _follow(self) -> None:
        await self._seek()
        clock = asyncio.get_running_loop().time
        while True:
            found = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
            if any(records and records[0].offset < self._next[tp] for tp, records in found.items()):
                self._forget()
            for tp, records in found.items():
                if self._next and records:
                    await self._take(tp, records)
            if clock() - self._checked > _CHECK_SECONDS:
                self._checked = clock()
                await self._check()
            if not self._next:
                await self._seek()

    async def _seek(self) -> None:
        """Go to where we were; to the beginning the first time."""
        with answering():
            first = await self._consumer.beginning_offsets(list(self._kinds))
        ends = await self._check()
        for tp, begin in first.items():
            self._next[tp] = max(begin, self._next.get(tp, 0))
            self._near[tp] = ends[tp] - _BACK if self._kinds[tp] == SNAPSHOTS else 0
            self._consumer.seek(tp, self._next[tp])

    async def _check(self) -> Mapping[TopicPartition, int]:
        """The ends. A topic that ends before the place where we are is another one: forget what it told."""
        with answering():
            ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(list(self._kinds))
        if any(end < self._next.get(tp, 0) for tp, end in ends.items()):
            self._forget()
        return ends

    def _forget(self) -> None:
        logger.warning("the topics of models were made anew: reading them from their beginning")
        self._models.forget()
        self._next.clear()
        self._older.clear()
        for name in self._models.learned:
            self._feed.tell_model(name)

    async def _take(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        wanted, news = [], set[str]()
        for record in records:
            if record.offset < self._near[tp]:
                self._older[tp, record.key] = record
                self._next[tp] = record.offset + 1
            if record.offset >= self._near[tp] or _key(record.value) in self._in_force():
                wanted.append(record)
        if wanted and wanted[-1].offset >= self._near[tp]:
            keys = [key for key in self._older if key[0] == tp]
            wanted = [*(self._older.pop(key) for key in keys), *wanted]
        for record in wanted:
            self._next[tp] = max(self._next[tp], record.offset + 1)
            outcome = self._read(tp, record)
            if outcome is not None:
                news.add(outcome)
            await asyncio.sleep(0)  # others are answered in between
        for name in sorted(news):
            self._feed.tell_model(name)

    def _read(self, tp: TopicPartition, record: Any) -> str | None:
        kind = self._kinds[tp]
        try:
            return self._models.take(kind, record.value)
        except ValueError as error:
            self._metrics.unreadable_models.labels(kind).inc()
            logger.warning(
                "%s, partition %d, offset %d is not read, what is known stays: %s",
                *(kind, tp.partition, record.offset, error),
            )
            return None


def _key(value: bytes | None) -> Key | None:
    """Which version a snapshot is of, at a thirtieth of what reading it takes."""
    try:
        found = _head(value or b"")
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found.outcome, found.version

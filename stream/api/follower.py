"""Reads `scores` and `band-changes` into the view, with no consumer group: the view knows how far it is."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.api.feed import LOGS, Feed
from stream.api.metrics import Metrics
from stream.api.view import Log, Reached, Read, View, Written, mark
from stream.broker.client import answering
from stream.broker.topics import Topics
from stream.errors import BandshiftError
from stream.partition.outputs import BAND_CHANGES, SCORES

_SCORES_BACK: Final = 250_000
"""A new view begins so many scores before the end: the trend needs no more, and it takes some seconds."""
_LARGE: Final = 20_000
"""Records of one batch while catching up: written at once, they cost half of what small ones do."""
_CAUGHT_UP_SECONDS: Final = 5.0
_REST_SECONDS: Final = 1.0
_POLL_MS: Final = 500

Result = TypeVar("Result")
logger = logging.getLogger("bandshift.api")


class Follower:
    """Keeps the view and the feed up with the topics."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topics: Topics,
        partitions: int,
        view: View,
        feed: Feed,
        metrics: Metrics,
        is_live: Callable[[int], bool],
    ) -> None:
        """`is_live` tells whether a partition's clock is the broker's, so that latencies mean something."""
        self._consumer, self._view, self._feed, self._metrics = consumer, view, feed, metrics
        self._is_live = is_live
        self._logs = {
            TopicPartition(topics.name(kind), partition): Log(kind, partition)
            for kind in LOGS
            for partition in range(partitions)
        }
        self._tps = {log: tp for tp, log in self._logs.items()}
        self._marks: dict[Log, Reached] = {}
        self._next: dict[Log, int] = {}
        self._passed: dict[Log, int] = {}
        """Where reading goes on: ends of transactions take up offsets, and are no records."""
        self._ends: dict[Log, int] = {}
        self._at_end = float("-inf")
        self._goal: dict[Log, int] = {}
        self._goal_set = float("-inf")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="view-writer")
        self.error: str | None = None

    @property
    def lag(self) -> int:
        """Records of both topics that the view lacks, as far as the broker has told."""
        return sum(max(0, end - self._reached(log)) for log, end in self._known_ends().items())

    def _reached(self, log: Log) -> int:
        return max(self._next[log], self._passed.get(log, 0))

    def _known_ends(self) -> dict[Log, int]:
        return {
            log: max(end, self._consumer.highwater(self._tps[log]) or 0)
            for log, end in self._ends.items()
        }

    @property
    def caught_up(self) -> bool:
        """Whether the view has all that the topics held a few seconds ago."""
        return time.monotonic() - self._at_end < _CAUGHT_UP_SECONDS

    async def run(self) -> None:
        """Follow until cancelled; what fails is tried again from where the view stands."""
        self._consumer.assign(list(self._logs))
        try:
            while True:
                try:
                    await self._follow()
                except (BandshiftError, KafkaError, OSError, sqlite3.Error) as error:
                    self.error = f"{type(error).__name__}: {error}"
                    logger.warning("the view does not get on: %s", self.error)
                except Exception as error:
                    self.error = type(error).__name__
                    logger.exception("the view does not get on")
                await asyncio.sleep(_REST_SECONDS)
        finally:
            self._writer.shutdown()

    async def _follow(self) -> None:
        await self._seek()
        while True:
            batch = await self._read()
            passed = {log: await self._consumer.position(tp) for tp, log in self._logs.items()}
            now = time.time()
            if batch and not self._same_topic(batch):
                await self._rebuild()
                continue
            batch = {
                log: records
                for log, records in batch.items()
                if records[-1].offset >= self._next[log]
            }
            if batch:
                await self._take(batch, now)
            self._passed = passed
            self.error = None
            self._look_for_end()

    def _look_for_end(self) -> None:
        """Note the latest moment whose end was reached: in a steady flow there is always a record more to read."""
        if all(self._reached(log) >= end for log, end in self._goal.items()):
            self._at_end = max(self._at_end, self._goal_set)
            self._goal, self._goal_set = self._known_ends(), time.monotonic()
        if not self.lag:
            self._at_end = time.monotonic()

    async def _read(self) -> dict[Log, Sequence[Any]]:
        """The next records: many while catching up, those of a moment at the end."""
        found = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_LARGE)
        return {self._logs[tp]: records for tp, records in found.items() if records}

    # -- where to begin ----------------------------------------------------------------------------------

    async def _seek(self) -> None:
        """Go to where the view stands: one record before it, to see whether it is still the same topic."""
        reached = await self._in_thread(self._view.reached)
        with answering():
            first = await self._consumer.beginning_offsets(list(self._logs))
            ends = await self._consumer.end_offsets(list(self._logs))
        if any(
            there.next > ends[self._tps[log]] for log, there in reached.items() if log in self._tps
        ):
            await self._rebuild()
            return
        partitions = len(self._logs) // len(LOGS)
        self._marks, self._passed = {}, {}
        for tp, log in self._logs.items():
            low = (
                max(first[tp], ends[tp] - _SCORES_BACK // partitions)
                if log.kind == SCORES
                else first[tp]
            )
            there = reached.get(log)
            if there is None or there.next <= low:
                self._next[log] = low
                self._consumer.seek(tp, low)
            else:
                self._next[log], self._marks[log] = there.next, there
                self._consumer.seek(tp, there.next - 1)
        self._ends = {log: ends[tp] for tp, log in self._logs.items()}
        self._feed.publish(self._next, Written())
        self._goal, self._goal_set = self._known_ends(), time.monotonic()
        self._look_for_end()

    def _same_topic(self, batch: Mapping[Log, Sequence[Any]]) -> bool:
        """Whether records go on where the view ends, after the one that was the last one then."""
        for log, records in batch.items():
            there = self._marks.pop(log, None)
            first = records[0]
            if first.offset < self._next[log] - 1:  # begun anew while we were reading
                return False
            if there is not None and first.offset < there.next and mark(first.value) != there.mark:
                return False
        return True

    async def _rebuild(self) -> None:
        logger.warning("the topics are not those that the view was made from: making it anew")
        await self._in_thread(self._view.rebuild)
        self._feed.reset()
        self._at_end = float("-inf")
        await self._seek()

    # -- taking in ---------------------------------------------------------------------------------------

    async def _take(self, batch: Mapping[Log, Sequence[Any]], now: float) -> None:
        rows = {
            log: [
                Read(record.offset, record.value)
                for record in records
                if record.offset >= self._next[log]
            ]
            for log, records in batch.items()
        }
        written = await self._in_thread(lambda: self._view.write(rows))
        for log, records in rows.items():
            self._next[log] = records[-1].offset + 1
        self._feed.publish({log: self._next[log] for log in rows}, written)
        self._metrics.unreadable.inc(written.unreadable)
        if self.caught_up:
            self._measure(batch, written, now)

    def _measure(self, batch: Mapping[Log, Sequence[Any]], written: Written, now: float) -> None:
        stamps = {
            (log.partition, record.offset): record.timestamp
            for log, records in batch.items()
            if log.kind == BAND_CHANGES
            for record in records
        }
        for partition, offset, decided_ms in written.decided:
            if self._is_live(partition):
                # Two machines' clocks may differ by a little; a latency is never below nothing.
                published = stamps[partition, offset] - decided_ms
                self._metrics.published.observe(max(0, published) / 1000)
                self._metrics.readable.observe(max(0.0, now - decided_ms / 1000))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

"""News of models for the workers: `model-snapshots`, followed from its beginning."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer

from stream.agents.waiting import Waiting
from stream.broker import reading
from stream.errors import BandshiftError
from stream.model.models import Library
from stream.model.snapshot import UnreadableSnapshotError, decode_snapshot
from stream.partition.intake import Record

VERSION = "bandshift-version"
KNOWN_TO = "bandshift-known-to"
"""Headers of a snapshot's record: what it is, should its body be damaged."""
_REST_SECONDS = 1.0

logger = logging.getLogger("bandshift.worker")


class Follower:
    """Fills a library, and wakes who waits for it."""

    def __init__(self, library: Library, waiting: Waiting) -> None:
        self._library = library
        self._waiting = waiting
        self._came = asyncio.Condition()

    async def until(self, enough: Callable[[], bool], seconds: float) -> bool:
        """See `stream.agents.waiting.Arrivals`."""
        self._waiting.begins(enough)
        try:
            async with asyncio.timeout(seconds), self._came:
                await self._came.wait_for(enough)
        except TimeoutError:
            self._waiting.goes_on()
        self._waiting.news()
        return enough()

    async def follow(self, consumer: AIOKafkaConsumer, topic: str, partitions: int) -> None:
        """Follow the topic until cancelled; where the broker does not answer, begin again."""
        while True:
            try:
                async for records in reading.follow(consumer, [topic], partitions, from_start=True):
                    for record in records:
                        self.take(record)
                    self._waiting.news()
                    async with self._came:
                        self._came.notify_all()
            except BandshiftError as error:
                logger.warning("%s", error)
                await asyncio.sleep(_REST_SECONDS)

    def take(self, record: Record) -> None:
        """Take one record in; one that cannot be read is told, and what there is is kept."""
        try:
            self._library.add(decode_snapshot(record.value or b""))
        except UnreadableSnapshotError as error:
            headers = dict(record.headers)
            logger.warning("model-snapshots, offset %d: %s", record.offset, error)
            version, known_to = headers.get(VERSION), headers.get(KNOWN_TO)
            if record.key and version and known_to and version.isdigit() and known_to.isdigit():
                self._library.spoil(record.key.decode(), int(version), int(known_to))

"""The learner: Faust agent `learn`, one writer per outcome.

Learners of a namespace are a consumer group over `model-snapshots`; whoever owns the partition of an outcome
learns it. What is learned depends on the records of `examples` alone, so a former owner that has not noticed
yet publishes the same again, and harms nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from schemas.decisions import Decisions
from schemas.home import home
from stream.agents.channel import Put
from stream.agents.desk import KafkaDesk
from stream.agents.lesson import Lesson, resume
from stream.broker import reading
from stream.broker.client import answering
from stream.broker.topics import Topics
from stream.errors import BrokerError
from stream.features.vector import Vectorizer
from stream.model.learning.school import School
from stream.model.snapshot import Snapshot, UnreadableSnapshotError, decode_snapshot
from stream.partition.control import Signer

_MOST_RECORDS: Final = 5_000
_KEEP_SECONDS: Final = 30.0
"""How often what starting again needs is kept: it is large, and trained again in less than that."""
_FIRST_SECONDS: Final = 3.0
"""After so long for the first time: killed before, a learner begins again while workers wait for it."""
_LOOK_MS: Final = 100

logger = logging.getLogger("bandshift.learner")


class Duties(ConsumerRebalanceListener):  # type: ignore[misc]
    """Which outcomes this process learns."""

    def __init__(self, outcomes: Sequence[str], partitions: int) -> None:
        self._homes = {name: home(name, partitions) for name in outcomes}
        self.outcomes: list[str] = []
        self.changed = True

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing is mine until I am told so."""
        del revoked
        self.outcomes, self.changed = [], True

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """These are mine from now on."""
        mine = {tp.partition for tp in assigned}
        self.outcomes = [name for name, number in self._homes.items() if number in mine]
        self.changed = True
        logger.info("outcomes: %s", ", ".join(self.outcomes) or "none")


@dataclass
class Batch:
    """What one look at `examples` brought, for the agent; `done` is set whatever comes of it."""

    lesson: Lesson
    records: dict[int, Sequence[Any]]
    done: asyncio.Future[int]

    async def learn(self) -> None:
        """Take the records in, and learn what is complete."""
        try:
            for partition, records in self.records.items():
                self.lesson.take(partition, records)
            self.done.set_result(await self.lesson.teach())
        except Exception as error:  # noqa: BLE001 -- raised again where it is awaited
            self.done.set_exception(error)


class Learner:
    """Reads `examples` for as long as its duties stay the same, then begins again with the new ones."""

    def __init__(
        self,
        group: AIOKafkaConsumer,
        reader: AIOKafkaConsumer,
        desk: KafkaDesk,
        topics: Topics,
        partitions: int,
        decisions: Decisions,
        vectorizer: Vectorizer,
        signer: Signer,
    ) -> None:
        """`signer` checks the control records of `examples`."""
        self._group = group
        self._reader = reader
        self._desk = desk
        self._topics = topics
        self._partitions = partitions
        self._decisions = decisions
        self._vectorizer = vectorizer
        self._signer = signer
        self.duties = Duties([each.name for each in decisions.outcomes], partitions)

    async def run(self, put: Put, stopping: Callable[[], bool]) -> None:
        """Learn until told to stop; what starting again needs is kept at the end."""
        while not stopping():
            await self._look()
            if not self.duties.changed:
                continue
            self.duties.changed = False
            if self.duties.outcomes:
                await self._learn(put, stopping)

    async def _look(self) -> None:
        """Stay in the group: its records are not read here."""
        with answering():
            assigned = self._group.assignment()
            self._group.pause(*assigned)
            await self._group.getmany(timeout_ms=_LOOK_MS)

    async def _learn(self, put: Put, stopping: Callable[[], bool]) -> None:
        school = School(self._vectorizer, self._decisions, self.duties.outcomes)
        offsets = resume(school, await self._states())
        lesson = Lesson(school, self._partitions, self._desk, self._signer, offsets)
        await self._seek(offsets)
        loop = asyncio.get_running_loop()
        kept, fresh = loop.time() - _KEEP_SECONDS + _FIRST_SECONDS, 0
        while not stopping() and not self.duties.changed:
            with answering():
                found = await self._reader.getmany(timeout_ms=_LOOK_MS, max_records=_MOST_RECORDS)
            if found:
                records = {tp.partition: records for tp, records in found.items()}
                batch = Batch(lesson, records, loop.create_future())
                await put(batch)
                fresh += await batch.done
            if fresh and loop.time() - kept >= _KEEP_SECONDS:
                await self._keep(lesson)
                kept, fresh = loop.time(), 0
        if fresh and not self.duties.changed:
            await self._keep(lesson)

    async def _keep(self, lesson: Lesson) -> None:
        """Keep what starting again needs; without it, a learner starts again from an earlier state."""
        try:
            await self._desk.keep(lesson.states())
        except BrokerError as error:
            logger.warning("model-states: what starting again needs was not kept: %s", error)

    async def _states(self) -> list[Snapshot]:
        """The latest states of all outcomes, as far as they can be read."""
        latest: dict[bytes, list[Any]] = {}
        topic = self._topics.model_states
        whole = await reading.bounds(self._reader, topic, self._partitions)
        async for _, records in reading.span(self._reader, topic, dict(enumerate(whole))):
            for record in records:  # megabytes each: of an outcome only the last two are kept
                kept = latest.setdefault(record.key or b"", [])
                kept[:] = [*kept[-1:], record]
        found: list[Snapshot] = []
        for record in (each for kept in latest.values() for each in kept):
            try:
                found.append(decode_snapshot(record.value or b""))
            except UnreadableSnapshotError as error:
                logger.warning("model-states, offset %d: %s", record.offset, error)
        return sorted(found, key=lambda each: each.known_s)

    async def _seek(self, offsets: dict[int, int]) -> None:
        topic = self._topics.examples
        whole = await reading.bounds(self._reader, topic, self._partitions)
        with answering():
            self._reader.assign([TopicPartition(topic, n) for n in range(self._partitions)])
            for number, span in enumerate(whole):
                self._reader.seek(
                    TopicPartition(topic, number), max(span.begin, offsets.get(number, 0))
                )

"""A namespace's log into another one: what must hold before, then round after round up to where the log ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.decisions import Decisions
from schemas.home import home
from schemas.types import TypeRegistry
from stream.broker import reading, setup
from stream.broker.batches import Batches
from stream.broker.client import answering
from stream.broker.copier import Copied, Copier
from stream.broker.group import owners
from stream.broker.merging import merged
from stream.broker.reading import Bounds, bounds
from stream.broker.topics import Topics
from stream.errors import BrokerError, SettingsError
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.models import Library, Models
from stream.model.snapshot import Snapshot, UnreadableSnapshotError, decode_snapshot
from stream.store.port import Store

Watch = Callable[[int, int], None]
"""Told how many records of the log are done, and how many there are."""
_MOST_WAITING: Final = 4_000
"""Records sent between two looks at whether to stop."""


class _Head(msgspec.Struct):
    outcome: str


_head = msgspec.json.Decoder(_Head).decode


async def prepare(
    admin: AIOKafkaAdminClient,
    consumer: AIOKafkaConsumer,
    store: Store,
    topics: Topics,
    count: int,
    replication: int,
    *,
    asked: bool,
) -> int:
    """Make the topics of a namespace that is to hold a copy; how many partitions they have.

    `count` is what missing ones get; with `asked`, what they must have. Raises BrokerError or SettingsError
    where the namespace holds anything: a copy has no other record before or between its own.
    """
    await setup.create(admin, topics, count, replication)
    partitions = await setup.partitions(admin, topics)
    if asked and partitions != count:
        raise SettingsError(
            f"--partitions: expected {partitions}, as many as {topics.touchpoints} has, got {count}",
            "leave the option out, or choose another name",
        )
    out = (
        f"choose another name, or delete the topics and keys of {topics.namespace!r} and try again"
    )
    held = sum(span.end for span in await bounds(consumer, topics.touchpoints, partitions))
    if held:
        raise BrokerError(
            f"{topics.touchpoints}: expected an empty topic, got {held:,} records", out
        )
    if any(each.position is not None for each in await store.standings(range(partitions))):
        raise BrokerError(f"Redis: expected no states of the namespace {topics.namespace!r}", out)
    if await owners(admin, topics):
        raise BrokerError(
            f"{topics.touchpoints}: workers are at work already",
            "stop them: a live worker would turn the clock between records of the past",
        )
    return partitions


async def fit(
    consumer: AIOKafkaConsumer, topics: Topics, partitions: int, decisions: Decisions
) -> bool | None:
    """Whether the latest model of every outcome can be used by this release; None where there is no model."""
    names = {outcome.name for outcome in decisions.outcomes}
    found: dict[str, Snapshot] = {}
    pages = reading.backwards(consumer, topics.model_snapshots, partitions)
    async with aclosing(pages) as steps:
        async for records in steps:
            for record in reversed(records):
                try:
                    name = _head(record.value or b"").outcome
                    if name in names and name not in found:
                        snapshot = decode_snapshot(record.value)
                        if snapshot.version:
                            found[name] = snapshot
                except (msgspec.MsgspecError, RecursionError, UnreadableSnapshotError):
                    continue
            if len(found) == len(names):
                break
    return all(_usable(list(found.values()), decisions)) if found else None


def _usable(snapshots: Sequence[Snapshot], decisions: Decisions) -> Iterator[bool]:
    library = Library()
    for snapshot in snapshots:
        library.add(snapshot)
    vectorizer = Vectorizer(Layout(TypeRegistry(decisions.types)))
    models = Models(vectorizer, decisions.outcomes, library)
    # Types may have been added since: then the features are those of fewer types.
    numbers = range(len(decisions.types) + 1)
    layouts = [Layout(TypeRegistry(decisions.types[:number])) for number in numbers]
    hashes = {Vectorizer(layout).schema_hash for layout in layouts}
    for each in snapshots:
        yield each.schema in hashes and models.readable(each.outcome, each.version)


class Copying:
    """Copies the log of one namespace into another, and the models where they are wanted."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        source: Topics,
        target: Topics,
        counts: Mapping[str, int],
        into: int,
        copier: Copier,
        *,
        models: bool,
    ) -> None:
        """`counts`: topic -> partitions of the namespace that is copied."""
        self.snapshots = 0
        """Records of models copied."""
        self._consumer, self._producer = consumer, producer
        self._source, self._target = source, target
        self._counts, self._into = counts, into
        self._copier, self._models = copier, models
        self._batches = Batches(producer, target.touchpoints, into)
        self._reached: dict[str, list[int]] = {}

    async def round(self, stopped: Callable[[], bool], watch: Watch) -> int:
        """Copy up to where the log ends now, or until stopped; how many records there were."""
        log = await self._new(self._source.touchpoints)
        whole = sum(span.end - span.begin for span in log.values())
        if self._models:
            # Read after the log's ends: every version that is adopted before them is there by then.
            await self._copy_models(await self._new(self._source.model_snapshots))
        done = sent = 0
        async for partition, record, clock in self._records(log):
            for copied in self._copier.take(partition, record, clock):
                await self._add(copied)
            done += 1
            sent += 1
            if sent >= _MOST_WAITING:
                sent = 0
                watch(done, whole)
                if stopped():
                    break
        with answering():
            await self._batches.done()
        return done

    async def finish(self) -> None:
        """Let all partitions stand at the same time."""
        for copied in self._copier.finish():
            await self._add(copied)
        with answering():
            await self._batches.done()

    async def _new(self, topic: str) -> dict[int, Bounds]:
        """What came in a topic since the last time."""
        found = await bounds(self._consumer, topic, self._counts[topic])
        reached = self._reached.get(topic, [0] * len(found))
        self._reached[topic] = [span.end for span in found]
        return {
            number: Bounds(max(span.begin, reached[number]), span.end)
            for number, span in enumerate(found)
        }

    async def _records(self, log: Mapping[int, Bounds]) -> AsyncIterator[tuple[int, Any, int]]:
        topic, turn = self._source.touchpoints, self._copier.turn
        if self._copier.spread:
            async for row in merged(self._consumer, topic, log, turn):
                for clock, partition, record in row:
                    yield partition, record, clock
        else:
            async for partition, records in reading.span(self._consumer, topic, log):
                for record in records:
                    yield partition, record, turn(partition, record)

    async def _add(self, copied: Copied) -> None:
        number, key, value, headers, at = copied
        if not self._batches.add(number, key, value, at, headers):
            with answering():
                await self._batches.ship(number)
            self._batches.add(number, key, value, at, headers)

    async def _copy_models(self, new: Mapping[int, Bounds]) -> None:
        waiting: list[Awaitable[Any]] = []
        async for _, records in reading.span(self._consumer, self._source.model_snapshots, new):
            for record in records:
                with answering():
                    waiting.append(await self._send_model(record))
                self.snapshots += 1
        for each in waiting:
            with answering():
                await each

    async def _send_model(self, record: Any) -> Awaitable[Any]:
        outcome = (record.key or b"").decode(errors="replace")
        sent: Awaitable[Any] = await self._producer.send(
            self._target.model_snapshots,
            record.value,
            record.key or b"",
            partition=home(outcome, self._into),
            headers=list(record.headers),
            timestamp_ms=record.timestamp,
        )
        return sent

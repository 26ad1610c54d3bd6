"""What a run's models have come to, outcome by outcome: versions in force, and how well they predict."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.broker import client
from stream.broker.client import answering
from stream.broker.snapshots import read_snapshots
from stream.demo.deployment import Deployment
from stream.model.linear import LEARNED, PRIOR
from stream.partition.ledger import Ledger
from stream.pipeline import ADOPTIONS, MODEL


@dataclass(frozen=True, kw_only=True)
class Learned:
    """One outcome. Examples are those whose horizon has ended; log-losses are in nats, of what was said then."""

    model_version: int = 0
    """Of the model in force; 0 is the prior."""
    examples: int = 0
    positives: int = 0
    log_loss: dict[str, float]
    """By champion, prior and base rate; empty before the first example."""
    ece: float | None = None
    adoptions: int = 0

    @property
    def basis(self) -> str:
        """What the score rests on."""
        return LEARNED if self.model_version else PRIOR


class _Metrics(msgspec.Struct):
    log_loss: dict[str, float] = {}
    ece: float | None = None


class _Told(msgspec.Struct):
    """What is looked at of a snapshot: a thirtieth of what reading all of it takes."""

    outcome: str
    version: int
    examples: int
    positives: int
    metrics: _Metrics


_read = msgspec.json.Decoder(_Told).decode


def in_force(ledgers: Sequence[Ledger], outcome: str) -> int:
    """The latest version that decides in any partition; 0 for the prior."""
    return max((each.versions.get(MODEL + outcome, 0) for each in ledgers), default=0)


def _learned(outcome: str, told: _Told | None, ledgers: Sequence[Ledger]) -> Learned:
    adoptions = max((each.counts.get(ADOPTIONS + outcome, 0) for each in ledgers), default=0)
    version = in_force(ledgers, outcome)
    if told is None:
        return Learned(model_version=version, log_loss={}, adoptions=adoptions)
    return Learned(
        model_version=version,
        examples=told.examples,
        positives=told.positives,
        log_loss=dict(told.metrics.log_loss),
        ece=told.metrics.ece,
        adoptions=adoptions,
    )


class Models:
    """One consumer of `model-snapshots`, read along while the demo runs."""

    def __init__(self, consumer: AIOKafkaConsumer, outcomes: Sequence[str]) -> None:
        self._consumer = consumer
        self._told: dict[str, _Told | None] = dict.fromkeys(outcomes)

    async def look(self, ledgers: Sequence[Ledger]) -> dict[str, Learned]:
        """By outcome, as of the latest snapshot that has come; waits for nothing."""
        with answering():
            found = await self._consumer.getmany(timeout_ms=0)
        for records in found.values():
            self._take(records)
        return {name: _learned(name, told, ledgers) for name, told in self._told.items()}

    def _take(self, records: Sequence[Any]) -> None:
        for record in records:
            told = _read(record.value)
            if told.version:  # others only say how far the learner is
                self._told[told.outcome] = told


@asynccontextmanager
async def models(deployment: Deployment) -> AsyncIterator[Models]:
    """A started reader."""
    settings, topic = deployment.settings, deployment.topics.model_snapshots
    async with client.reader(settings.kafka) as consumer:
        tps = [TopicPartition(topic, number) for number in range(deployment.partitions)]
        with answering():
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
        yield Models(consumer, [outcome.name for outcome in settings.outcomes])


async def conclude(deployment: Deployment, ledgers: Sequence[Ledger]) -> dict[str, Learned]:
    """By outcome, what the version in force says of itself."""
    names = [outcome.name for outcome in deployment.settings.outcomes]
    wanted = {(name, in_force(ledgers, name)) for name in names}
    async with client.reader(deployment.settings.kafka) as consumer:
        found = await read_snapshots(
            consumer,
            deployment.topics.model_snapshots,
            deployment.partitions,
            {key for key in wanted if key[1]},
        )
    told = {
        each.outcome: _Told(
            each.outcome,
            each.version,
            each.examples,
            each.positives,
            msgspec.convert(each.metrics, _Metrics),
        )
        for each in found
    }
    return {name: _learned(name, told.get(name), ledgers) for name in names}

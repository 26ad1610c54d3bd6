"""Where the learner's work goes: its topics in Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from aiokafka import AIOKafkaProducer

from schemas.home import home
from stream.agents.arrivals import KNOWN_TO, VERSION
from stream.broker.client import answering
from stream.broker.topics import Topics
from stream.model.learning.trainer import Event
from stream.model.snapshot import Snapshot, encode_snapshot, moment
from stream.partition.control import Kind, Signer
from stream.partition.outputs import CONTENT_TYPE, SOURCE
from stream.pipeline import MODEL

_JSON: Final = ("content-type", b"application/json")


class KafkaDesk:
    """A `Desk` over one producer."""

    def __init__(
        self, producer: AIOKafkaProducer, topics: Topics, partitions: int, signer: Signer
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._partitions = partitions
        self._signer = signer

    async def publish(self, snapshots: Sequence[Snapshot]) -> None:
        await self._put(self._topics.model_snapshots, snapshots)

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        await self._put(self._topics.model_states, snapshots)

    async def _put(self, topic: str, snapshots: Sequence[Snapshot]) -> None:
        with answering():
            await asyncio.gather(
                *[
                    self._producer.send_and_wait(
                        topic,
                        encode_snapshot(each),
                        each.outcome.encode(),
                        partition=home(each.outcome, self._partitions),
                        headers=[
                            _JSON,
                            (VERSION, b"%d" % each.version),
                            (KNOWN_TO, b"%d" % each.known_s),
                        ],
                    )
                    for each in snapshots
                ]
            )

    async def tell(self, events: Sequence[tuple[str, int, Event]]) -> None:
        with answering():
            for outcome, version, event in events:
                await self._producer.send_and_wait(
                    self._topics.model_events,
                    _cloud_event(outcome, version, event),
                    outcome.encode(),
                    partition=home(outcome, self._partitions),
                    headers=list(CONTENT_TYPE),
                )

    async def adopt(self, partition: int, outcome: str, version: int) -> None:
        value, headers = self._signer.control(partition, Kind.ADOPT, MODEL + outcome, version)
        with answering():
            await self._producer.send_and_wait(
                self._topics.touchpoints, value, b"", partition=partition, headers=list(headers)
            )


def _cloud_event(outcome: str, version: int, event: Event) -> bytes:
    told = "\0".join((outcome, event.kind, str(event.at), event.text))
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": blake2b(told.encode(), digest_size=16).hexdigest(),
            "source": SOURCE,
            "type": "bandshift.model-event.v1",
            "subject": outcome,
            "time": moment(event.at),
            "datacontenttype": "application/json",
            "partitionkey": outcome,
            "data": {
                "outcome": outcome,
                "kind": event.kind,
                "version": version,
                "at": moment(event.at),
                "text": event.text,
                "details": event.details,
            },
        }
    )

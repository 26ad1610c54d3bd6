"""Where contestants run: topics of a namespace, with a log in them that was written before anybody starts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from benchmarks.log import DAY, Touch
from schemas.home import home
from stream.broker import client
from stream.broker.topics import CLOCK, LIVE_CLOCK, Topics
from stream.errors import BrokerError
from stream.partition.control import Headers, Kind, Signer
from stream.settings import Settings

PARTITIONS: Final = 8
TICK_MS: Final = DAY * 1000


class Row(NamedTuple):
    """A record to write."""

    partition: int
    at: int
    key: bytes
    value: bytes | None
    headers: Headers = ()


async def create(settings: Settings, spaces: Sequence[Topics]) -> None:
    """Make all topics of the settings' namespace, and those that peers write to.

    The broker stamps what comes out: by its clock everybody's speed is measured.
    """
    stamped = {CLOCK: LIVE_CLOCK}
    declared = dict(Topics(settings.namespace).declared())
    for space in spaces:
        for name in (space.scores, space.band_changes):
            declared[name] = space.declared()[name] | stamped
    async with client.admin(settings.kafka) as admin:
        await _create(admin, declared)


async def _create(admin: AIOKafkaAdminClient, declared: Mapping[str, dict[str, str]]) -> None:
    new = [NewTopic(name, PARTITIONS, 1, topic_configs=each) for name, each in declared.items()]
    answer = await admin.create_topics(new)
    for name, code, *message in answer.topic_errors:
        if code:
            told = " ".join(filter(None, message))
            raise BrokerError(f"Kafka: topic {name}: {for_code(code).__name__} {told}")


def rows(settings: Settings, log: Sequence[Touch]) -> Iterator[Row]:
    """A log as records: every touchpoint in its customer's home at its own time, a tick a day everywhere."""
    topics = Topics(settings.namespace)
    signer = Signer(settings.control_key(), topics.touchpoints)
    homes: dict[str, int] = {}
    day = log[0].at // TICK_MS
    for at, customer, value in log:
        if at // TICK_MS > day:
            day = at // TICK_MS
            yield from ticks(signer, day * TICK_MS)
        where = homes.get(customer)
        if where is None:
            where = homes[customer] = home(customer, PARTITIONS)
        yield Row(where, at, customer.encode(), value)


def ticks(signer: Signer, at: int) -> Iterator[Row]:
    """A tick for every partition."""
    for partition in range(PARTITIONS):
        value, headers = signer.control(partition, Kind.TICK)
        yield Row(partition, at, b"", value, headers)


async def write(settings: Settings, found: Iterable[Row]) -> int:
    """Write records into the namespace's touchpoints, in their order by partition; how many they were."""
    by_home: dict[int, list[Row]] = {}
    for row in found:
        by_home.setdefault(row.partition, []).append(row)
    topic = Topics(settings.namespace).touchpoints
    async with client.producer(settings.kafka) as producer:
        for partition, each in by_home.items():
            await _write(producer, topic, partition, each)
    return sum(map(len, by_home.values()))


async def _write(
    producer: AIOKafkaProducer, topic: str, partition: int, found: Sequence[Row]
) -> None:
    sent: list[asyncio.Future[Any]] = []
    batch = producer.create_batch()
    for row in found:
        record = {"key": row.key, "value": row.value, "timestamp": row.at}
        if batch.append(**record, headers=list(row.headers)) is None:
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**record, headers=list(row.headers))
    batch.close()
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment in which another program has the same connections and namespace."""
    kafka = settings.kafka
    given = {
        "BANDSHIFT_NAMESPACE": settings.namespace,
        "BANDSHIFT_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "BANDSHIFT_KAFKA__SECURITY": kafka.security,
        "BANDSHIFT_REDIS__URL": settings.redis.url.get_secret_value(),
        "BANDSHIFT_CONTROL__KEY": settings.control_key().decode(),
        "BANDSHIFT_LEARNING": settings.learning.model_dump_json(),
    }
    if kafka.username is not None and kafka.password is not None:
        given["BANDSHIFT_KAFKA__USERNAME"] = kafka.username
        given["BANDSHIFT_KAFKA__PASSWORD"] = kafka.password.get_secret_value()
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BANDSHIFT_")}
    return kept | given | more

"""The worker: a Faust app whose agent `score` gets whole batches from a source of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer
from faust.app.base import BootStrategy

from stream.agents.owner import Owner, Parts
from stream.agents.source import FINISH_SECONDS, Put, Source
from stream.broker import client, setup
from stream.broker.log import KafkaLog
from stream.broker.topics import Topics
from stream.partition.control import Signer
from stream.pipeline import Pipelines
from stream.settings import Settings
from stream.store.redis import RedisStore


def signer(settings: Settings, topics: Topics) -> Signer:
    """Signs the control records of this deployment."""
    return Signer(settings.control_key(), topics.touchpoints)


def pipelines(settings: Settings, topics: Topics, partitions: int) -> Pipelines:
    """The decision, as the log or else these settings have it."""
    return Pipelines(
        settings.decisions,
        signer(settings, topics),
        partitions,
        silence=settings.worker.silence,
    )


def store(settings: Settings, topics: Topics) -> RedisStore:
    """The store of this namespace."""
    redis = settings.redis
    url = redis.url.get_secret_value()
    return RedisStore(url, topics.space, cluster=redis.cluster, timeout=redis.timeout_seconds)


class _Channels(BootStrategy):
    """Faust's own consumer and producer have nothing to do here, and without topics its conductor crashes."""

    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy = _Channels

    def _new_consumer(self) -> Any:
        """Streams ask for a consumer, but none is started: close the event loop of its thread at once."""
        made: Any = super()._new_consumer()
        made._thread.thread_loop.close()  # noqa: SLF001
        return made

    def _create_directories(self) -> None:
        """Faust would keep tables there; a worker keeps nothing on disk, and may have none to write to."""

    async def _producer_flush(self, logger: Any) -> None:
        """Faust's producer was never started; waiting for it to be empty would never end."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set: then the batch under way is finished, committed, and the group left.

    Raises a BandshiftError where it cannot start or go on.
    """
    topics = Topics(settings.namespace)
    async with client.admin(settings.kafka) as admin:
        partitions = await setup.partitions(admin, topics)
    made = store(settings, topics)
    try:
        await made.standings([0])
        async with (
            client.producer(settings.kafka, batch=client.OUTPUTS_BATCH) as producer,
            _consumer(settings, topics) as consumer,
        ):
            log = KafkaLog(consumer, producer, topics, signer(settings, topics))
            parts = Parts(
                pipelines(settings, topics, partitions),
                made,
                log,
                time.time,
                cached=settings.worker.cached_customers,
                step_records=settings.worker.step_records,
            )
            source = Source(
                consumer,
                log,
                topics.touchpoints,
                lambda number: Owner(number, parts),
                settings.worker,
                partitions,
            )
            consumer.subscribe([topics.touchpoints], listener=source)
            await _serve(source, stop)
    finally:
        await made.close()


async def _serve(source: Source, stop: asyncio.Event) -> None:
    app = _App("bandshift", broker="kafka://", web_enabled=False, topic_disable_leader=True)
    channel = app.channel(maxsize=1)

    @app.agent(channel, name="score")
    async def score(polls: Any) -> None:
        async for poll in polls:
            poll.begin()

    await app.start()
    try:
        while not channel.subscriber_count:  # noqa: ASYNC110 -- Faust tells nobody; what is put before vanishes
            await asyncio.sleep(0.01)
        app.flow_control.resume()  # suspended until told otherwise: put() would wait for ever
        await source.run(cast("Put", channel.put), stop.is_set)
    finally:
        await app.stop()


@asynccontextmanager
async def _consumer(settings: Settings, topics: Topics) -> AsyncIterator[AIOKafkaConsumer]:
    session = settings.worker.session_seconds * 1000
    made = AIOKafkaConsumer(
        **client.options(settings.kafka),
        group_id=topics.group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        session_timeout_ms=int(session),
        heartbeat_interval_ms=int(session / 4),
        # Longer than an owner may take to finish before it lets go; else the slow one is thrown out.
        rebalance_timeout_ms=int(FINISH_SECONDS * 1500),
        isolation_level="read_committed",  # what a producer's transaction took back never happened
        # An owner that hangs is given up by its poll's deadline; an idle standby must not be thrown out.
        max_poll_interval_ms=86_400_000,
        # What one fetch brings of a partition is one turn of its owner; the others wait no longer than that.
        max_partition_fetch_bytes=1 << 20,
        fetch_max_wait_ms=50,  # a partition that was busy when a fetch began waits until it ends
    )
    async with client.started(settings.kafka, made, made.stop):
        yield made

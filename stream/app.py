"""The two Faust apps, put together: the worker with its agent `score`, and the learner with `learn`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer

from stream.agents.arrivals import Follower
from stream.agents.channel import serve
from stream.agents.desk import KafkaDesk
from stream.agents.exactly import ExactlyOnceOwner
from stream.agents.learner import Batch, Learner
from stream.agents.owner import Owner, Parts
from stream.agents.source import FINISH_SECONDS, Poll, Source
from stream.agents.waiting import Waiting
from stream.broker import client, group, setup
from stream.broker.log import KafkaLog
from stream.broker.tails import Tails
from stream.broker.topics import Topics
from stream.broker.transactions import KafkaTransactions
from stream.partition.control import Signer
from stream.pipeline import Pipelines
from stream.settings import Settings
from stream.store.redis import RedisStore

_GOODBYE_SECONDS: Final = 1.0
"""What a worker does at its end is done when all is committed; who restarts it must not wait for the rest."""
_NEWS_MS: Final = 50
"""For how long a request for examples or models stays open: what comes meanwhile in a partition that was read last
waits until it returns. At the usual 500 ms a log that keeps step would spend half a second per period on it."""

_MOST_OPEN: Final = 900.0
"""Seconds for which a transaction may be open: Kafka's brokers take no more, unless set up to."""


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


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set: then the batch under way is finished, committed, and the group left.

    Raises a BandshiftError where it cannot start or go on.
    """
    topics = Topics(settings.namespace)
    async with client.admin(settings.kafka) as admin:
        partitions = await setup.partitions(admin, topics)
        await group.check_count(admin, topics, partitions)
    found = pipelines(settings, topics, partitions)
    made = store(settings, topics)
    try:
        await made.standings([0])
        async with (
            client.producer(
                settings.kafka, batch=client.OUTPUTS_BATCH, patience=_GOODBYE_SECONDS
            ) as producer,
            _consumer(settings, topics) as consumer,
            _following(settings, topics, partitions, found) as follower,
            client.reader(settings.kafka, wait_ms=_NEWS_MS) as looker,
        ):
            log = KafkaLog(consumer, producer, topics, signer(settings, topics), partitions)
            parts = Parts(
                found,
                made,
                log,
                time.time,
                cached=settings.worker.cached_customers,
                step_records=settings.worker.step_records,
                arrivals=follower,
                accept_loss=settings.worker.accept_loss,
                tail=Tails(looker, topics.touchpoints, settings.kafka.timeout_seconds).of,
            )
            async with _transactions(settings, topics, consumer, partitions).open() as transactions:

                def owner(number: int) -> Owner:
                    if settings.worker.delivery == "exactly_once":
                        return ExactlyOnceOwner(number, parts, transactions)
                    return Owner(number, parts)

                source = Source(
                    consumer, log, topics.touchpoints, owner, settings.worker, partitions
                )
                consumer.subscribe([topics.touchpoints], listener=source)
                await serve("score", _begin, lambda put: source.run(put, stop.is_set))
    finally:
        await made.close()


def _transactions(
    settings: Settings, topics: Topics, consumer: AIOKafkaConsumer, partitions: int
) -> KafkaTransactions:
    seconds = min(settings.worker.step_seconds, _MOST_OPEN)
    return KafkaTransactions(
        consumer,
        topics,
        lambda number: client.transactional(settings.kafka, topics.publisher(number), seconds),
        partitions,
    )


async def learn(settings: Settings, stop: asyncio.Event) -> None:
    """Learn until `stop` is set. Raises a BandshiftError where it cannot start or go on."""
    topics = Topics(settings.namespace)
    async with client.admin(settings.kafka) as admin:
        partitions = await setup.partitions(admin, topics)
    vectorizer = pipelines(settings, topics, partitions).get("").vectorizer
    async with (
        client.producer(settings.kafka, batch=client.OUTPUTS_BATCH) as producer,
        client.reader(settings.kafka, wait_ms=_NEWS_MS) as reader,
        _duty_consumer(settings, topics) as group,
    ):
        desk = KafkaDesk(producer, topics, partitions, signer(settings, topics))
        decisions = settings.decisions
        orders = Signer(settings.control_key(), topics.examples)
        learner = Learner(group, reader, desk, topics, partitions, decisions, vectorizer, orders)
        group.subscribe([topics.model_snapshots], listener=learner.duties)
        await serve("learn", _learn, lambda put: learner.run(put, stop.is_set))


async def _learn(batch: Batch) -> None:
    await batch.learn()


async def _begin(poll: Poll) -> None:
    poll.begin()


@asynccontextmanager
async def _duty_consumer(settings: Settings, topics: Topics) -> AsyncIterator[AIOKafkaConsumer]:
    """A member of the learners' group: who owns an outcome's partition of `model-snapshots` learns it."""
    session = settings.worker.session_seconds * 1000
    made = AIOKafkaConsumer(
        **client.options(settings.kafka),
        group_id=topics.learners,
        enable_auto_commit=False,
        auto_offset_reset="latest",
        session_timeout_ms=int(session),
        heartbeat_interval_ms=int(session / 4),
        max_poll_interval_ms=86_400_000,
    )
    async with client.started(settings.kafka, made, made.stop):
        yield made


@asynccontextmanager
async def _following(
    settings: Settings, topics: Topics, partitions: int, found: Pipelines
) -> AsyncIterator[Follower]:
    """Snapshots come in meanwhile."""
    follower = Follower(found.library, Waiting(settings.namespace))
    async with client.reader(settings.kafka, wait_ms=_NEWS_MS) as consumer:
        work = asyncio.create_task(follower.follow(consumer, topics.model_snapshots, partitions))
        try:
            yield follower
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


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
        metadata_max_age_ms=10_000,  # a topic that was enlarged is noticed within that
        # What one fetch brings of a partition is one turn of its owner; the others wait no longer than that.
        max_partition_fetch_bytes=1 << 20,
        fetch_max_wait_ms=50,  # a partition that was busy when a fetch began waits until it ends
    )
    async with client.started(settings.kafka, made, made.stop, _GOODBYE_SECONDS):
        yield made

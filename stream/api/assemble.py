"""Puts the API's parts together over real Kafka, Redis and a file."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.api.broker import KafkaEnds, KafkaSender
from stream.api.current import Current
from stream.api.describe import Describer
from stream.api.feed import Feed
from stream.api.follower import Follower
from stream.api.intake import Intake
from stream.api.metrics import Metrics
from stream.api.model_answers import deciding
from stream.api.model_follower import ModelFollower
from stream.api.model_metrics import ModelCollector
from stream.api.models import Models
from stream.api.parts import Parts
from stream.api.queries import Queries
from stream.api.view import View, view_path
from stream.api.watch import Watch
from stream.broker import client, setup
from stream.broker.topics import Topics
from stream.partition.control import Signer
from stream.pipeline import Pipelines
from stream.settings import KafkaSettings, Settings
from stream.store.connect import connect

Work = Sequence[Coroutine[Any, Any, None]]
"""What must run beside the server: the watch and the followers."""
_BUNDLE: Final[Mapping[str, int]] = {"fetch_min_bytes": 65_536, "fetch_max_wait_ms": 30}
"""The broker gathers the records of a moment: each answer wakes every open live feed."""


async def assemble(settings: Settings, stack: AsyncExitStack) -> tuple[Parts, Work]:
    """The parts, whose connections close with `stack`, and the work to run beside them."""
    topics = Topics(settings.namespace)
    admin = await stack.enter_async_context(client.admin(settings.kafka))
    partitions = await setup.partitions(admin, topics)
    store = connect(settings)
    stack.push_async_callback(store.close)
    await store.standings([0])  # says so at once if Redis does not answer
    consumer = await stack.enter_async_context(_consumer(settings.kafka, **_BUNDLE))
    beside = await stack.enter_async_context(_consumer(settings.kafka))
    producer = await stack.enter_async_context(intake_producer(settings.kafka))

    describe = Describer(settings.outcomes)
    view = View(view_path(settings.api.view, settings.namespace), list(describe.places))
    stack.callback(view.close)
    queries = Queries(view.path)
    stack.callback(queries.close)

    metrics, feed = Metrics(), Feed(partitions, view.last)

    def is_live(partition: int) -> bool:
        return watch.is_live(partition)

    follower = Follower(consumer, topics, partitions, view, feed, metrics, is_live)
    # The API writes no control record, and none that comes over HTTP is handed on: no key is needed.
    pipelines = Pipelines(settings.decisions, Signer(b"", ""), partitions)
    models = Models(list(describe.places), pipelines.library)
    ends = KafkaEnds(consumer, admin, topics, partitions)
    watch = Watch(store, ends, follower, pipelines)
    metrics.watch(watch)
    metrics.collect(ModelCollector(models, lambda: watch.ledgers))
    for _ in range(2):  # what is rebuilt shows against what was committed a look before
        await watch.look()
    sender = KafkaSender(producer, topics)
    parts = Parts(
        settings=settings.api,
        partitions=partitions,
        current=Current(store, queries, describe, pipelines, time.time, watch),
        describe=describe,
        feed=feed,
        intake=Intake(sender, watch, partitions, time.time),
        metrics=metrics,
        models=models,
        queries=queries,
        watch=watch,
    )

    def decides() -> set[tuple[str, int]]:
        return deciding(models.learned, watch.ledgers)

    learning = ModelFollower(beside, topics, partitions, models, feed, metrics, decides)
    return parts, (watch.run(), follower.run(), learning.run())


def intake_producer(kafka: KafkaSettings) -> AbstractAsyncContextManager[AIOKafkaProducer]:
    """The producer of what comes over HTTP."""
    # Idempotent, one refused batch would block its partition until the API is started again, and with Kafka
    # away no batch would ever end. Doubles do no harm: the event id makes a touchpoint count once.
    return client.producer(kafka, linger_ms=2, idempotent=False)


@asynccontextmanager
async def _consumer(kafka: KafkaSettings, **more: int) -> AsyncIterator[AIOKafkaConsumer]:
    """Of no group. Where records have been deleted meanwhile it goes on with the first that is left."""
    made = AIOKafkaConsumer(
        **client.options(kafka),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",  # what a transaction took back never happened
        **more,
    )
    try:
        await made.start()
    except (KafkaError, OSError) as error:
        await made.stop()
        raise client.unreachable(kafka, error) from error
    try:
        yield made
    finally:
        await made.stop()

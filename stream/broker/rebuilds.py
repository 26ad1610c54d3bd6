"""Where all partitions stand in the store and in the log: what tells a rebuild."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from stream.broker import group
from stream.broker.reading import bounds
from stream.broker.topics import Topics
from stream.partition.rebuilding import Place
from stream.store.port import Store


async def places(
    admin: AIOKafkaAdminClient,
    consumer: AIOKafkaConsumer,
    store: Store,
    topics: Topics,
    partitions: int,
) -> list[Place]:
    """Of every partition, as of now."""
    # In this order: a worker at work moves the store first, and what it has committed after that.
    committed = await group.committed(admin, topics, partitions)
    standings = await store.standings(range(partitions))
    logs = await bounds(consumer, topics.touchpoints, partitions)
    return [
        Place(each.position.offset if each.position else None, offset, log.begin)
        for each, offset, log in zip(standings, committed, logs, strict=True)
    ]

"""What is in all topics after a run, and whether an undisturbed run makes the same of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer

from stream import app
from stream.broker import client, reading
from stream.broker.memory import DEAD_LETTERS, MemoryRecord
from stream.broker.topics import Topics
from stream.partition.outputs import EXAMPLES, TOUCHPOINTS
from stream.settings import Settings
from tests.chaos import compare, learned
from tests.chaos.undisturbed import Records, undisturbed
from tests.chaos.watch import OUTPUTS


async def recorded(settings: Settings) -> dict[str, Records]:
    """All topics."""
    topics = dict[str, Records]()
    async with client.reader(settings.kafka) as reader:
        for kind in (TOUCHPOINTS, *OUTPUTS, DEAD_LETTERS, "model-snapshots"):
            topics[kind] = await _read(reader, settings, kind)
    return topics


async def _read(reader: AIOKafkaConsumer, settings: Settings, kind: str) -> Records:
    """All records of a kind of topic, by partition."""
    topic, count = Topics(settings.namespace).name(kind), settings.kafka.partitions
    found: Records = {number: [] for number in range(count)}
    whole = await reading.bounds(reader, topic, count)
    async for number, records in reading.span(reader, topic, dict(enumerate(whole))):
        found[number] += [
            MemoryRecord(each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
            for each in records
        ]
    return found


async def compared(
    settings: Settings, topics: dict[str, Records], taken: Mapping[tuple[int, int], int]
) -> dict[str, Any]:
    """Against the undisturbed run. `taken`: what the broker has acknowledged to producers."""
    store = app.store(settings, Topics(settings.namespace))
    differences = compare.Differences()
    try:
        stood = await store.standings(range(settings.kafka.partitions))
        done = {n: each.position.offset if each.position else 0 for n, each in enumerate(stood)}
        recorded = {
            number: [each for each in records if each.offset < done[number]]
            for number, records in topics[TOUCHPOINTS].items()
        }
        snapshots = [each for records in topics["model-snapshots"].values() for each in records]
        began = time.monotonic()
        world, log = await undisturbed(settings, recorded, snapshots)
        undisturbed_s = time.monotonic() - began
        digests = await compare.compare_states(differences, store, world, settings.kafka.partitions)
    finally:
        await store.close()
    compare.compare_outputs(differences, topics, world, log)
    compare.compare_sent(differences, taken, topics[TOUCHPOINTS])
    compare.compare_ends(differences, topics[TOUCHPOINTS], done)
    await learned.compare_models(differences, settings, topics[EXAMPLES], snapshots)
    return {
        "differences": {"total": differences.total, "by_kind": differences.counts},
        "compared": differences.compared,
        "first_differences": differences.words,
        "digests": digests,
        "counts": world.counts(),
        "undisturbed_s": undisturbed_s,
    }

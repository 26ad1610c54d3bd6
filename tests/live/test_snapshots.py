"""Versions of models are found in their topic, wherever they lie in it."""

from __future__ import annotations

import pytest

from stream.broker import client
from stream.broker.snapshots import read_snapshots
from stream.broker.topics import Topics
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.snapshot import encode_snapshot
from stream.settings import DEFAULT_OUTCOMES
from tests.engines import MakeSettings
from tests.support.learned import random_snapshot

pytestmark = pytest.mark.timeout(120)


async def test_versions_are_found_among_others(live_settings: MakeSettings) -> None:
    """The first, a middle and the last version are found; damaged and foreign records are passed over."""
    settings = await live_settings(partitions=2)
    vectorizer = Vectorizer(Layout(settings.registry))
    topic = Topics(settings.namespace).model_snapshots
    published = {}
    async with client.producer(settings.kafka) as producer:
        for version in range(1, 41):
            for number, outcome in enumerate(DEFAULT_OUTCOMES[:2]):
                made = encode_snapshot(random_snapshot(outcome, vectorizer, version, version))
                published[outcome.name, version] = made
                if version == 40 and number:
                    made = made.replace(b'"examples":100', b'"examples":101')
                await producer.send_and_wait(topic, made, outcome.name.encode(), partition=number)
        for junk in (b"{", b"[]", b"", None):
            await producer.send_and_wait(topic, junk, b"purchase", partition=0)
    names = [outcome.name for outcome in DEFAULT_OUTCOMES[:2]]
    there = {(names[0], 1), (names[0], 40), (names[1], 17)}
    damaged, missing = (names[1], 40), (names[0], 99)
    async with client.reader(settings.kafka) as consumer:
        found = await read_snapshots(consumer, topic, 2, {*there, damaged, missing})
        assert {(each.outcome, each.version) for each in found} == there
        for each in found:
            assert encode_snapshot(each) == published[each.outcome, each.version]
        assert len(await read_snapshots(consumer, topic, 2, there)) == 3
        assert await read_snapshots(consumer, topic, 2, set()) == []

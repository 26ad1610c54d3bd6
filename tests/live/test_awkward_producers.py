"""Producers of every kind, on a real topic: nothing they send stops the stream or is lost, and counts reconcile."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as Builder

from schemas.home import home
from stream.broker import client, deadletters
from stream.partition.outputs import SCORES
from tests.engines import MakeSettings
from tests.support.live import Space, space
from tests.support.poison import POISON
from tests.support.world import START, touchpoint

PARTITIONS = 4
REPEATS = 20


class _NotUtf8(str):
    """A header's name that encodes to bytes which are no UTF-8, as producers in other languages can send."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xff\xfe"


def reconciles(counts: dict[str, int]) -> bool:
    """Every record was counted once."""
    parts = ("scored", "duplicates", "rejected", "forwarded", "control")
    return counts["in"] == sum(counts.get(part, 0) for part in parts)


@pytest.mark.timeout(150)
async def test_poison_of_every_kind_stops_nothing(live_settings: MakeSettings) -> None:
    """Each kind of bad record, many times over, among good, misrouted and repeated ones: all are accounted for."""
    settings = await live_settings(partitions=PARTITIONS)
    async with space(settings) as at:
        sent = 0
        async with client.producer(settings.kafka) as producer:
            for number in range(REPEATS):
                customer = f"c{number}"
                good = touchpoint(number, customer, "purchase", START, value=5)
                right = home(customer, PARTITIONS)
                for where in (right, right, (right + 1) % PARTITIONS):
                    await _send(producer, at, where, customer.encode(), good, [])
                for _, value, headers, _, _ in POISON:
                    await _send(
                        producer, at, home("a", PARTITIONS), b"some key", value, list(headers)
                    )
                sent += 3 + len(POISON)
        async with at.worker():
            # the misrouted ones come in a second time, at home
            counts = await at.taken_in(sent + REPEATS)
        assert reconciles(counts)
        assert counts["scored"] == REPEATS
        assert counts["duplicates"] == 2 * REPEATS
        assert counts["forwarded"] == REPEATS
        assert counts["rejected"] == REPEATS * len(POISON)
        letters = [
            deadletters.read(each.key, each.value, each.headers)
            for each in await at.read("touchpoints-dlq")
        ]
        assert len(letters) == counts["rejected"]
        found = sorted((each.reason, each.value or b"") for each in letters if each)
        assert found == sorted(
            (reason, value or b"") for _, value, _, reason, _ in POISON * REPEATS
        )


async def _send(
    producer: AIOKafkaProducer,
    at: Space,
    where: int,
    key: bytes,
    value: bytes | None,
    headers: list[Any],
) -> None:
    await producer.send(
        at.topics.touchpoints,
        value,
        key,
        partition=where,
        headers=headers,
        timestamp_ms=START * 1000,
    )


@pytest.mark.timeout(100)
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(live_settings: MakeSettings, codec: str) -> None:
    """Producers may compress as they like."""
    settings = await live_settings(partitions=1)
    async with space(settings) as at:
        async with AIOKafkaProducer(
            **client.options(settings.kafka), compression_type=codec
        ) as producer:
            for number in range(50):
                value = touchpoint(number, "ann", "sms", START)
                await _send(producer, at, 0, b"ann", value, [])
        async with at.worker():
            assert (await at.taken_in(50))["scored"] == 50


@pytest.mark.timeout(100)
async def test_a_header_name_that_is_no_text_stops_nothing(live_settings: MakeSettings) -> None:
    """A record whose header has a name that is not UTF-8 is scored like any other, and so is what follows it."""
    settings = await live_settings(partitions=1)
    async with space(settings) as at:
        async with AIOKafkaProducer(**client.options(settings.kafka)) as producer:
            batch = producer.create_batch()
            batch._builder = cast("Any", Builder)(2, 0, 0, -1, -1, -1, 100_000)
            for number in range(3):
                headers = [(_NotUtf8("name"), b"x")] if number == 1 else []
                value = touchpoint(number, "ann", "sms", START)
                batch.append(key=b"ann", value=value, timestamp=START * 1000, headers=headers)
            await (await producer.send_batch(batch, at.topics.touchpoints, partition=0))
            await _send(producer, at, 0, b"ann", touchpoint(3, "ann", "sms", START), [])
        async with at.worker():
            assert (await at.taken_in(4))["scored"] == 4
        assert len(await at.read(SCORES)) == 4

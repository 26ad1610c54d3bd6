"""Reading topics as a bystander: from the beginning to the present end, or on and on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.broker.client import answering
from stream.partition.control import CONTROL
from stream.partition.intake import Record


class Bounds(NamedTuple):
    """The first offset that is still there, and the one that the next record will get."""

    begin: int
    end: int


async def bounds(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> list[Bounds]:
    """Of every partition of a topic."""
    tps = [TopicPartition(topic, partition) for partition in range(partitions)]
    with answering():
        begins = await consumer.beginning_offsets(tps)
        ends = await consumer.end_offsets(tps)
    return [Bounds(begins[tp], ends[tp]) for tp in tps]


async def span(
    consumer: AIOKafkaConsumer, topic: str, spans: Mapping[int, Bounds], *, timeout_ms: int = 1_000
) -> AsyncIterator[tuple[int, Sequence[Any]]]:
    """The records between bounds, partition by partition side by side: (partition, its next records)."""
    left = {TopicPartition(topic, number): span for number, span in spans.items()}
    left = {tp: span for tp, span in left.items() if span.begin < span.end}
    if not left:
        return
    with answering():
        consumer.assign(list(left))
        for tp, span in left.items():
            consumer.seek(tp, span.begin)
    while left:
        with answering():
            found = await consumer.getmany(*left, timeout_ms=timeout_ms)
        for tp, records in found.items():
            end = left[tp].end
            yield tp.partition, [record for record in records if record.offset < end]
        with answering():
            # Not the last record's offset: the log may end in markers that are no records.
            places = {tp: await consumer.position(tp) for tp in left}
        left = {tp: span for tp, span in left.items() if places[tp] < span.end}


async def follow(
    consumer: AIOKafkaConsumer,
    topics: Sequence[str],
    partitions: int,
    *,
    from_start: bool,
    on: bool = True,
) -> AsyncIterator[Sequence[Any]]:
    """What comes in topics from now on, or from the beginning; without `on`, up to where they end now."""
    tps = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
    with answering():
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        begins = await consumer.beginning_offsets(tps) if from_start else ends
        for tp in tps:
            consumer.seek(tp, begins[tp])
    while on or any([await consumer.position(tp) < ends[tp] for tp in tps]):
        with answering():
            found = await consumer.getmany(timeout_ms=500)
        for records in found.values():
            yield records


async def last_touchpoints(
    consumer: AIOKafkaConsumer, topic: str, partitions: int
) -> tuple[int, dict[int, bytes]]:
    """The time (ms) of the latest record, and by partition the value of the last one that is no control record.

    Read backwards in growing steps: an idle partition may end in a tick a day for years.
    """
    latest, values = 0, dict[int, bytes]()
    whole = await bounds(consumer, topic, partitions)
    open_ends = {number: span for number, span in enumerate(whole) if span.begin < span.end}
    step = 16
    while open_ends:
        spans = {
            number: Bounds(max(whole[number].begin, found.end - step), found.end)
            for number, found in open_ends.items()
        }
        async for number, records in span(consumer, topic, spans):
            for record in records:
                latest = max(latest, record.timestamp)
                if not _is_control(record) and record.value is not None:
                    values[number] = record.value
        open_ends = {
            number: Bounds(whole[number].begin, found.begin)
            for number, found in spans.items()
            if number not in values and found.begin > whole[number].begin
        }
        step *= 8
    return latest, values


async def backwards(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, only: Collection[int] | None = None
) -> AsyncGenerator[Sequence[Any]]:
    """All records from the present end on towards the beginning, in growing steps; each step in order.

    With `only`, of these partitions alone.
    """
    whole = dict(enumerate(await bounds(consumer, topic, partitions)))
    left = {
        number: found
        for number, found in whole.items()
        if found.begin < found.end and (only is None or number in only)
    }
    step = 8
    while left:
        spans = {
            n: Bounds(max(found.begin, found.end - step), found.end) for n, found in left.items()
        }
        async for _, records in span(consumer, topic, spans):
            yield records
        left = {
            number: Bounds(found.begin, spans[number].begin)
            for number, found in left.items()
            if found.begin < spans[number].begin
        }
        step *= 8


async def first_records(
    consumer: AIOKafkaConsumer, topic: str, partitions: int
) -> dict[int, Record]:
    """By partition that is not empty, its first record."""
    firsts: dict[int, Record] = {}
    whole = await bounds(consumer, topic, partitions)
    spans = {
        number: Bounds(found.begin, min(found.begin + 1, found.end))
        for number, found in enumerate(whole)
    }
    async for number, records in span(consumer, topic, spans):
        if records:
            firsts[number] = records[0]
    return firsts


def _is_control(record: Record) -> bool:
    return any(name == CONTROL for name, _ in record.headers)

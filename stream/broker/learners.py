"""The learners of a namespace: whether any is at work, and how far their models have come."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from stream.broker import reading
from stream.broker.topics import Topics
from stream.model.snapshot import Snapshot, UnreadableSnapshotError, decode_snapshot


class _Head(msgspec.Struct):
    outcome: str


_head = msgspec.json.Decoder(_Head).decode


def ways_out(namespace: str) -> str:
    """What to do where workers keep step with a learner, and no models come."""
    option = f" --namespace {namespace}" if namespace else ""
    return (
        f"start bandshift learner{option}, or set BANDSHIFT_LEARNING__ENABLED=false for all programs before "
        "the log begins (one that has begun is brought in again, in a new namespace)"
    )


async def members(admin: AIOKafkaAdminClient, topics: Topics) -> int:
    """How many learners are at work."""
    try:
        answers = await admin.describe_consumer_groups([topics.learners])
    except GroupCoordinatorNotAvailableError:
        return 0  # no group has ever been here
    return sum(len(group[5]) for answer in answers for group in answer.groups)


async def known_to(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, outcomes: Collection[str]
) -> int:
    """Up to when all labels are in the latest snapshots of all outcomes, in seconds since 1970; 0: of one is none."""
    found: dict[str, Snapshot] = {}
    async with aclosing(reading.backwards(consumer, topic, partitions)) as steps:
        async for records in steps:
            for record in reversed(records):
                try:
                    name = _head(record.value or b"").outcome
                    if name in outcomes and name not in found:
                        found[name] = decode_snapshot(record.value)
                except (msgspec.MsgspecError, RecursionError, UnreadableSnapshotError):
                    continue
            if len(found) == len(outcomes):
                break
    return min((found[name].known_s if name in found else 0 for name in outcomes), default=0)

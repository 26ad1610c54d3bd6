"""The workers' group: who owns which partition, and how far it has committed."""

from __future__ import annotations

import re
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from stream.broker.client import answering
from stream.broker.topics import Topics
from stream.errors import BrokerError, LogLostError

_COUNT: Final = re.compile(r"(?:^| )of (\d+)$")


def counted(partitions: int) -> str:
    """What stands beside a committed offset: how many partitions the topic had then. With the store emptied,
    nothing else would tell that customers' homes have moved since.
    """
    return f"of {partitions}"


async def check_count(admin: AIOKafkaAdminClient, topics: Topics, partitions: int) -> None:
    """Raises LogLostError where offsets were committed when the topic had another number of partitions."""
    for each in (await _offsets(admin, topics)).values():
        found = _COUNT.search(each.metadata or "")
        if found and int(found[1]) != partitions:
            raise LogLostError(
                f"touchpoints: it was read when it had {found[1]} partitions, now there are {partitions}; "
                "customers' homes have moved",
                "copy the log into a new namespace with that many partitions: "
                "bandshift rebuild --namespace next",
            )


async def owners(admin: AIOKafkaAdminClient, topics: Topics) -> dict[int, str]:
    """Partition -> the member that owns it and its host; partitions without an owner are left out."""
    try:
        answers = await admin.describe_consumer_groups([topics.group])
    except GroupCoordinatorNotAvailableError:
        return {}  # no group has ever been here
    found: dict[int, str] = {}
    for answer in answers:
        for group in answer.groups:
            for member in group[5]:
                found |= _assigned(member, topics)
    return found


async def committed(
    admin: AIOKafkaAdminClient, topics: Topics, partitions: int
) -> list[int | None]:
    """C of every partition: the next offset to read, None where nothing was ever committed."""
    found = await _offsets(admin, topics)
    tps = [TopicPartition(topics.touchpoints, number) for number in range(partitions)]
    offsets = [found[tp].offset if tp in found else -1 for tp in tps]
    return [None if offset < 0 else offset for offset in offsets]


async def _offsets(
    admin: AIOKafkaAdminClient, topics: Topics
) -> dict[TopicPartition, OffsetAndMetadata]:
    try:
        with answering():
            found: dict[TopicPartition, OffsetAndMetadata]
            found = await admin.list_consumer_group_offsets(topics.group)
    except BrokerError as error:
        if not isinstance(error.__cause__, GroupCoordinatorNotAvailableError):
            raise
        return {}  # no group has ever been here
    return found


def _assigned(member: Any, topics: Topics) -> dict[int, str]:
    name, host, assignment = member[0], member[2], member[4]
    if not assignment:
        return {}
    who = f"{name[-8:]} at {host.lstrip('/')}"
    return {
        partition: who
        for topic, partitions in ConsumerProtocolMemberAssignment.decode(assignment).assignment
        if topic == topics.touchpoints
        for partition in partitions
    }

"""Who owns which partition, as the workers' group has it."""

from __future__ import annotations

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError

from stream.broker.topics import Topics


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

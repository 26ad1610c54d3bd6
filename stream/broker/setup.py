"""Making sure that the topics are there and set up as they must be."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from stream.broker.topics import CLOCK, LIVE_CLOCK, Topics
from stream.errors import BrokerError

_HINT: Final = "run: bandshift topics --create"
_TRIES: Final = 50
_PAUSE_SECONDS: Final = 0.1
"""A change is acknowledged before every broker shows it."""


async def partitions(admin: AIOKafkaAdminClient, topics: Topics) -> int:
    """How many partitions all topics of the namespace have; BrokerError where one is missing or differs."""
    counts = await partition_counts(admin, topics)
    for name, count in counts.items():
        if not count:
            raise BrokerError(f"Kafka: expected the topic {name}, it is missing", _HINT)
        if count != counts[topics.touchpoints]:
            raise BrokerError(
                f"Kafka: expected {counts[topics.touchpoints]} partitions in {name} as in "
                f"{topics.touchpoints}, got {count}",
                "all topics of a namespace need the same number of partitions",
            )
    return counts[topics.touchpoints]


async def partition_counts(admin: AIOKafkaAdminClient, topics: Topics) -> dict[str, int]:
    """Topic -> partitions, 0 for one that is missing."""
    wanted = list(topics.declared())
    found = {each["topic"]: each for each in await admin.describe_topics(wanted)}
    return {name: len(found.get(name, {}).get("partitions", ())) for name in wanted}


async def create(
    admin: AIOKafkaAdminClient, topics: Topics, count: int, replication: int
) -> list[str]:
    """Create what is missing, with declared settings; returns the names of the created ones."""
    counts = await partition_counts(admin, topics)
    missing = [name for name, found in counts.items() if not found]
    new = [
        NewTopic(
            name,
            counts[topics.touchpoints] or count,
            replication,
            topic_configs=topics.declared()[name],
        )
        for name in missing
    ]
    if new:
        answer = await admin.create_topics(new)
        for name, code, *message in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise BrokerError(
                    f"Kafka: topic {name} was not created: {' '.join(filter(None, message))}"
                )
        await _shown(admin, topics)
    return missing


async def _shown(admin: AIOKafkaAdminClient, topics: Topics) -> None:
    """Return when the broker shows all topics to clients."""
    for _ in range(_TRIES):
        if all((await partition_counts(admin, topics)).values()):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    raise BrokerError("Kafka: created topics, but does not show them", "run: bandshift doctor")


async def differing(admin: AIOKafkaAdminClient, topics: Topics) -> dict[str, dict[str, str]]:
    """Topic -> setting -> value, where a topic is not set up as declared (its clock may be either)."""
    declared = topics.declared()
    found: dict[str, dict[str, str]] = {}
    for name, settings in declared.items():
        actual = await _settings(admin, name)
        wrong = {
            key: actual.get(key, "")
            for key, value in settings.items()
            if key != CLOCK and actual.get(key) != value
        }
        if wrong:
            found[name] = wrong
    return found


async def _settings(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    return {name: value for name, value, *_ in await _entries(admin, topic)}


async def _entries(admin: AIOKafkaAdminClient, topic: str) -> list[tuple[Any, ...]]:
    """Name, value, whether it is fixed, and source (1: the topic's own) of each setting in force."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return list(answers[0].resources[0][4])


async def clock(admin: AIOKafkaAdminClient, topics: Topics) -> str:
    """Who stamps records of touchpoints: CreateTime (the producer) or LogAppendTime (the broker)."""
    return (await _settings(admin, topics.touchpoints)).get(CLOCK, "")


async def set_live_clock(admin: AIOKafkaAdminClient, topics: Topics) -> None:
    """From now on the broker stamps touchpoints, so that no producer can turn the clock."""
    await _change(admin, topics.touchpoints, {CLOCK: LIVE_CLOCK})


async def repair(admin: AIOKafkaAdminClient, topics: Topics) -> list[str]:
    """Set up as declared what is not; the clock stays as it is. Returns the names of the changed topics."""
    wrong, declared = await differing(admin, topics), topics.declared()
    for name, settings in wrong.items():
        await _change(admin, name, {key: declared[name][key] for key in settings})
    return list(wrong)


async def _change(admin: AIOKafkaAdminClient, topic: str, changes: dict[str, str]) -> None:
    """Change settings of a topic, and return when the broker shows them."""
    # All of a topic's own settings are replaced at once: an operator's others must be said again.
    own = {
        name: value for name, value, _, source, *_ in await _entries(admin, topic) if source == 1
    }
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, own | changes)
    for answer in await admin.alter_configs([resource]):
        for code, message, *_ in answer.resources:
            if code:
                raise BrokerError(f"Kafka: topic {topic} was not changed: {message}")
    for _ in range(_TRIES):
        now = await _settings(admin, topic)
        if all(now.get(name) == value for name, value in changes.items()):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    told = ", ".join(f"{name}={value}" for name, value in changes.items())
    raise BrokerError(f"Kafka: expected topic {topic} to take {told}, it did not")

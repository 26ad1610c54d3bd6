"""Making sure that the topics are there and set up as they must be."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from stream.broker.topics import CLOCK, LIVE_CLOCK, Topics
from stream.errors import BrokerError

_HINT = "run: bandshift topics --create"


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
    return missing


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
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    entries = answers[0].resources[0][4]
    return {entry[0]: entry[1] for entry in entries}


async def clock(admin: AIOKafkaAdminClient, topics: Topics) -> str:
    """Who stamps records of touchpoints: CreateTime (the producer) or LogAppendTime (the broker)."""
    return (await _settings(admin, topics.touchpoints)).get(CLOCK, "")


async def set_live_clock(admin: AIOKafkaAdminClient, topics: Topics) -> None:
    """From now on the broker stamps touchpoints, so that no producer can turn the clock."""
    settings = dict(topics.declared()[topics.touchpoints]) | {CLOCK: LIVE_CLOCK}
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topics.touchpoints, settings)]
    )
    if await clock(admin, topics) != LIVE_CLOCK:
        raise BrokerError(
            f"Kafka: expected {topics.touchpoints} to take {CLOCK}={LIVE_CLOCK}, it did not"
        )


async def repair(admin: AIOKafkaAdminClient, topics: Topics) -> list[str]:
    """Set up as declared what is not; the clock stays as it is. Returns the names of the changed topics."""
    changed = list(await differing(admin, topics))
    for name in changed:
        settings = dict(topics.declared()[name])
        if CLOCK in settings:
            settings[CLOCK] = await clock(admin, topics)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, settings)])
    return changed

"""bandshift topics."""

from __future__ import annotations

from dataclasses import dataclass

import click

from stream.broker import client, setup
from stream.broker.reading import first_records
from stream.broker.topics import CLOCK, Topics
from stream.commands.adopt import bring_into_force
from stream.commands.common import as_json, configured, emit, run, settings_for
from stream.commands.style import Style, coloured
from stream.errors import BrokerError
from stream.settings import Settings


@dataclass(frozen=True)
class Topic:
    """A topic: as it should be, and in which settings it is not. No partitions: it is missing."""

    name: str
    partitions: int
    declared: dict[str, str]
    differing: dict[str, str]


@click.command("topics")
@click.option("--create", is_flag=True, help="Create what is missing, with declared settings.")
@click.option("--repair", is_flag=True, help="Set existing topics up as declared.")
@as_json
@configured
def command(
    create: bool,
    repair: bool,
    as_json: bool,
    namespace: str | None,
) -> None:
    """List the topics and how they are set up; --create makes them.

    The number of partitions is kafka.partitions; it can never be changed afterwards. A new log begins with
    the outcomes and rules of the settings, which decide from there on (see `bandshift adopt`). Exit status 1 if a
    topic is missing or set up otherwise.
    """
    found = run(_topics(settings_for(namespace), create=create, repair=repair))
    if as_json:
        emit([each.__dict__ for each in found])
    else:
        click.echo("\n".join(line for each in found for line in _lines(each)))
    wrong = [each.name for each in found if each.differing or not each.partitions]
    if wrong:
        hint = "run: bandshift topics --create --repair"
        raise BrokerError(f"Kafka: not set up as declared: {', '.join(wrong)}", hint)


async def _topics(settings: Settings, *, create: bool, repair: bool) -> list[Topic]:
    topics, kafka = Topics(settings.namespace), settings.kafka
    async with client.admin(kafka) as admin:
        if create:
            await setup.create(admin, topics, kafka.partitions, kafka.replication)
            await _begin(settings, topics, await setup.partitions(admin, topics))
        if repair:
            await setup.repair(admin, topics)
        counts = await setup.partition_counts(admin, topics)
        differing = await setup.differing(admin, topics)
        declared = topics.declared()
        if counts[topics.touchpoints]:  # either clock is as it should be
            declared[topics.touchpoints] |= {CLOCK: await setup.clock(admin, topics)}
    return [
        Topic(name, counts[name], each, differing.get(name, {}) if counts[name] else {})
        for name, each in declared.items()
    ]


async def _begin(settings: Settings, topics: Topics, partitions: int) -> None:
    """Begin every empty partition with the decisions, whoever created the topic."""
    async with client.reader(settings.kafka) as consumer:
        begun = await first_records(consumer, topics.touchpoints, partitions)
    empty = set(range(partitions)) - set(begun)
    if empty:
        await bring_into_force(settings, sorted(empty))


def _lines(topic: Topic) -> list[str]:
    style = Style(colour=coloured())
    if not topic.partitions:
        return [f"{style.strong(topic.name)}  {style.level('error', 'missing')}"]
    told = [f"{style.strong(topic.name)}  {topic.partitions} partitions"]
    for name, value in topic.declared.items():
        if name in topic.differing:
            wrong = style.level("error", f"expected {value}")
            told.append(f"  {name}={topic.differing[name] or '(unset)'}  {wrong}")
        else:
            told.append(style.dim(f"  {name}={value}"))
    return told

"""bandshift replay."""

from __future__ import annotations

import time
from typing import Any

import click
from aiokafka import AIOKafkaConsumer

from stream.broker import client, golive, setup
from stream.broker.topics import LIVE_CLOCK, Topics
from stream.commands.bringing import Asked, bring_in, options
from stream.commands.common import configured_without_namespace, run
from stream.errors import BrokerError, SettingsError
from stream.partition.control import Signer
from stream.settings import Settings, load


@click.command("replay")
@options
@click.option("--namespace", required=True, metavar="NAME", help="The replay's own namespace.")
@click.option(
    "--partitions", type=click.IntRange(min=1), help="Of its topics, if they are created."
)
@configured_without_namespace
def command(file: str, namespace: str, partitions: int | None, **asked: Any) -> None:
    """Score a file in a namespace of its own, which never goes live.

    Topics are created where they are missing, keys in Redis are the namespace's own, and no trigger ever
    goes out. FILE is read as `bandshift import` reads it. A worker must run in that namespace:
    bandshift worker --namespace NAME.
    """
    if namespace in {"", load().namespace}:
        raise SettingsError(
            f"--namespace: expected a namespace of the replay's own, {namespace!r} is the live one",
            "choose another name, such as --namespace trial",
        )
    run(_replay(load(namespace=namespace), file, partitions, Asked(**asked)))


async def _replay(settings: Settings, file: str, count: int | None, asked: Asked) -> None:
    topics = Topics(settings.namespace)
    async with client.admin(settings.kafka) as admin:
        await setup.create(
            admin, topics, count or settings.kafka.partitions, settings.kafka.replication
        )
        partitions = await setup.partitions(admin, topics)
        if await setup.clock(admin, topics) == LIVE_CLOCK:
            raise _no_replay(topics, "went live")
    async with client.reader(settings.kafka) as consumer:
        await _mark(settings, consumer, topics, partitions)
        await bring_in(settings, consumer, partitions, file, asked)


async def _mark(
    settings: Settings, consumer: AIOKafkaConsumer, topics: Topics, partitions: int
) -> None:
    """Make the log a replay's, or see that it is one."""
    signer = Signer(settings.control_key(), topics.touchpoints)
    found = await golive.replays(consumer, topics, partitions, signer)
    if not all(found.values()):
        raise _no_replay(topics, "holds touchpoints that are no replay")
    empty = [number for number in range(partitions) if number not in found]
    if empty:
        async with client.producer(settings.kafka) as producer:
            await golive.mark_replay(producer, topics, empty, signer)
            version = int(time.time() * 1000)
            await golive.adopt(producer, topics, empty, signer, settings.decisions, version)


def _no_replay(topics: Topics, why: str) -> BrokerError:
    return BrokerError(
        f"--namespace: expected a namespace of the replay's own, {topics.touchpoints} {why}",
        "choose another name, such as --namespace trial",
    )

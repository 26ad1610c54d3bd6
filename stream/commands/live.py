"""bandshift live."""

from __future__ import annotations

import click

from stream.broker import client, golive, setup
from stream.broker.topics import Topics
from stream.commands.common import configured, run, settings_for
from stream.errors import BrokerError
from stream.partition.control import Signer
from stream.settings import Settings


@click.command("live")
@configured
def command(namespace: str | None) -> None:
    """Let the broker's clock rule, and triggers go out.

    From now on Kafka stamps every touchpoint, so that no producer can turn the clock; and a *live* record in
    every partition says from where on triggers go out. What was imported need not be taken in yet: its
    place in the log decides. May be repeated; there is no way back. A replay never goes live.
    """
    run(_live(settings_for(namespace)))


async def _live(settings: Settings) -> None:
    topics = Topics(settings.namespace)
    signer = Signer(settings.control_key(), topics.touchpoints)
    async with client.admin(settings.kafka) as admin, client.reader(settings.kafka) as consumer:
        partitions = await setup.partitions(admin, topics)
        found = await golive.replays(consumer, topics, partitions, signer)
        if any(found.values()):
            raise BrokerError(
                f"{topics.touchpoints} is a replay, which never goes live",
                "import the history into the deployment's own namespace: bandshift import --help",
            )
        async with client.producer(settings.kafka) as producer:
            switched = await golive.go_live(admin, producer, topics, partitions, signer)
    clock = "is the broker's from now on" if switched else "was the broker's already"
    click.echo(f"{topics.touchpoints}: the clock {clock}")
    click.echo(f"{partitions} partitions: triggers go out from their *live* record on")

"""bandshift import."""

from __future__ import annotations

from typing import Any

import click

from stream.broker import client, setup
from stream.broker.topics import LIVE_CLOCK, Topics
from stream.commands.bringing import Asked, bring_in, options
from stream.commands.common import configured, run, settings_for
from stream.errors import BrokerError
from stream.settings import Settings


@click.command("import")
@options
@configured
def command(file: str, namespace: str | None, **asked: Any) -> None:
    """Bring past touchpoints in, before going live.

    FILE is CSV (a first line with the columns event_id, customer_id, type, occurred_at and any of channel,
    stage, value, currency, attrs) or JSON lines, plain or gzip; - is standard input. Every row keeps its own
    time, and no trigger goes out.

    Sort the file by time: the log's clock only moves forward. A row that comes late is still counted if it
    is less than 90 days behind; an older one ends in the dead letters, as does a row that is no touchpoint.
    A row that no record can carry is named at the end, with exit status 1.
    """
    run(_import(settings_for(namespace), file, Asked(**asked)))


async def _import(settings: Settings, file: str, asked: Asked) -> None:
    topics = Topics(settings.namespace)
    async with client.admin(settings.kafka) as admin:
        partitions = await setup.partitions(admin, topics)
        if await setup.clock(admin, topics) == LIVE_CLOCK:
            raise BrokerError(
                f"{topics.touchpoints} is live: history can only be imported before",
                "send what is missing as ordinary touchpoints, or use `bandshift replay` to look at a file",
            )
    async with client.reader(settings.kafka) as consumer:
        await bring_in(settings, consumer, partitions, file, asked)

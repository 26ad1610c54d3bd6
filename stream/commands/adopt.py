"""bandshift adopt."""

from __future__ import annotations

import time
from collections.abc import Iterable

import click

from schemas.decisions import Decisions
from stream.broker import client, golive
from stream.broker.topics import Topics
from stream.commands.common import configured, partitions_of, run, settings_for
from stream.errors import SettingsError
from stream.partition.control import Signer
from stream.partition.ledger import Ledger, decode_ledger
from stream.pipeline import SETTINGS, Pipelines
from stream.settings import Settings
from stream.store.connect import connect


@click.command("adopt")
@configured
def command(namespace: str | None) -> None:
    """Let the settings' types, outcomes and rules take effect.

    What decides is a record of the log, in every partition: so the same log gives the same decisions,
    whatever the settings of the worker that reads it. Cut points, base rates, hysteresis, advice and rules
    may change, and types may be added; other outcomes need a replay.
    """
    settings = settings_for(namespace)
    partitions, changed = run(_adopt(settings))
    if changed:
        click.echo(
            f"{partitions} partitions: the settings' types, outcomes and rules decide from here on"
        )
    else:
        click.echo("these types, outcomes and rules are in force already")


async def _adopt(settings: Settings) -> tuple[int, bool]:
    partitions = await partitions_of(settings)
    store = connect(settings)
    try:
        standings = await store.standings(range(partitions))
    finally:
        await store.close()
    ledgers = [decode_ledger(each.ledger) for each in standings]
    text = settings.decisions.text
    # What was never adopted is not in the log: a rebuild would not find it there.
    if all(ledger.versions.get(SETTINGS) and ledger.settings == text for ledger in ledgers):
        return partitions, False
    _check(settings.decisions, ledgers, partitions)
    await bring_into_force(settings, range(partitions))
    return partitions, True


def _check(decisions: Decisions, ledgers: list[Ledger], partitions: int) -> None:
    pipeline = Pipelines(decisions, Signer(b"", ""), partitions).get("")
    if not all(pipeline.fits(ledger) for ledger in ledgers):
        raise SettingsError(
            "outcomes: expected the names and the order of those in force (and types only added at the end)",
            "for other outcomes, copy the log into a new namespace: bandshift rebuild --namespace next --adopt",
        )


async def bring_into_force(settings: Settings, partitions: Iterable[int]) -> None:
    """Append the settings' decisions to these partitions, as a version newer than any before."""
    topics = Topics(settings.namespace)
    signer = Signer(settings.control_key(), topics.touchpoints)
    version = int(time.time() * 1000)
    async with client.producer(settings.kafka) as producer:
        await golive.adopt(producer, topics, list(partitions), signer, settings.decisions, version)

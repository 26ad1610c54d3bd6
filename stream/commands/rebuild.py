"""bandshift rebuild."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import click

from schemas.decisions import Decisions
from schemas.types import TypeRegistry
from stream.broker import client, group, setup
from stream.broker.copier import Copier, Tally
from stream.broker.copying import Copying, fit, prepare
from stream.broker.topics import LIVE_CLOCK, Topics
from stream.commands.common import as_json, configured_without_namespace, emit
from stream.commands.progress import Meter
from stream.commands.service import hush, until_stopped
from stream.errors import BrokerError, SettingsError
from stream.partition.control import Signer
from stream.partition.ledger import Ledger, decode_ledger
from stream.settings import Settings, load
from stream.store.connect import connect

_PAUSE_SECONDS = 0.5
_FEW = 1_000
"""A round of so few records has caught up with what came while the one before was copied."""


@dataclass(frozen=True)
class Asked:
    """What the options say."""

    namespace: str
    partitions: int | None
    follow: bool
    relearn: bool
    adopt: bool
    as_json: bool


@dataclass(frozen=True)
class Done:
    """What came of it."""

    tally: Tally
    snapshots: int
    models: bool | None
    """Whether models were copied; None: there were none."""
    live: bool
    """Whether the old log is live."""
    learning: bool
    other: bool
    """Whether the settings have other decisions than those that decide in the copy."""
    seconds: float


@click.command("rebuild")
@click.option("--namespace", required=True, metavar="NEXT", help="The new namespace.")
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    help="Of its topics; by default as many as the log has.",
)
@click.option(
    "--follow", is_flag=True, help="Go on with what comes until told to stop (Ctrl-C, SIGTERM)."
)
@click.option(
    "--relearn",
    is_flag=True,
    help="Leave the models out, also where this release could use them.",
)
@click.option(
    "--adopt",
    is_flag=True,
    help="Let the types, outcomes and rules of these settings decide from the beginning, "
    "instead of those that the log adopted.",
)
@as_json
@configured_without_namespace
def command(
    namespace: str,
    partitions: int | None,
    *,
    follow: bool,
    relearn: bool,
    adopt: bool,
    as_json: bool,
) -> None:
    """Copy the log into a new namespace, to make all states anew.

    For states of another release, of other outcomes, or of another number of partitions: no worker reads
    them. The log of the settings' namespace is only read. Every touchpoint goes to its customer's home once,
    with its key, value, time and headers; control records are signed anew. NEXT must be empty, and have no
    worker before this says that it has caught up.
    """
    settings = load()
    if namespace in {"", settings.namespace}:
        raise SettingsError(
            f"--namespace: expected the name of a new namespace, {namespace!r} is the one to be copied",
            "choose another name, such as --namespace next",
        )
    asked = Asked(namespace, partitions, follow, relearn, adopt, as_json)
    hush()
    until_stopped(lambda stop: _rebuild(settings, load(namespace=namespace), asked, stop))


async def _rebuild(
    settings: Settings, following: Settings, asked: Asked, stop: asyncio.Event
) -> None:
    source, target = Topics(settings.namespace), Topics(asked.namespace)
    kafka, key, began = settings.kafka, settings.control_key(), time.monotonic()
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(client.admin(kafka))
        consumer = await stack.enter_async_context(client.reader(kafka, wait_ms=50))
        counts = await setup.partition_counts(
            admin, source
        )  # they may differ: that is a reason to rebuild
        partitions = counts[source.touchpoints]
        if not partitions:
            raise BrokerError(f"Kafka: expected the topic {source.touchpoints}, it is missing")
        ledgers = await _ledgers(settings, partitions)
        in_force = _decisions(settings, asked, ledgers)
        store = connect(following)
        stack.push_async_callback(store.close)
        count = asked.partitions or partitions
        into = await prepare(
            admin, consumer, store, target, count, kafka.replication, asked=bool(asked.partitions)
        )
        models = None
        if in_force.learning is not None:
            models = await fit(consumer, source, counts[source.model_snapshots], in_force)
        models = models and not asked.relearn
        copier = Copier(
            Signer(key, source.touchpoints),
            Signer(key, target.touchpoints),
            TypeRegistry(settings.types),
            await group.committed(admin, source, partitions),
            into=into,
            made=max((ledger.partitions for ledger in ledgers), default=0),
            own=settings.decisions if asked.adopt else None,
            version=int(time.time() * 1000),
            models=bool(models),
        )
        producer = await stack.enter_async_context(client.producer(kafka, linger_ms=2))
        copying = Copying(
            consumer, producer, source, target, counts, into, copier, models=bool(models)
        )
        await _copy(copying, target, asked, stop)
        live = await setup.clock(admin, source) == LIVE_CLOCK
    decisions = copier.decisions or settings.decisions.text
    _sum_up(
        Done(
            tally=replace(copier.tally),
            snapshots=copying.snapshots,
            models=models,
            live=live,
            learning=in_force.learning is not None,
            other=not asked.adopt and decisions != settings.decisions.text,
            seconds=time.monotonic() - began,
        ),
        source,
        target,
        asked,
    )


async def _ledgers(settings: Settings, partitions: int) -> list[Ledger]:
    """What is known of the old states; empty ones where there are none."""
    store = connect(settings)
    try:
        return [decode_ledger(each.ledger) for each in await store.standings(range(partitions))]
    finally:
        await store.close()


def _decisions(settings: Settings, asked: Asked, ledgers: list[Ledger]) -> Decisions:
    """Those that will decide at the end of the copy, as far as is known before it is read."""
    texts = [ledger.settings for ledger in ledgers if ledger.settings]
    if asked.adopt or not texts:
        return settings.decisions
    try:
        return Decisions.model_validate_json(texts[0])
    except ValueError:  # written by another release
        return settings.decisions


async def _copy(copying: Copying, target: Topics, asked: Asked, stop: asyncio.Event) -> None:
    with Meter("copying", "records") as meter:
        before = 0

        def watch(done: int, whole: int) -> None:
            meter.show(before + done, done / whole if whole else None)

        caught_up = False
        while not (stop.is_set() or (caught_up and not asked.follow)):
            found = await copying.round(stop.is_set, watch)
            before += found
            if not caught_up and found < _FEW and not stop.is_set():
                caught_up = True
                await copying.finish()
                if asked.follow:
                    meter.say(f"{target.touchpoints} has caught up, workers may start; Ctrl-C ends")
            if caught_up and asked.follow and not found:
                try:
                    await asyncio.wait_for(stop.wait(), _PAUSE_SECONDS)
                except TimeoutError:
                    continue
        if not caught_up:
            raise BrokerError(
                f"{target.touchpoints} holds a part of the log only: copying was interrupted",
                f"delete the topics of {asked.namespace!r} and begin again, or choose another name",
            )
        if asked.follow:
            await copying.round(lambda: False, watch)
            await copying.finish()


def _sum_up(done: Done, source: Topics, target: Topics, asked: Asked) -> None:
    """Print what came of it and what to do next; BrokerError where a touchpoint is in doubt."""
    if asked.as_json:
        emit(
            done.tally.__dict__
            | {"snapshots": done.snapshots, "missing": done.tally.missing, "live": done.live}
            | {"seconds": round(done.seconds, 3)}
        )
    else:
        click.echo("\n".join([*told(done, target), "", *then(done, source, target)]))
    if done.tally.missing:
        raise BrokerError(
            f"{done.tally.missing} touchpoints arrived elsewhere than at their customer's home, "
            f"and their forwards are not in {source.touchpoints}: they are missing in the copy",
            "the old workers say in what state they are: bandshift doctor",
        )


def told(done: Done, target: Topics) -> list[str]:
    """What was copied, as sentences."""
    tally = done.tally
    lines = [
        (
            f"{tally.records:,} records read in {done.seconds:.1f} s; {target.touchpoints} holds "
            f"{tally.touchpoints:,} touchpoints, {tally.controls:,} control records and {tally.rejected:,} "
            "records that cannot be scored"
        )
    ]
    if tally.misrouted or tally.repeated:
        lines.append(
            f"{tally.misrouted:,} touchpoints had arrived elsewhere: copied to their homes, once"
        )
    if tally.large:
        lines.append(f"{tally.large:,} records left out that are too large ever to be scored")
    if done.models:
        lines.append(
            f"{done.snapshots:,} records of models copied: the same versions are adopted where they were"
        )
    elif done.models is False:
        lines.append("models left out: a learner learns anew from the copy")
    return lines


def then(done: Done, source: Topics, target: Topics) -> list[str]:
    """What to do next, in order."""
    name = target.namespace
    steps = [f"start workers:            bandshift worker --namespace {name}"]
    if done.learning:
        steps.append(f"start the learner:        bandshift learner --namespace {name}")
    steps.append(f"wait until none is behind: bandshift doctor --namespace {name}")
    if done.live:
        steps.append(
            f"let the broker's clock rule: bandshift live --namespace {name} (before any producer writes there)"
        )
    if done.other:
        steps.append(
            f"these settings decide otherwise than the log: bandshift adopt --namespace {name} brings them into force"
        )
    steps += [
        (
            f"switch producers and the API: BANDSHIFT_NAMESPACE={name}; what came to {source.touchpoints} "
            "meanwhile is not in the copy, unless you copy with --follow"
        ),
        (
            f"let consumers of {target.triggers} and {target.band_changes} begin at the end, or drop ids they have "
            "seen: the past is in there once more"
        ),
    ]
    return ["next:"] + [f"  {number}. {step}" for number, step in enumerate(steps, 1)]

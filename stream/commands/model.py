"""bandshift model: list, show, promote, rollback."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from schemas.home import home
from schemas.outcomes import Outcome
from stream.broker import client
from stream.broker.client import answering
from stream.broker.snapshots import Published, published
from stream.broker.topics import Topics
from stream.commands.common import (
    as_json,
    configured,
    emit,
    partitions_of,
    require_learning,
    run,
    settings_for,
)
from stream.commands.model_words import Listed, as_data, list_lines, show_lines
from stream.commands.style import Style, coloured
from stream.errors import ModelError
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.basis import Basis
from stream.model.learning.hazards import NAMES
from stream.model.learning.orders import promotion, rollback
from stream.model.snapshot import Snapshot, UnreadableSnapshotError, encode_snapshot, learned
from stream.partition.control import Kind, Signer
from stream.partition.ledger import decode_ledger
from stream.pipeline import MODEL
from stream.settings import Settings
from stream.store.connect import connect

_MOST = 10
_outcome = click.argument("outcome")
_version = click.IntRange(min=1)


@click.group("model")
def command() -> None:
    """Look at what was learned; promote a challenger, or roll back."""


@command.command("list")
@click.option("--all", "every", is_flag=True, help=f"All versions, not the latest {_MOST}.")
@as_json
@configured
def list_(every: bool, as_json: bool, namespace: str | None) -> None:
    """List each outcome's versions, how well they did, and where they are in force.

    A figure is of all examples whose horizon had ended by then, by the probability given when they were
    opened. A version in force is shown however old it is.
    """
    found = run(_list(settings_for(namespace), None if every else _MOST))
    for each in found:
        if each.published.unreadable:
            told = f"{each.outcome}: {each.published.unreadable} records cannot be read, left out"
            click.echo(told, err=True)
    if as_json:
        emit([as_data(each) for each in found])
    else:
        style = Style(colour=coloured())
        click.echo("\n\n".join("\n".join(list_lines(each, style)) for each in found))


async def _list(settings: Settings, most: int | None) -> list[Listed]:
    topics, partitions = Topics(settings.namespace), await partitions_of(settings)
    store = connect(settings)
    try:
        standings = await store.standings(range(partitions))
    finally:
        await store.close()
    versions = [decode_ledger(each.ledger).versions for each in standings]
    found = []
    async with client.reader(settings.kafka) as consumer:
        for outcome in settings.outcomes:
            in_force = [each.get(MODEL + outcome.name, 0) for each in versions]
            here = await published(
                consumer,
                topics.model_snapshots,
                partitions,
                outcome.name,
                most,
                {version for version in in_force if version},
            )
            found.append(Listed(outcome.name, here, in_force, most))
    return found


@command.command("show")
@_outcome
@click.option("--version", "number", type=_version, metavar="N", help="This one, not the latest.")
@as_json
@configured
def show(outcome: str, number: int | None, as_json: bool, namespace: str | None) -> None:
    """Show one version: stages, strongest weights, calibration, and how well it did.

    With --json, the whole record as it was published.
    """
    settings = settings_for(namespace)
    known = _known(settings, outcome)
    snapshot = run(_read(settings, outcome, number))
    if as_json:
        emit(json.loads(encode_snapshot(snapshot)))
    else:
        families = {each.name: each.family for each in _vectorizer(settings).features}
        click.echo("\n".join(show_lines(snapshot, known, families, Style(colour=coloured()))))


@command.command("promote")
@_outcome
@click.argument("challenger")
@as_json
@configured
def promote(outcome: str, challenger: str, as_json: bool, namespace: str | None) -> None:
    """Make a challenger the champion of an outcome.

    The learner does so with the next period that it learns, and publishes a version. An outcome that was
    rolled back publishes again; to let it, the present champion may be named too.
    """
    settings = settings_for(namespace)
    _known(settings, outcome)
    if challenger not in NAMES:
        raise ModelError(f"challenger: expected one of {', '.join(NAMES)}; got {challenger!r}")
    _tell(settings, outcome, 0, promotion(challenger))
    if as_json:
        emit({"outcome": outcome, "action": "promote", "name": challenger})
    else:
        click.echo(f"{outcome}: {challenger} is champion from the next period on")


@command.command("rollback")
@_outcome
@click.argument("version", type=_version)
@as_json
@configured
def rollback_(outcome: str, version: int, as_json: bool, namespace: str | None) -> None:
    """Put an older version of an outcome's model in force again, and hold it.

    The learner publishes its weights under the next number, with the next period that it learns. It goes on
    learning, judging and measuring, but publishes nothing more until `bandshift model promote`.
    """
    settings = settings_for(namespace)
    known = _known(settings, outcome)
    snapshot = run(_read(settings, outcome, version))
    vectorizer = _vectorizer(settings)
    try:
        learned(snapshot, known, Basis(known, vectorizer), vectorizer)
    except UnreadableSnapshotError as error:
        raise ModelError(f"{outcome}: version {version} cannot be used here: {error}") from None
    _tell(settings, outcome, version, rollback(encode_snapshot(snapshot)))
    if as_json:
        emit({"outcome": outcome, "action": "rollback", "version": version})
    else:
        click.echo(
            f"{outcome}: version {version} comes back under a new number with the next period, and is held;"
            f" to let it go: bandshift model promote {outcome} CHALLENGER"
        )


def _known(settings: Settings, name: str) -> Outcome:
    """The outcome of that name. Raises ModelError."""
    found = {outcome.name: outcome for outcome in settings.outcomes}
    if name not in found:
        raise ModelError(f"outcome: expected one of {', '.join(found)}; got {name!r}")
    return found[name]


def _vectorizer(settings: Settings) -> Vectorizer:
    return Vectorizer(Layout(settings.registry))


async def _read(settings: Settings, outcome: str, number: int | None) -> Snapshot:
    """A version as it was published, the latest by default. Raises ModelError."""
    topics, partitions = Topics(settings.namespace), await partitions_of(settings)
    wanted = () if number is None else (number,)
    async with client.reader(settings.kafka) as consumer:
        found = await published(consumer, topics.model_snapshots, partitions, outcome, 1, wanted)
    return chosen(outcome, found, number)


def chosen(outcome: str, found: Published, number: int | None) -> Snapshot:
    """The version asked for, the latest by default. Raises ModelError, naming what there is."""
    if not found.versions:
        raise ModelError(f"{outcome}: no version has been published yet; the prior scores")
    wanted = max(found.versions) if number is None else number
    if wanted not in found.whole:
        there = _ranges(sorted(found.versions))
        raise ModelError(
            f"{outcome}: expected a version that was published; got {wanted}, there are {there}"
        )
    return found.whole[wanted]


def _ranges(numbers: Sequence[int]) -> str:
    """Such as `1 to 7, 9`."""
    told: list[list[int]] = []
    for number in numbers:
        if told and told[-1][1] == number - 1:
            told[-1][1] = number
        else:
            told.append([number, number])
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in told)


def _tell(settings: Settings, outcome: str, version: int, body: str) -> None:
    """Append a control record to `examples`, where the learner of the outcome finds it."""
    require_learning(settings)
    signer = Signer(settings.control_key(), Topics(settings.namespace).examples)
    run(_append(settings, signer, outcome, version, body))


async def _append(
    settings: Settings, signer: Signer, outcome: str, version: int, body: str
) -> None:
    partitions = await partitions_of(settings)
    partition = home(outcome, partitions)
    value, headers = signer.control(partition, Kind.ADOPT, MODEL + outcome, version, body)
    # Packed: a model of many touchpoint types could exceed what the topic takes.
    async with client.producer(settings.kafka, compression="gzip") as producer:
        with answering():
            await producer.send_and_wait(
                Topics(settings.namespace).examples,
                value,
                b"",
                partition=partition,
                headers=list(headers),
            )

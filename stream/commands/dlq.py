"""bandshift dlq: list, show, redrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import click

from schemas.rejections import Reason
from stream.broker import client
from stream.broker.redrive import Letter, Redriver, Stock, outstanding, take_stock
from stream.broker.topics import Topics
from stream.commands.common import as_json, configured, emit, partitions_of, run, settings_for
from stream.commands.style import Style, clock, coloured, printable, shown, table
from stream.commands.tail import as_data
from stream.settings import Settings

_reason = click.option(
    "--reason", type=click.Choice([each.value for each in Reason]), help="Only of this reason."
)


@click.group("dlq")
def command() -> None:
    """Look at dead letters, and send them back in."""


@command.command("list")
@as_json
@configured
def list_(as_json: bool, namespace: str | None) -> None:
    """Count dead letters by reason: outstanding, and redriven."""
    stock = run(_stock(settings_for(namespace)))
    counts = stock.counts()
    if as_json:
        emit(
            {
                "outstanding": sum(number for number, _ in counts.values()),
                "redriven": sum(number for _, number in counts.values()),
                "reasons": [
                    {
                        "reason": reason,
                        "outstanding": open_ones,
                        "redriven": done,
                        "latest": clock(stock.latest[reason]),
                    }
                    for reason, (open_ones, done) in counts.items()
                ],
            }
        )
    elif counts:
        rows = [
            [reason, str(open_ones), str(done), clock(stock.latest[reason])]
            for reason, (open_ones, done) in counts.items()
        ]
        click.echo(table(["reason", "outstanding", "redriven", "latest"], rows))
    else:
        click.echo("no dead letters")


async def _stock(settings: Settings) -> Stock:
    partitions = await partitions_of(settings)
    async with client.reader(settings.kafka) as consumer:
        return await take_stock(consumer, Topics(settings.namespace), partitions)


@command.command("show")
@_reason
@click.option(
    "--limit", type=click.IntRange(min=1), default=10, show_default=True, help="The latest so many."
)
@as_json
@configured
def show(reason: str | None, limit: int, as_json: bool, namespace: str | None) -> None:
    """Show the latest outstanding dead letters: origin, reason, sentence, and what they were.

    With --json, one line each, with the whole value.
    """
    letters = run(_latest(settings_for(namespace), reason, limit))
    style = Style(colour=coloured())
    if as_json:
        for letter in letters:
            emit(as_data(letter.kept) | {"written": clock(letter.written)})
    elif letters:
        click.echo("\n\n".join("\n".join(lines(letter, style)) for letter in letters))
    else:
        click.echo("no outstanding dead letters")


async def _latest(settings: Settings, reason: str | None, limit: int) -> Sequence[Letter]:
    topics, partitions = Topics(settings.namespace), await partitions_of(settings)
    found: dict[int, deque[Letter]] = {}
    async with client.reader(settings.kafka) as consumer:
        stock = await take_stock(consumer, topics, partitions)
        async for number, letters in outstanding(consumer, topics, stock, reason):
            found.setdefault(number, deque(maxlen=limit)).extend(letters)
    every = [letter for letters in found.values() for letter in letters]
    return sorted(every, key=lambda letter: (letter.written, letter.partition, letter.offset))[
        -limit:
    ]


def lines(letter: Letter, style: Style) -> list[str]:
    """A dead letter to read."""
    kept = letter.kept
    key, value, _ = kept.original
    told = [
        f"{style.dim(clock(letter.written))}  {style.level('error', kept.reason)}  {printable(kept.detail)}",
        f"  from   {kept.topic}, partition {kept.partition}, offset {kept.offset}",
        f"  key    {shown(key)}",
        f"  value  {shown(value, 400)}",
    ]
    if kept.whole is not None:
        told.append(f"  whole  {kept.whole} bytes, of which only the beginning could be kept")
    return told


@command.command("redrive")
@_reason
@as_json
@configured
def redrive(reason: str | None, as_json: bool, namespace: str | None) -> None:
    """Send outstanding dead letters back in, once the cause is gone.

    Each goes to its customer's home with its original key, value, headers and time; what still cannot be
    scored becomes a dead letter again. What was sent back is noted: running it again sends only what is
    outstanding then. Of what cannot go back, because it is too large, a line tells why.
    """
    sent, refused = run(_redrive(settings_for(namespace), reason))
    for why in refused:
        click.echo(f"not sent back: {why}", err=True)
    if as_json:
        emit({"redriven": sum(sent.values()), "refused": len(refused), "reasons": sent})
    elif sent:
        told = ", ".join(f"{number} {name}" for name, number in sorted(sent.items()))
        click.echo(f"{sum(sent.values())} dead letters sent back in: {told}")
    elif not refused:
        click.echo("nothing outstanding")


async def _redrive(settings: Settings, reason: str | None) -> tuple[dict[str, int], list[str]]:
    """How many were sent back, by reason; and why others were not."""
    topics, partitions = Topics(settings.namespace), await partitions_of(settings)
    sent: dict[str, int] = {}
    refused: list[str] = []
    kafka = settings.kafka
    async with (
        client.reader(kafka) as consumer,
        client.producer(kafka) as producer,
        client.producer(kafka, compression="gzip") as compressing,
    ):
        redriver = Redriver(producer, compressing, topics, settings.registry, partitions)
        stock = await take_stock(consumer, topics, partitions)
        async for number, letters in outstanding(consumer, topics, stock, reason):
            done = await redriver.redrive(number, letters)
            refused += done.refused
            for letter in done.sent:
                sent[letter.kept.reason] = sent.get(letter.kept.reason, 0) + 1
    return sent, refused

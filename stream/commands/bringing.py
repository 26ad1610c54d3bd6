"""What `import` and `replay` have in common: a file's touchpoints into a log, and the wait for the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import click
from aiokafka import AIOKafkaConsumer

from stream.broker import client, lag, reading
from stream.broker.aside import aside
from stream.broker.replayer import Replayed, Replayer
from stream.broker.rows import Row, TouchpointFile
from stream.broker.topics import Topics
from stream.commands.common import emit
from stream.commands.progress import Meter
from stream.commands.standstill import Standstill
from stream.commands.style import clock
from stream.errors import BrokerError, TouchpointFileError
from stream.partition.control import Signer
from stream.settings import Settings
from stream.store.connect import connect

Command = TypeVar("Command", bound=Callable[..., Any])
_SCREEN_SECONDS = 0.1


@dataclass(frozen=True)
class Asked:
    """What the options say."""

    tick_hours: float
    rate: float | None
    resume: bool
    wait: bool
    learn: bool | None
    as_json: bool


def options(command: Command) -> Command:
    """The options of both commands; the command is called with `file` and the fields of Asked."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON."),
        click.option(
            "--wait/--no-wait",
            default=True,
            show_default=True,
            help="Wait until workers have taken everything in.",
        ),
        click.option(
            "--learn/--no-learn",
            default=None,
            help="Whether workers keep step with a learner, which must run then; by default as "
            "the setting learning.enabled has it.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on with the file whose run was interrupted: rows that the log has are skipped.",
        ),
        click.option(
            "--rate", type=click.FloatRange(min=0, min_open=True), help="Rows a second at most."
        ),
        click.option(
            "--tick-hours",
            type=click.FloatRange(min=0, min_open=True),
            default=24.0,
            show_default=True,
            help="Hours of the log's time between two ticks.",
        ),
        click.argument("file"),
    ):
        command = option(command)
    return command


async def bring_in(
    settings: Settings, consumer: AIOKafkaConsumer, partitions: int, file: str, asked: Asked
) -> None:
    """Send a file's touchpoints into the log of the settings' namespace; prints a summary."""
    topics = Topics(settings.namespace)
    signer = Signer(settings.control_key(), topics.touchpoints)
    latest, there = await reading.last_touchpoints(consumer, topics.touchpoints, partitions)
    with TouchpointFile(file) as rows:
        first, rest = await aside(lambda: _first(rows))
        if first is not None and not asked.resume and (first.occurred_ms or 0) < latest:
            raise TouchpointFileError(
                f"{file} begins at {clock(first.occurred_ms or 0)}, but {topics.touchpoints} reaches to "
                f"{clock(latest)} already; its rows would be counted again, or come too late",
                "--resume goes on where an interrupted run of the same file stopped; "
                "to begin anew, use a new namespace",
            )
        async with client.producer(settings.kafka) as producer:
            replayer = Replayer(
                producer,
                topics.touchpoints,
                partitions,
                signer,
                tick_hours=asked.tick_hours,
                latest=int(time.time() * 1000),
                resume=there if asked.resume else None,
                in_step=settings.learning.enabled if asked.learn is None else asked.learn,
            )
            seconds = await _send(replayer, rows, rest, asked)
    if asked.wait:
        await _wait(settings, consumer, topics, partitions)
    _sum_up(replayer.replayed, file, seconds, asked)


def _first(rows: TouchpointFile) -> tuple[Row | None, Iterator[Row]]:
    """The first row with a readable time, and all rows."""
    source, passed = iter(rows), list[Row]()
    for row in source:
        passed.append(row)
        if row.occurred_ms is not None or len(passed) >= 1_000:
            break
    first = passed[-1] if passed and passed[-1].occurred_ms is not None else None
    return first, chain(passed, source)


async def _send(
    replayer: Replayer, rows: TouchpointFile, rest: Iterator[Row], asked: Asked
) -> float:
    with Meter("sending", "touchpoints") as meter:
        told = 0.0

        def watch(replayed: Replayed) -> None:
            nonlocal told
            if meter.seconds - told > _SCREEN_SECONDS:
                told = meter.seconds
                meter.show(replayed.rows, rows.fraction)

        await replayer.send(rest, rate=asked.rate, watch=watch)
        await replayer.tick()
        return meter.seconds


async def _wait(
    settings: Settings, consumer: AIOKafkaConsumer, topics: Topics, partitions: int
) -> None:
    store = connect(settings)
    first: int | None = None

    with Meter("taken in", "records") as meter:
        still = Standstill(settings, meter.say)

        def watch(found: Sequence[lag.Lag]) -> None:
            nonlocal first
            behind = sum(each.behind for each in found)
            first = behind if first is None else max(first, behind)
            done = first - behind
            meter.show(done, done / first if first else 1.0)
            still.look(found)

        try:
            await lag.taken_in(consumer, store, topics, partitions, watch=watch)
        except BrokerError as error:
            raise still.explained(error) from None
        finally:
            await still.close()
            await store.close()


def _sum_up(replayed: Replayed, file: str, seconds: float, asked: Asked) -> None:
    """Print what came of it; TouchpointFileError if a row could not even be sent to be rejected."""
    rate = replayed.rows / seconds if seconds else 0.0
    if asked.as_json:
        emit(
            {
                "rows": replayed.rows,
                "sent": replayed.sent,
                "skipped": replayed.skipped,
                "unsent": replayed.unsent,
                "disordered": replayed.disordered,
                "too_late": replayed.too_late,
                "untimed": replayed.untimed,
                "ticks": replayed.ticks,
                "begin": clock(replayed.begin) if replayed.begin is not None else None,
                "end": clock(replayed.clock) if replayed.clock else None,
                "seconds": round(seconds, 3),
                "rows_per_second": round(rate),
            }
        )
    else:
        for line in told(replayed, seconds, rate):
            click.echo(line)
    if replayed.unsent:
        lines = "; ".join(f"line {line}: {why}" for line, why in replayed.faults)
        more = replayed.unsent - len(replayed.faults)
        raise TouchpointFileError(
            f"{file}: {replayed.unsent} rows could not be sent: {lines}"
            + (f"; and {more} more" if more else ""),
            "put them right, and send them in a file of their own",
        )


def told(replayed: Replayed, seconds: float, rate: float) -> list[str]:
    """The summary as sentences."""
    span = ""
    if replayed.begin is not None:
        span = f", {clock(replayed.begin)} to {clock(replayed.clock)}"
    lines = [f"{replayed.sent:,} rows sent in {seconds:.1f} s ({rate:,.0f}/s){span}"]
    if replayed.skipped:
        lines.append(f"{replayed.skipped:,} rows skipped: the log has them already")
    if replayed.disordered:
        late = f", {replayed.too_late:,} of them over 90 days late, for the dead letters"
        lines.append(
            f"{replayed.disordered:,} rows out of order{late if replayed.too_late else ''}"
        )
    if replayed.untimed:
        lines.append(
            f"{replayed.untimed:,} rows without a readable past time, for the dead letters"
        )
    return lines

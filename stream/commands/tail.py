"""bandshift tail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import click

from stream.broker import client, deadletters, reading, setup
from stream.broker.deadletters import Kept
from stream.broker.topics import Topics
from stream.commands.common import as_json, configured, run, settings_for
from stream.commands.style import Style, clock, coloured, percent, printable, shown
from stream.settings import Settings

KINDS: Final = ("scores", "band-changes", "triggers", "dead-letters")
_TOPICS: Final = {"dead-letters": "touchpoints-dlq"}


@click.command("tail")
@click.argument("kinds", nargs=-1, type=click.Choice(KINDS), metavar="[KIND]...")
@click.option("--from-start", is_flag=True, help="Begin with the oldest record, not with the next.")
@click.option("--no-follow", is_flag=True, help="End where the topics end now.")
@click.option("--customer", metavar="ID", help="Only of this customer.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many.")
@as_json
@configured
def command(
    kinds: tuple[str, ...],
    from_start: bool,
    no_follow: bool,
    customer: str | None,
    limit: int | None,
    as_json: bool,
    namespace: str | None,
) -> None:
    """Show what comes out, as it comes.

    KIND is scores, band-changes, triggers or dead-letters, several at once if you like; without any:
    band-changes and triggers. With --json, each record is one line: the CloudEvent as it was published, or
    the dead letter with its reason and origin.
    """
    tell = json_line if as_json else Plain(Style(colour=coloured())).line
    settings = settings_for(namespace)
    topics = Topics(settings.namespace)
    names = {topics.name(_TOPICS.get(kind, kind)): kind for kind in kinds or KINDS[1:3]}

    def show(topic: str, record: Any) -> bool:
        line = tell(names[topic], record, customer)
        if line is not None:
            click.echo(line)
        return line is not None

    run(_tail(settings, list(names), show, limit, from_start=from_start, follow=not no_follow))


async def _tail(
    settings: Settings,
    names: list[str],
    show: Callable[[str, Any], bool],
    limit: int | None,
    *,
    from_start: bool,
    follow: bool,
) -> None:
    topics = Topics(settings.namespace)
    async with client.admin(settings.kafka) as admin:
        partitions = await setup.partitions(admin, topics)
    left = limit
    async with client.reader(settings.kafka) as consumer:
        source = reading.follow(consumer, names, partitions, from_start=from_start, on=follow)
        async for records in source:
            for record in records:
                if show(record.topic, record) and left is not None:
                    left -= 1
                    if not left:
                        return


def _belongs(record: Any, customer: str | None) -> bool:
    return customer is None or record.key == customer.encode()


def json_line(kind: str, record: Any, customer: str | None) -> str | None:
    """A record as one line of JSON; None if it is not asked for."""
    if not _belongs(record, customer):
        return None
    if kind != "dead-letters":
        return (record.value or b"").decode("utf-8", "replace")
    kept = deadletters.read(record.key, record.value, record.headers)
    return None if kept is None else json.dumps(as_data(kept), ensure_ascii=False)


def as_data(kept: Kept) -> dict[str, Any]:
    """A dead letter as plain data; bytes that are no UTF-8 are escaped."""
    key, value, _ = original = kept.original
    return {
        "id": kept.identity,
        "reason": kept.reason,
        "field": kept.field,
        "detail": kept.detail,
        "topic": kept.topic,
        "partition": kept.partition,
        "offset": kept.offset,
        "key": _text(key),
        "value": _text(value),
        "bytes": kept.whole or original.size,
        "complete": kept.whole is None,
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


class Plain:
    """Records as lines to read."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._kinds: dict[str, Callable[[dict[str, Any]], str]] = {
            "scores": self._score,
            "band-changes": self._band_change,
            "triggers": self._trigger,
        }

    def line(self, kind: str, record: Any, customer: str | None) -> str | None:
        """One line; None if the record is not asked for."""
        if not _belongs(record, customer):
            return None
        if kind == "dead-letters":
            kept = deadletters.read(record.key, record.value, record.headers)
            return None if kept is None else f"{clock(record.timestamp)}  {self.dead_letter(kept)}"
        try:
            data = json.loads(record.value or b"{}")["data"]
            at = self._style.dim(f"{data['decided_at'][:19].replace('T', ' ')}")
            who = self._style.strong(printable(data["customer_id"]))
            return f"{at}  {who}  {self._kinds[kind](data)}"
        except (ValueError, KeyError, TypeError):
            place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
            return self._style.dim(f"{place}: not a record that a worker of this release writes")

    def _score(self, data: dict[str, Any]) -> str:
        scores = (
            f"{score['outcome']} {self._style.band(score['band'])} {percent(score['probability'])}"
            for score in data["scores"]
        )
        return "  ".join(scores) + self._cause(data)

    def _band_change(self, data: dict[str, Any]) -> str:
        return (
            f"{data['outcome']} in {data['horizon_days']} days: {self._style.band(data['from'])} → "
            f"{self._style.band(data['to'])} {percent(data['probability'])}{self._cause(data)}"
        )

    def _trigger(self, data: dict[str, Any]) -> str:
        return f"{self._style.strong('! ' + data['rule'])}  {self._band_change(data)}  {data['advice']}"

    def _cause(self, data: dict[str, Any]) -> str:
        touchpoint = data["touchpoint"]
        return self._style.dim(f"  ({touchpoint['type'] if touchpoint else 'silence'})")

    def dead_letter(self, kept: Kept) -> str:
        """A dead letter: reason, origin, sentence, and the beginning of what it was."""
        origin = self._style.dim(f"{kept.topic} {kept.partition}@{kept.offset}")
        reason = self._style.level("error", kept.reason)
        value = self._style.dim(shown(kept.value, 60))
        return f"{reason}  {printable(kept.detail)}  {origin}  {value}"

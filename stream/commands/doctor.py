"""bandshift doctor."""

from __future__ import annotations

import click

from stream.checks import Level, Report, examine
from stream.commands.common import as_json, configured, emit, run, settings_for
from stream.commands.origins import Value, values
from stream.commands.style import Style, clock, coloured, table

_MARKS = {Level.OK: "ok     ", Level.WARNING: "warning", Level.ERROR: "wrong  "}


@click.command("doctor")
@as_json
@configured
def command(as_json: bool, namespace: str | None) -> None:
    """Say what is wrong and what to do about it.

    Shows each setting with its value and where it came from, whether Kafka and Redis answer and are set up so
    that nothing can be lost, and how far the workers are. Exit status 0 only if nothing is wrong; a warning
    alone does not count.
    """
    settings = settings_for(namespace)
    given = values(settings, given=namespace is not None)
    report = run(examine(settings))
    if as_json:
        emit(as_data(given, report))
    else:
        click.echo("\n".join(lines(given, report, Style(colour=coloured()))))
    if not report.well:
        raise SystemExit(1)


def as_data(given: list[Value], report: Report) -> dict[str, object]:
    """All of it as plain data."""
    return {
        "well": report.well,
        "findings": [each.__dict__ for each in report.findings],
        "settings": [each._asdict() for each in given],
        "partitions": [
            each._asdict() | {"owner": report.owners.get(each.partition)} for each in report.lags
        ],
        "rebuilding": [
            {
                "partition": number,
                "done": each.share,
                "remaining_records": each.remaining,
                "remaining_seconds": each.seconds,
            }
            for each in report.rebuilding
            for number in each.partitions
        ],
    }


def lines(given: list[Value], report: Report, style: Style) -> list[str]:
    """All of it to read: settings, partitions, findings; what matters most stands last."""
    told = [table(["setting", "value", "from"], [list(each) for each in given]), ""]
    if report.lags:
        rows = [
            [
                str(each.partition),
                "-" if each.position is None else str(each.position),
                str(each.behind),
                clock(each.clock) if each.clock else "-",
                "live" if each.live else "history",
                report.owners.get(each.partition, "-"),
            ]
            for each in report.lags
        ]
        columns = ["partition", "taken in to", "behind", "log's clock", "mode", "owner"]
        told += [table(columns, rows), ""]
    for found in report.findings:
        told.append(f"{style.level(found.level, _MARKS[found.level])}  {found.text}")
        if found.hint:
            told.append(f"         {found.hint}")
    wrong = sum(found.level is Level.ERROR for found in report.findings)
    told += [
        "",
        "all is well"
        if not wrong
        else f"{wrong} things are wrong"
        if wrong > 1
        else "1 thing is wrong",
    ]
    return told

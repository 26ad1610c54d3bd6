"""bandshift evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from schemas.outcomes import Cuts
from stream.commands.common import as_json, configured_without_namespace, emit
from stream.commands.evaluating import Asked, Evaluation, evaluate
from stream.commands.style import printable, table
from stream.errors import EvaluationError
from stream.evaluation.models import OURS, TITLES
from stream.evaluation.verdict import verdict
from stream.settings import load


def _names(_ctx: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise click.BadParameter("expected names of touchpoint types, with commas between them")
    return found


def _cuts(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> Cuts | None:
    if text is None:
        return None
    try:
        first, second, third, fourth = (float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(
            "expected four rising probabilities with commas between them, such as 0.05,0.15,0.35,0.65"
        ) from None
    return first, second, third, fourth


@click.command("evaluate")
@click.argument("file")
@click.option(
    "--outcome-types",
    required=True,
    callback=_names,
    metavar="TYPE,...",
    help="Touchpoints that count as the outcome, by type as the file names it.",
)
@click.option(
    "--horizon",
    required=True,
    type=click.IntRange(1, 365),
    metavar="DAYS",
    help="Within how many days the outcome is predicted.",
)
@click.option(
    "--min-value", type=click.FloatRange(min=0), help="Touchpoints worth less do not count."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where metrics.json, report.md and the plots go.",
)
@click.option(
    "--cuts",
    callback=_cuts,
    metavar="P,P,P,P",
    help="Four probabilities between the five bands.  [default: 0.05,0.15,0.35,0.65]",
)
@click.option(
    "--every-days", type=click.IntRange(1, 90), help="Each customer opens an example this often."
)
@click.option(
    "--on-events/--not-on-events",
    default=None,
    help="Open examples also at the first touchpoint of a customer's day.",
)
@click.option(
    "--partitions", type=click.IntRange(1, 10_000), help="As if the log had so many partitions."
)
@click.option(
    "--examples",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the examples' records there, as a replay of the log would publish them.",
)
@as_json
@configured_without_namespace
def command(file: str, as_json: bool, **asked: Any) -> None:
    """Measure on a log how good the scores are, beside other models.

    No server is needed. FILE holds touchpoints as CSV (event_id, customer_id, type, occurred_at, ...) or JSON lines, plain or
    gzip, in the order of their times; it is read twice. Types that the settings do not know are taken as
    they come. Everything is predicted before it is known, and every label counts only from when it would
    have been known.
    """
    if file == "-":
        raise EvaluationError(
            "FILE: expected a file, standard input cannot be read twice", "save it to a file first"
        )
    wanted = Asked(file, **asked)
    found = evaluate(load(), wanted)
    if as_json:
        emit({name: part for name, part in found.metrics.items() if name != "curves"})
    else:
        click.echo("\n".join(told(found, wanted)))


def told(found: Evaluation, asked: Asked) -> list[str]:
    """What to read at the end."""
    metrics, counted = found.metrics, found.survey
    compared = metrics["compared"]["examples"]
    lines = [
        f"{counted.rows:,} rows, {found.scorings:,} scorings",
        f"{metrics['examples']:,} examples with a known label, {compared:,} of them compared",
    ]
    renamed = {name: kind for name, kind in found.taken.names.items() if name != kind}
    if renamed:
        listed = ", ".join(f"{printable(a)[:60]} as {b}" for a, b in [*renamed.items()][:10])
        more = f" and {len(renamed) - 10} more" if len(renamed) > 10 else ""
        lines.append(f"types taken under another name: {listed}{more}")
    if found.rejected or counted.unread:
        reasons = dict(sorted(found.rejected.items(), key=lambda each: -each[1]))
        if counted.unread:
            reasons["not readable"] = counted.unread
        listed = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        lines.append(f"{sum(reasons.values()):,} rows rejected: {listed}")
    if counted.disordered:
        lines.append(f"{counted.disordered:,} rows out of order")
    if compared:
        lines += ["", _table(metrics)]
    took = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in found.seconds.items())
    lines += ["", *verdict(metrics), "", took, f"report: {asked.out / 'report.md'}"]
    return lines


def _table(metrics: dict[str, Any]) -> str:
    rows = []
    for name, model in metrics["models"].items():
        apart = metrics["differences"][name]["log_loss"] if name != OURS else None
        rows.append(
            [
                TITLES[name],
                *(_number(model[each], 4) for each in ("auc", "log_loss", "brier", "ece")),
                _number(model["lift10"], 2),
                _apart(apart),
            ]
        )
    head = [
        "model",
        "AUC",
        "log-loss",
        "Brier",
        "ECE",
        "lift 10 %",
        "bandshift's log-loss less its, 95 %",
    ]
    return table(head, rows)


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _apart(interval: dict[str, float | None] | None) -> str:
    if interval is None or interval["mean"] is None:
        return ""
    if interval["low"] is None:
        return f"{interval['mean']:+.4f}"
    return f"{interval['mean']:+.4f}  [{interval['low']:+.4f}, {interval['high']:+.4f}]"

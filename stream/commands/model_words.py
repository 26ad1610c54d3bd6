"""What `bandshift model` tells of versions, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.outcomes import Outcome
from stream.broker.snapshots import Published, Version
from stream.commands.style import Style, clock, percent, table
from stream.model.snapshot import Snapshot, StageWeights

_STRONGEST: Final = 8
_NOTHING: Final = "-"
_COLUMNS: Final = [
    *("version", "known to", "champion", "examples", "positives"),
    *("log-loss", "prior", "base rate", "ECE", "in force"),
]


class Listed(NamedTuple):
    """An outcome's versions, and the one in force by partition (0: the prior)."""

    outcome: str
    published: Published
    in_force: Sequence[int]
    most: int | None
    """How many of the latest are to be told; all where it is None."""

    @property
    def versions(self) -> list[Version]:
        """Those to be told, the newest first."""
        versions = self.published.versions
        every = sorted(versions, reverse=True)
        told = {*every[: self.most], *self.in_force}
        return [versions[each] for each in every if each in told]

    @property
    def held(self) -> int | None:
        """The older version that the newest one was rolled back to."""
        versions = self.published.versions
        return versions[max(versions)].held if versions else None

    def where(self, version: int) -> list[int]:
        """The partitions in which a version is in force."""
        return [number for number, each in enumerate(self.in_force) if each == version]


def as_data(listed: Listed) -> dict[str, Any]:
    """As JSON."""
    return {
        "outcome": listed.outcome,
        "held": listed.held,
        "in_force": {str(number): version for number, version in enumerate(listed.in_force)},
        "versions": [
            each._asdict()
            | {"known_to": _iso(each.known_to), "in_force": listed.where(each.version)}
            for each in listed.versions
        ],
    }


def list_lines(listed: Listed, style: Style) -> list[str]:
    """An outcome's versions as a table."""
    told = [style.strong(listed.outcome)]
    if listed.held is not None:
        text = f"  held: rolled back to version {listed.held}, nothing newer is published until a promotion"
        told.append(style.level("warning", text))
    if not listed.published.versions:
        return [*told, "  no version has been published yet; the prior scores"]
    rows = [_row(each, listed) for each in listed.versions]
    if 0 in listed.in_force:
        rows.append(["prior", *[_NOTHING] * 8, _where(listed, 0)])
    return [*told, *(f"  {line}" for line in table(_COLUMNS, rows).splitlines())]


def _row(each: Version, listed: Listed) -> list[str]:
    losses = [each.log_loss.get(name) for name in ("champion", "prior", "base_rate")]
    number = str(each.version) if each.held is None else f"{each.version} (= {each.held})"
    counts = [f"{each.examples:,}", f"{each.positives:,}"]
    figures = [_figure(figure) for figure in (*losses, each.ece)]
    return [
        *(number, clock(each.known_to), each.champion, *counts, *figures),
        _where(listed, each.version),
    ]


def _where(listed: Listed, version: int) -> str:
    found = listed.where(version)
    if not found:
        return ""
    if len(found) == len(listed.in_force):
        return "everywhere"
    return f"partition{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"


def _figure(number: float | None) -> str:
    return _NOTHING if number is None else f"{number:.4f}"


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def show_lines(
    snapshot: Snapshot, outcome: Outcome, families: Mapping[str, str], style: Style
) -> list[str]:
    """One version in full; `families` by feature."""
    metrics = snapshot.metrics
    told = [
        style.strong(f"{snapshot.outcome}, version {snapshot.version}"),
        f"  {_what(outcome, snapshot.horizon_days)}",
        f"  knows all labels up to {clock(snapshot.known_to)}; champion {snapshot.champion}",
        f"  {snapshot.examples:,} examples whose horizon has ended, {snapshot.positives:,} of them positive",
    ]
    if "held" in metrics:
        text = f"  held: these are the weights of version {metrics['held']}, until a promotion"
        told.append(style.level("warning", text))
    for stage, trained in zip(snapshot.stages, snapshot.trained, strict=False):
        told += ["", *_stage(stage, trained, families, style)]
    if "log_loss" in metrics:
        told += ["", *_losses(metrics, style), "", *_tables(metrics, style)]
    if metrics.get("drift"):
        told += ["", style.strong("drift")]
        told += [f"  {_time(alarm['at'])}  {alarm['text']}" for alarm in metrics["drift"]]
    return told


def _what(outcome: Outcome, days: int) -> str:
    if outcome.kind == "absence":
        return f"the probability that none of its touchpoints comes within {days} days"
    return f"the probability that one of its touchpoints comes within {days} days"


def _stage(
    stage: StageWeights, trained: int, families: Mapping[str, str], style: Style
) -> list[str]:
    added, slope = stage.calibrator.bias, stage.calibrator.slope
    beside = "on top of the prior" if stage.prior else "in place of the prior"
    told = [
        style.strong(f"days {stage.start} to {stage.end}") + f"  {trained:,} stage examples",
        f"  calibrator: {added:+.4f}, and {slope:+.4f} times the log-odds",
        f"  weights {beside}, {len(stage.weights)} in all; the strongest:",
    ]
    strongest = sorted(stage.weights.items(), key=lambda each: (-abs(each[1]), each[0]))
    rows = [["(always)", f"{stage.bias:+.4f}", ""]]
    rows += [
        [name, f"{weight:+.4f}", _family(name, families)] for name, weight in strongest[:_STRONGEST]
    ]
    return told + [
        f"    {line}" for line in table(["feature", "log-odds", "family"], rows).splitlines()
    ]


def _family(name: str, families: Mapping[str, str]) -> str:
    """Of a feature, or of both in a product."""
    found = dict.fromkeys(families.get(each, "") for each in name.split("*"))
    return " and ".join(each for each in found if each)


def _losses(metrics: Mapping[str, Any], style: Style) -> list[str]:
    losses, stages = metrics["log_loss"], metrics.get("stage_log_loss", {})
    order = [name for name in ("champion", "prior", "base_rate") if name in losses]
    rows = [[name.replace("_", " "), _figure(losses[name])] for name in order]
    told = [style.strong("log-loss per example, as scored when it was opened")]
    told += [f"  {line}" for line in table(["model", "log-loss"], rows).splitlines()]
    told.append(f"  ECE {_figure(metrics.get('ece'))}, Brier {_figure(metrics.get('brier'))}")
    if stages:
        ranked = sorted(stages.items(), key=lambda each: each[1])
        rows = [[name, _figure(loss)] for name, loss in ranked]
        told += ["", style.strong("log-loss per stage example, the latest counting most")]
        told += [f"  {line}" for line in table(["contender", "log-loss"], rows).splitlines()]
    return told


def _tables(metrics: Mapping[str, Any], style: Style) -> list[str]:
    """Reliability, and what became of the bands, of the latest examples."""
    bins = [
        [percent(each["predicted"]), percent(each["observed"]), f"{each['count']:,}"]
        for each in metrics.get("reliability", ())
    ]
    bands = [
        [
            each["band"],
            f"{percent(each['low'])} to {percent(each['high'])}",
            percent(each["observed"]) if each["count"] else _NOTHING,
            " to ".join(map(percent, each["interval"])) if each["count"] else _NOTHING,
            f"{each['count']:,}",
        ]
        for each in metrics.get("bands", ())
    ]
    told = [style.strong("reliability")]
    told += [
        f"  {line}" for line in table(["predicted", "observed", "examples"], bins).splitlines()
    ]
    told += ["", style.strong("bands")]
    columns = ["band", "bounds", "observed", "95 %", "examples"]
    return told + [f"  {line}" for line in table(columns, bands).splitlines()]


def _time(at: str | datetime) -> str:
    return clock(datetime.fromisoformat(at) if isinstance(at, str) else at)

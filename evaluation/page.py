"""The figures in docs/evaluation.md, between its two marks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from stream.evaluation.models import OURS, TITLES
from stream.evaluation.report import number, table
from stream.evaluation.verdict import verdict

BEGIN: Final = "<!-- figures: written by `make evaluate`; a change here is lost -->"
END: Final = "<!-- end of figures -->"


def write(page: Path, results: Path) -> None:
    """Put what lies in the directory of results into the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{figures(results)}\n\n{END}{after}", encoding="utf-8")


def figures(results: Path) -> str:
    """All results: log by log, the longer horizon first."""
    found = [
        (path.parent.name.rpartition("-")[0], json.loads(path.read_text(encoding="utf-8")))
        for path in results.glob("*/metrics.json")
    ]
    found.sort(key=lambda each: (each[0], -each[1]["horizon_days"]))
    return "\n\n".join(_section(*each) for each in found) or "Nothing has been measured yet."


def _section(name: str, metrics: dict[str, Any]) -> str:
    parts = [
        f"### {name}, {metrics['horizon_days']} days",
        _about(metrics),
    ]
    if metrics["compared"]["examples"]:
        parts += [_models(metrics), _bands(metrics)]
    parts.append("\n".join(f"- {line}" for line in [*verdict(metrics), *metrics["notes"]]))
    return "\n\n".join(parts)


def _about(metrics: dict[str, Any]) -> str:
    compared = metrics["compared"]
    positives = metrics["models"][OURS]["positives"]
    words = (
        f"{metrics['examples']:,} examples with a known label; {compared['examples']:,} of "
        f"{compared['customers']:,} customers compared, {positives:,} of them positive."
    )
    if metrics["share_in_silence"] is None:
        return words
    return (
        f"{words} A customer's band changed {metrics['band_changes_per_customer_year']:.1f} times a year, "
        f"{metrics['reversals_per_customer_year']:.1f} times in the direction opposite to the change before; "
        f"{metrics['share_in_silence']:.0%} of the changes fell in silence."
    )


def _models(metrics: dict[str, Any]) -> str:
    rows = []
    for name, model in metrics["models"].items():
        apart = metrics["differences"].get(name, {}).get("log_loss")
        plain = [number(model[each]) for each in ("auc", "log_loss", "brier", "ece")]
        rows.append([TITLES[name], *plain, number(model["lift10"], 2), _interval(apart)])
    head = [
        "model",
        "AUC",
        "log-loss",
        "Brier",
        "ECE",
        "lift at 10 %",
        "bandshift's log-loss less its",
    ]
    return table(head, rows)


def _bands(metrics: dict[str, Any]) -> str:
    rows = [
        [
            band["name"],
            f"{band['low']:g} to {band['high']:g}",
            number(band["observed"]),
            "" if band["interval"][0] is None else "{:.4f} to {:.4f}".format(*band["interval"]),
            f"{band['count']:,}",
        ]
        for band in metrics["bands"]
    ]
    return table(["band", "bounds", "observed rate", "95 % interval", "examples"], rows)


def _interval(apart: dict[str, float | None] | None) -> str:
    if apart is None or apart["mean"] is None or apart["low"] is None:
        return ""
    return f"{apart['mean']:+.4f} [{apart['low']:+.4f}, {apart['high']:+.4f}]"

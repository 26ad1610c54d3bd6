"""What the figures say, in plain words: where bandshift is better, where worse, where nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream.evaluation.models import OTHERS, OURS, TITLES

_ENOUGH = 300  # examples of a band, below which its rate says little


def verdict(metrics: dict[str, Any]) -> list[str]:
    """One sentence or two for each question."""
    if not metrics["compared"]["examples"]:
        return [f"Nothing could be measured: {metrics['reason']}."]
    lines = [f"Note: {metrics['reason']}."] if metrics["reason"] else []
    lines += _against(metrics, "log_loss", "Log-loss", lambda value: value < 0)
    lines += _against(metrics, "auc", "Ranking (AUC)", lambda value: value > 0)
    return [*lines, _calibration(metrics), _bands(metrics), _first(metrics)]


def _against(
    metrics: dict[str, Any], figure: str, title: str, better: Callable[[float], bool]
) -> list[str]:
    """Better and worse are said only where the interval excludes 0."""
    groups: dict[str, list[str]] = {
        "better than": [],
        "worse than": [],
        "no clear difference to": [],
    }
    for name in OTHERS:
        each = metrics["differences"][name][figure]
        mean, low, high = each["mean"], each["low"], each["high"]
        if mean is None:
            continue
        clear = low is not None and low * high > 0
        group = "no clear difference to"
        if clear:
            group = "better than" if better(mean) else "worse than"
        groups[group].append(f"{TITLES[name]} ({mean:+.4f})")
    said = [f"{how} {', '.join(names)}" for how, names in groups.items() if names]
    return [f"{title}: {'; '.join(said)}."] if said else []


def _calibration(metrics: dict[str, Any]) -> str:
    error, bound = metrics["models"][OURS]["ece"], metrics["ece_perfect_p95"]
    within = error <= bound
    return (
        f"Calibration: the error (ECE) is {error:.4f}; a perfect forecaster would stay below {bound:.4f} in 19 of "
        f"20 cases, so this is {'no more than chance explains' if within else 'more than chance explains'}."
    )


def _bands(metrics: dict[str, Any]) -> str:
    judged = [band for band in metrics["bands"] if band["count"] >= _ENOUGH]
    outside = [band["name"] for band in judged if not band["inside"]]
    if not judged:
        return f"Bands: none has {_ENOUGH} examples."
    if outside:
        return (
            f"Bands: {len(judged) - len(outside)} of {len(judged)} hold what their bounds say; "
            f"not so: {', '.join(outside)}."
        )
    return f"Bands: all {len(judged)} with {_ENOUGH} examples or more hold what their bounds say."


def _first(metrics: dict[str, Any]) -> str:
    first = metrics["first"]
    ours, base = first["log_loss"][OURS], first["log_loss"]["base_rate"]
    word = "better than" if first["better"] else "not better than"
    return (
        f"First useful score: over the first {first['examples']:,} examples after 50 known positives, bandshift's "
        f"log-loss is {word} the base rate's ({ours:.4f} against {base:.4f})."
    )

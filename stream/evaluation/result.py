"""The content of metrics.json."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from stream.evaluation.bands import bands
from stream.evaluation.baselines.bgnbd import CUSTOMERS
from stream.evaluation.baselines.lightgbm import ROWS
from stream.evaluation.curves import curves
from stream.evaluation.examples import POSITIVES, Evaluated, Span, compared
from stream.evaluation.forecaster import perfect_ece
from stream.evaluation.intervals import RESAMPLES, Interval, differences
from stream.evaluation.metrics import BINS, CLIP, figures
from stream.evaluation.models import OTHERS, OURS, TITLES, Scores, scores
from stream.evaluation.progress import Progress, no_progress

FORMAT: Final = 1
EARLY: Final = 2_000
"""The first examples compared, on which the first useful score is judged."""
_DECIMALS = 8


def result(evaluated: Evaluated, progress: Progress = no_progress) -> dict[str, Any]:
    """Let all models run and measure them; figures without a meaning are None, and `reason` says why."""
    span = compared(evaluated)
    found = scores(evaluated, span, progress)
    measured: dict[str, Any] = {
        **_what(evaluated, span),
        "models": {name: figures(p, found.y) for name, p in found.models.items()},
        "differences": _differences(found, progress),
        "bands": bands(evaluated.cuts, found),
        "ece_perfect_p95": _perfect(evaluated, found, progress),
        **_movement(evaluated),
        "first": _first(found),
        "notes": _notes(evaluated, span, found),
        "curves": curves(found),
    }
    plain: dict[str, Any] = _plain(measured)
    return plain


def _what(evaluated: Evaluated, span: Span) -> dict[str, Any]:
    """What was run."""
    opened = evaluated.opened_at[span.examples]
    return {
        "format": FORMAT,
        "log": evaluated.log,
        "outcome": evaluated.outcome,
        "outcome_types": list(evaluated.types),
        "min_value": evaluated.min_value,
        "horizon_days": evaluated.horizon_days,
        "grace_days": evaluated.grace_days,
        "began_at": _moment(evaluated.began_at),
        "ended_at": _moment(evaluated.ended_at),
        "features": len(evaluated.features),
        "examples": len(evaluated.opened_at),
        "compared": {
            "examples": span.last - span.first,
            "customers": len(np.unique(evaluated.customer[span.examples])),
            "from": _moment(opened[0]) if len(opened) else None,
            "to": _moment(opened[-1]) if len(opened) else None,
        },
        "reason": span.reason or _one_class(evaluated, span),
        "settings": {
            "positives_before_comparing": POSITIVES,
            "log_loss_clip": CLIP,
            "ece_bins": BINS,
            "resamples": RESAMPLES,
        },
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _one_class(evaluated: Evaluated, span: Span) -> str | None:
    y = evaluated.converted[span.examples]
    if y.any() and not y.all():
        return None
    which = "positive" if y.any() else "negative"
    return f"all {len(y)} examples compared are {which}: there is no AUC and nothing to rank"


def _interval(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _differences(found: Scores, progress: Progress) -> dict[str, Any]:
    """Ours less each other model."""
    if not len(found.y):
        nothing = dict.fromkeys(("mean", "low", "high"))
        return {name: {"log_loss": dict(nothing), "auc": dict(nothing)} for name in OTHERS}
    others = {name: found.models[name] for name in OTHERS}
    apart = differences(found.y, found.customer, found.models[OURS], others, progress=progress)
    return {
        name: {"log_loss": _interval(each.log_loss), "auc": _interval(each.auc)}
        for name, each in apart.items()
    }


def _perfect(evaluated: Evaluated, found: Scores, progress: Progress) -> float | None:
    """The 95th percentile of a perfect forecaster's calibration error."""
    if not len(found.y):
        return None
    errors = perfect_ece(
        found.models[OURS],
        found.customer,
        found.opened_at,
        evaluated.horizon,
        progress=progress,
    )
    return float(np.percentile(errors, 95))


def _movement(evaluated: Evaluated) -> dict[str, float | None]:
    """How often bands change, over the whole log."""
    years, changes = evaluated.customer_years, evaluated.changes
    return {
        "band_changes_per_customer_year": changes / years if years else None,
        "reversals_per_customer_year": evaluated.reversals / years if years else None,
        "share_in_silence": evaluated.changes_in_silence / changes if changes else None,
    }


def _first(found: Scores) -> dict[str, Any] | None:
    """Ours against the base rate on the first examples: whether the first scores are of use."""
    y = found.y[:EARLY]
    if not len(y):
        return None
    ours, base = found.models[OURS][:EARLY], found.models["base_rate"][:EARLY]
    apart = differences(y, found.customer[:EARLY], ours, {"base_rate": base})["base_rate"].log_loss
    return {
        "examples": len(y),
        "positives": int(y.sum()),
        "log_loss": {OURS: figures(ours, y)["log_loss"], "base_rate": figures(base, y)["log_loss"]},
        "difference": _interval(apart),
        "better": apart.mean < 0,
    }


def _notes(evaluated: Evaluated, span: Span, found: Scores) -> list[str]:
    """What was cut short or filled in."""
    if span.first == span.last:
        return []
    notes = [
        f"{TITLES[name]} could say nothing of {count:,} examples; they got the base rate."
        for name, count in found.filled.items()
    ]
    known = int(evaluated.known_by_day[span.last - 1])
    if known > ROWS:
        notes.append(
            f"LightGBM trains on {ROWS:,} of the known examples (up to {known:,}), drawn by a hash, "
            "so that a refit every day stays feasible."
        )
    if evaluated.history.customers > CUSTOMERS:
        notes.append(f"BG/NBD is fitted on {CUSTOMERS:,} customers at most, drawn by a hash.")
    without = int(
        np.count_nonzero(
            evaluated.history.at(
                evaluated.customer[span.examples], evaluated.opened_at[span.examples]
            ).count
            == 0
        )
    )
    if without:
        notes.append(
            f"{without:,} of the examples compared are of customers without an occurrence so far. BG/NBD has "
            "no place for them and takes the rate that such customers showed."
        )
    return notes


def _plain(value: Any) -> Any:
    """As JSON has it: no NaN, floats to eight decimals."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(float(value), _DECIMALS) if math.isfinite(value) else None
    return value

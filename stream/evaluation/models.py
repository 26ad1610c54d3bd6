"""The models of an evaluation, and what each of them predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream.evaluation.baselines.base_rate import base_rate
from stream.evaluation.baselines.bgnbd import bgnbd
from stream.evaluation.baselines.lightgbm import lightgbm
from stream.evaluation.baselines.recency import recency
from stream.evaluation.baselines.rfm import rfm
from stream.evaluation.baselines.river_lr import river_lr
from stream.evaluation.examples import Evaluated, Span
from stream.evaluation.history import Bools, Floats, Ints
from stream.evaluation.progress import Progress, no_progress

OURS: Final = "bandshift"


def _prior(evaluated: Evaluated, _first: int, _progress: Progress) -> Floats:
    return evaluated.prior


OTHERS: Final[dict[str, Callable[[Evaluated, int, Progress], Floats]]] = {
    "base_rate": base_rate,
    "prior": _prior,
    "recency": recency,
    "rfm": rfm,
    "bg_nbd": bgnbd,
    "lightgbm": lightgbm,
    "river_lr": river_lr,
}

TITLES: Final[dict[str, str]] = {
    OURS: "bandshift",
    "base_rate": "base rate",
    "prior": "prior",
    "recency": "recency",
    "rfm": "RFM quintiles",
    "bg_nbd": "BG/NBD",
    "lightgbm": "LightGBM, daily",
    "river_lr": "River's LR",
}
"""By name in metrics.json: as people read it."""


@dataclass(frozen=True)
class Scores:
    """What the models said of the examples on which they are compared; all arrays have their length."""

    y: Bools
    customer: Ints
    opened_at: Floats
    band: Ints
    models: dict[str, Floats]  # bandshift first
    filled: dict[str, int]  # examples of which a model could say nothing and got the base rate


def scores(evaluated: Evaluated, span: Span, progress: Progress = no_progress) -> Scores:
    """Let every model predict the examples of the span; without examples, no model runs."""
    here = span.examples
    models, filled = {OURS: evaluated.bandshift[here]}, {}
    # Examples after the span have no known label: no model has a use for them.
    evaluated = evaluated.until(span.last)
    for name, model in OTHERS.items():
        empty = span.first == span.last
        p = np.array([]) if empty else model(evaluated, span.first, progress)[here]
        unsaid = ~np.isfinite(p)
        if unsaid.any():
            filled[name] = int(np.count_nonzero(unsaid))
            p = np.where(unsaid, models["base_rate"], p)
        models[name] = p
    return Scores(
        evaluated.converted[here],
        evaluated.customer[here],
        evaluated.opened_at[here],
        evaluated.band[here],
        models,
        filled,
    )

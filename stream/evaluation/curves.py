"""What the plots show, as plain numbers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from stream.evaluation.history import DAY, Bools, Floats
from stream.evaluation.metrics import equal_mass, lift, losses
from stream.evaluation.models import Scores

_POINTS: Final = 60  # of log time, at most
_BINS: Final = (
    10  # of the reliability diagram: fewer than in the calibration error, to be seen apart
)
_SHARES: Final = tuple(round(0.05 * step, 2) for step in range(1, 21))


def curves(scores: Scores) -> dict[str, Any]:
    """Reliability and lift by model, and each model's mean log-loss over log time."""
    y = scores.y
    return {
        "reliability": {name: reliability(p, y) for name, p in scores.models.items()},
        "lift": {
            "share": list(_SHARES),
            **{name: [lift(p, y, share) for share in _SHARES] for name, p in scores.models.items()},
        },
        "log_loss": over_time(scores),
    }


def reliability(p: Floats, y: Bools) -> list[dict[str, float]]:
    """Mean prediction and observed rate of equal-mass bins."""
    place = equal_mass(p, _BINS)
    count = np.bincount(place, minlength=_BINS)
    predicted = np.bincount(place, weights=p, minlength=_BINS)
    observed = np.bincount(place, weights=y, minlength=_BINS)
    return [
        {
            "predicted": float(predicted[each] / count[each]),
            "observed": float(observed[each] / count[each]),
            "count": int(count[each]),
        }
        for each in np.flatnonzero(count)
    ]


def over_time(scores: Scores) -> dict[str, Any]:
    """Whole weeks of log time (or as many as keep to 60 points): their start, examples and mean log-loss."""
    opened = scores.opened_at
    if not len(opened):
        return {"at": [], "count": []}
    weeks = max(1, int(np.ceil(np.ptp(opened) / (7 * DAY) / _POINTS)))
    step = weeks * 7 * DAY
    begin = np.floor(opened[0] / DAY) * DAY
    place = ((opened - begin) // step).astype(np.int64)
    count = np.bincount(place)
    some = np.flatnonzero(count)
    series = {
        name: (np.bincount(place, weights=losses(p, scores.y))[some] / count[some]).tolist()
        for name, p in scores.models.items()
    }
    return {"at": (begin + some * step).tolist(), "count": count[some].tolist(), **series}

"""Exact figures of how good probabilities are; no thresholds, no sampling."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream.evaluation.history import Bools, Floats, Ints

CLIP: Final = 1e-6
"""Log-loss takes no probability as nearer to 0 or 1 than this."""
BINS: Final = 20
"""Bins of the calibration error, of equal mass."""
SHARE: Final = 0.1
"""The share of the examples for which the lift is stated."""


def losses(p: Floats, y: Bools) -> Floats:
    """The log-loss of each example."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return np.asarray(-np.log(np.where(y, clipped, 1 - clipped)))


def log_loss(p: Floats, y: Bools) -> float:
    """Mean log-loss, probabilities clipped at CLIP; NaN without examples."""
    return float(losses(p, y).mean()) if len(p) else float("nan")


def brier(p: Floats, y: Bools) -> float:
    """Mean squared difference of probability and outcome; NaN without examples."""
    return float(np.square(p - y).mean()) if len(p) else float("nan")


def ranks(p: Floats) -> Floats:
    """The rank of each value, from 1; equal values share the mean of theirs."""
    _, group, counts = np.unique(p, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[group])


def auc(p: Floats, y: Bools) -> float:
    """The chance that a positive has the higher score than a negative, equal scores half; NaN for one class."""
    positives = int(np.count_nonzero(y))
    negatives = len(y) - positives
    if not positives or not negatives:
        return float("nan")
    over = ranks(p)[y].sum() - positives * (positives + 1) / 2
    return float(over / (positives * negatives))


def equal_mass(p: Floats, bins: int = BINS) -> Ints:
    """The bin (0 to bins - 1) of each value: as many in each as ties allow, equal values together.

    A constant score is one bin: splitting ties by their order would measure time, not calibration.
    """
    return np.asarray((ranks(p) - 0.5) * bins / max(len(p), 1)).astype(np.int64)


def ece(p: Floats, y: Bools, bins: int = BINS) -> float:
    """Expected calibration error over equal-mass bins; NaN without examples."""
    if not len(p):
        return float("nan")
    gaps = np.bincount(equal_mass(p, bins), weights=p - y, minlength=bins)
    return float(np.abs(gaps).sum() / len(p))


def lift(p: Floats, y: Bools, share: float = SHARE) -> float:
    """Rate of positives in the `share` with the highest scores over the rate of all; NaN without positives.

    Of examples tied at the edge, the part that still fits counts with their common rate.
    """
    positives = int(np.count_nonzero(y))
    if not positives:
        return float("nan")
    wanted = share * len(p)
    edge = np.sort(p)[len(p) - max(1, int(np.ceil(wanted)))]
    above, at = p > edge, p == edge
    rest = (wanted - np.count_nonzero(above)) * y[at].mean()
    return float((np.count_nonzero(y[above]) + rest) / wanted / (positives / len(p)))


def figures(p: Floats, y: Bools) -> dict[str, float]:
    """All figures of one model by the names of metrics.json."""
    return {
        "auc": auc(p, y),
        "log_loss": log_loss(p, y),
        "brier": brier(p, y),
        "ece": ece(p, y),
        "lift10": lift(p, y),
        "n": len(p),
        "positives": int(np.count_nonzero(y)),
    }

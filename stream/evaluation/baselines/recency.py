"""Time since the last occurrence, turned into a probability by a logistic regression refitted daily."""

from __future__ import annotations

import numpy as np

from stream.evaluation.baselines.days import blocks
from stream.evaluation.examples import Evaluated
from stream.evaluation.history import DAY, Floats
from stream.evaluation.progress import Progress, no_progress

_LONGEST = 3_650  # days; longer ago counts as this
_NEVER = _LONGEST + 1
_RIDGE = 1e-2
_STEPS = 25


def recency(evaluated: Evaluated, first: int, progress: Progress = no_progress) -> Floats:
    """Log-odds linear in l and l², l = log(1 + whole days), with a level of its own for never."""
    last = evaluated.history.at(evaluated.customer, evaluated.opened_at).last
    ago = np.minimum((evaluated.opened_at - last) // DAY, _LONGEST)
    group = np.where(np.isnan(ago), _NEVER, ago).astype(np.int64)
    columns = _columns()
    counts, positives = np.zeros(_NEVER + 1), np.zeros(_NEVER + 1)
    weights = np.zeros(columns.shape[1])
    p = np.full(len(group), np.nan)
    days, learnt = blocks(evaluated, first), 0
    for done, day in enumerate(days, 1):
        new, learnt = slice(learnt, day.known), day.known
        counts += np.bincount(group[new], minlength=_NEVER + 1)
        positives += np.bincount(group[new], weights=evaluated.converted[new], minlength=_NEVER + 1)
        if counts.any():
            seen = counts > 0
            weights = fit_grouped(columns[seen], positives[seen], counts[seen], weights)
            p[day.first : day.last] = _sigmoid(columns[group[day.first : day.last]] @ weights)
        progress(done, len(days), "recency")
    return p


def _columns() -> Floats:
    """By group: intercept, l, l², never; the scale keeps the regression well conditioned."""
    scaled = np.log1p(np.arange(_NEVER + 1)) / 4
    scaled[_NEVER] = 0
    never = np.zeros(_NEVER + 1)
    never[_NEVER] = 1
    return np.stack((np.ones(_NEVER + 1), scaled, scaled**2, never), axis=1)


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))


def fit_grouped(x: Floats, positives: Floats, counts: Floats, weights: Floats) -> Floats:
    """Logistic regression on grouped labels by Newton's method, from `weights` on, with a slight ridge."""

    def cost(w: Floats) -> float:
        z = x @ w
        return float(counts @ np.logaddexp(0, z) - positives @ z + _RIDGE / 2 * w @ w)

    best = cost(weights)
    for _ in range(_STEPS):
        p = _sigmoid(x @ weights)
        slope = x.T @ (positives - counts * p) - _RIDGE * weights
        bend = (x.T * (counts * p * (1 - p))) @ x + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        while (new := cost(weights + step)) > best and np.abs(step).max() > 1e-6:
            step = step / 2
        if new > best:
            break
        weights, best = weights + step, new
        if np.abs(step).max() < 1e-6:
            break
    return weights

"""How large the calibration error of a perfect forecaster would be, on the same predictions and customers.

Even true probabilities show an error by chance, and more of it where the examples of a customer overlap. So
labels are drawn that hold exactly the predicted probabilities: an example converts where a normal draw lies
below the quantile of its probability, and the draws of one customer's examples correlate by the share of their
horizons that they have in common, 1 - |dt| / H. The sum of white noise over the horizon has just that.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import ndtri

from stream.evaluation.history import Floats, Ints
from stream.evaluation.metrics import BINS, equal_mass
from stream.evaluation.progress import Progress, no_progress

RUNS: Final = 200
_FEWEST: Final = 50
# 400 million draws take 20 s: beyond two million examples there are fewer runs instead.
_MOST_DRAWS: Final = 400_000_000


class Noise:
    """Normal draws for examples, correlated within a customer as far as the horizons overlap."""

    def __init__(self, customer: Ints, opened_at: Floats, horizon: float) -> None:
        # All customers' horizons one after the other on one line: what does not overlap is independent.
        begin = float(opened_at.min()) if len(opened_at) else 0.0
        length = float(np.ptp(opened_at)) + 2 * horizon if len(opened_at) else 1.0
        _, place = np.unique(customer, return_inverse=True)
        starts = place * length + (opened_at - begin)
        points, where = np.unique(np.concatenate((starts, starts + horizon)), return_inverse=True)
        self._from, self._to = np.split(where, 2)
        self._scale = np.sqrt(np.diff(points) / horizon)

    def draw(self, chance: np.random.Generator) -> Floats:
        """One standard normal value for each example."""
        walk = np.zeros(len(self._scale) + 1)
        np.cumsum(chance.standard_normal(len(self._scale)) * self._scale, out=walk[1:])
        return np.asarray(walk[self._to] - walk[self._from])


def perfect_ece(
    p: Floats,
    customer: Ints,
    opened_at: Floats,
    horizon: float,
    *,
    runs: int = RUNS,
    seed: int = 1,
    bins: int = BINS,
    progress: Progress = no_progress,
) -> Floats:
    """The calibration errors of `runs` perfect forecasters (fewer, but at least 50, on huge logs)."""
    if not len(p):
        return np.array([])
    # By customer and time: neighbours on the line are then neighbours in memory, four times as fast.
    order = np.lexsort((opened_at, customer))
    p, customer, opened_at = p[order], customer[order], opened_at[order]
    runs = min(runs, max(_FEWEST, _MOST_DRAWS // len(p)))
    noise = Noise(customer, opened_at, horizon)
    place, edge = equal_mass(p, bins), ndtri(p)
    expected = np.bincount(place, weights=p, minlength=bins)
    chance = np.random.default_rng(seed)
    found = np.empty(runs)
    for run in range(runs):
        converted = place[noise.draw(chance) < edge]
        observed = np.bincount(converted, minlength=bins)
        found[run] = np.abs(expected - observed).sum() / len(p)
        progress(run + 1, runs, "a perfect forecaster")
    return found

"""Bayesian logistic regression with the full covariance, learned online in mini-batches.

The posterior of the weights is a normal distribution kept by its precision, so that evidence adds up and
forgetting is a mean of two positive definite matrices: neither can make it indefinite, as plain forgetting
of a covariance does.
"""

from __future__ import annotations

from typing import Final, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from stream.model.learning.checked import LARGEST, Floats, numbers
from stream.model.learning.newton import Batch, definite, factor, mode, solve


class PosteriorState(TypedDict):
    """What resuming needs, as JSON carries it without loss.

    `active` numbers the columns that have been nonzero, rising; `precision` is the lower triangle of their
    block, row by row; `mean` are their means.
    """

    active: list[int]
    precision: list[float]
    mean: list[float]


class Posterior:
    """What is known about d weights: a normal distribution that starts at zero mean and the prior's precision.

    Columns that were zero in every example stay out of the linear algebra. That is exact: their posterior
    is their prior, and they are independent of the others.

    On one machine the same calls give the same bits, also across `state` and `resume`.
    """

    def __init__(self, prior_precision: Floats, forgetting: float = 1.0) -> None:
        """`prior_precision` (d) above 0; `forgetting` within (0, 1] is the part of the evidence kept per day."""
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting: expected a number above 0 and up to 1, got {forgetting}")
        self._prior = _precisions(prior_precision)
        self.forgetting: Final = forgetting
        self._active: NDArray[np.int64] = np.zeros(0, np.int64)
        self._precision = np.zeros((0, 0))
        self._mean = np.zeros(0)

    @property
    def mean(self) -> Floats:
        """The weights' means (d), which are also the most probable weights."""
        full = np.zeros(len(self._prior))
        full[self._active] = self._mean
        return full

    @property
    def precision(self) -> Floats:
        """The inverse of the covariance (d, d)."""
        full = np.diag(self._prior)
        full[np.ix_(self._active, self._active)] = self._precision
        return full

    @property
    def information(self) -> Floats:
        """The information vector (d): precision times mean."""
        full = np.zeros(len(self._prior))
        full[self._active] = self._precision @ self._mean
        return full

    def covariance(self) -> Floats:
        """The covariance of the weights (d, d)."""
        full = np.diag(1 / self._prior)
        if len(self._active):
            inverse = solve(factor(self._precision), np.eye(len(self._active)))
            full[np.ix_(self._active, self._active)] = (inverse + inverse.T) / 2
        return full

    def append(self, prior_precision: Floats) -> None:
        """Take in more columns after the others, as if they had been there, all zero, from the start."""
        self._prior = np.concatenate([self._prior, _precisions(prior_precision)])

    def forget(self, days: float) -> None:
        """Let so much time pass: the precision moves towards the prior's, the information towards none."""
        if not 0 <= days < np.inf:
            raise ValueError(f"days: expected a number from 0 on, got {days}")
        kept = self.forgetting**days
        if kept == 1 or not len(self._active):
            return
        information = kept * (self._precision @ self._mean)
        faded = kept * self._precision
        np.einsum("ii->i", faded)[:] += (1 - kept) * self._prior[self._active]
        self._precision, factored = definite(faded)
        self._mean = solve(factored, information)

    def learn(self, x: Floats, y: Floats, offset: Floats, weight: Floats) -> None:
        """Learn n examples at once: `x` (n, d), `y` (n) within 0..1, `offset` (n) log-odds, `weight` (n) from 0.

        The new mean is the mode of posterior times likelihood, and the precision gains the likelihood's
        curvature there. Raises ValueError, and learns nothing, when an argument is not what it should be.
        """
        x = self._matrix(x)
        n = len(x)
        y = numbers("y", y, (n,), 0, 1)
        offset = numbers("offset", offset, (n,))
        weight = numbers("weight", weight, (n,), 0)
        self._activate(x)
        if not n or not len(self._active):
            return
        batch = Batch(self._columns(x), y, offset, weight)
        self._mean, self._precision = mode(batch, self._mean, self._precision)

    def predict(self, x: Floats, offset: Floats) -> Floats:
        """Log-odds (n) of the rows `x` (n, d) with the log-odds `offset` (n), at the weights' means."""
        x = self._matrix(x)
        return self._columns(x) @ self._mean + numbers("offset", offset, (len(x),))

    def state(self) -> PosteriorState:
        """All that was learned; the prior and the forgetting are not part of it."""
        lower = np.tril_indices(len(self._active))
        return {
            "active": self._active.tolist(),
            "precision": self._precision[lower].tolist(),
            "mean": self._mean.tolist(),
        }

    @classmethod
    def resume(
        cls, state: PosteriorState, prior_precision: Floats, forgetting: float = 1.0
    ) -> Self:
        """Go on from `state`, with the prior and the forgetting it was learned with, as if never stopped.

        Columns may have been added after the others. Raises ValueError naming the field that does not fit.
        """
        self = cls(prior_precision, forgetting)
        active = state["active"]
        if active != sorted(set(active)) or not all(0 <= j < len(self._prior) for j in active):
            raise ValueError(f"active: expected rising numbers below {len(self._prior)}")
        k = len(active)
        self._active = np.array(active, np.int64)
        self._mean = numbers("mean", np.array(state["mean"], float), (k,))
        lower = numbers("precision", np.array(state["precision"], float), (k * (k + 1) // 2,))
        block = np.zeros((k, k))
        block[np.tril_indices(k)] = lower
        self._precision = block + np.tril(block, -1).T
        try:
            factor(self._precision)
        except np.linalg.LinAlgError:
            raise ValueError("precision: expected a positive definite matrix") from None
        return self

    def _matrix(self, x: Floats) -> Floats:
        if x.ndim != 2:
            raise ValueError(f"x: expected rows and columns, got {x.ndim} dimensions")
        return numbers("x", x, (len(x), len(self._prior)))

    def _columns(self, x: Floats) -> Floats:
        """The active columns of `x`, always laid out the same way: the layout can decide the last bits."""
        if len(self._active) == x.shape[1]:
            return np.ascontiguousarray(x)
        return np.ascontiguousarray(x.take(self._active, axis=1))

    def _activate(self, x: Floats) -> None:
        """Let the columns that are nonzero for the first time in, with what is known about them: the prior."""
        idle = np.ones(len(self._prior), dtype=bool)
        idle[self._active] = False
        waiting = np.flatnonzero(idle)
        new = waiting[x[:, waiting].any(axis=0)]
        if not len(new):
            return
        active = np.sort(np.concatenate([self._active, new]))
        mean, precision = self.mean[active], self.precision[np.ix_(active, active)]
        self._active, self._mean, self._precision = active, mean, np.ascontiguousarray(precision)


def _precisions(prior: Floats) -> Floats:
    return numbers("prior_precision", prior, (np.size(prior),), 1 / LARGEST).copy()

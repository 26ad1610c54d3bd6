"""River's own `StandardScaler | LogisticRegression`, learning in the shadow of the champion."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from river.linear_model import LogisticRegression
from river.preprocessing import StandardScaler
from river.utils import VectorDict

from stream.model.learning.checked import Floats, numbers


class RiverState(TypedDict):
    """What resuming needs, as JSON carries it without loss.

    `active` numbers the columns that have been nonzero, in the order in which they became so; `means`,
    `variances` and `weights` stand beside it. `examples` is how many were learned.
    """

    active: list[int]
    means: list[float]
    variances: list[float]
    weights: list[float]
    intercept: float
    examples: int


class RiverChallenger:
    """A scaled logistic regression by gradient descent over d fixed columns, with River's default rates.

    It learns row by row, which is River's algorithm: its mini-batches take one step per batch. Columns that
    were zero in every example stay out. That is exact: their mean and variance are 0, and so is their weight.

    On one machine the same calls give the same bits, also across `state` and `resume`.
    """

    def __init__(self, columns: int) -> None:
        """`columns` is d; none of them is to be a column of ones, as the intercept is River's own."""
        self.columns: Final = columns
        # Any, because River gives the methods of these two no types.
        self._scaler: Any = StandardScaler()
        self._regression: Any = LogisticRegression()
        self._active: list[int] = []
        self._examples = 0

    def learn(self, x: Floats, y: Floats, weight: Floats) -> None:
        """Learn n examples in order: `x` (n, d), `y` (n) of 0 and 1, `weight` (n) of each one's step."""
        x = numbers("x", x, (len(x), self.columns))
        y = numbers("y", y, (len(x),), 0, 1)
        weight = numbers("weight", weight, (len(x),), 0)
        self._activate(x)
        scaler, regression, active = self._scaler, self._regression, self._active
        rows = x.take(active, axis=1).tolist()
        for row, target, step in zip(rows, y.tolist(), weight.tolist(), strict=True):
            features = dict(zip(active, row, strict=True))
            scaler.learn_one(features)
            regression.learn_one(scaler.transform_one(features), target, step)
        self._examples += len(x)

    def predict(self, x: Floats) -> Floats:
        """Log-odds (n) of the rows `x` (n, d)."""
        x = numbers("x", x, (len(x), self.columns))
        bias, weights = self.linear()
        return bias + x @ weights

    def linear(self) -> tuple[float, Floats]:
        """The same as one linear model: the bias, and the weights (d) of the unscaled columns."""
        weights = np.zeros(self.columns)
        mean = np.zeros(self.columns)
        learned = self._regression.weights
        for column in self._active:
            variance = self._scaler.vars[column]
            weights[column] = learned.get(column, 0.0) / variance**0.5 if variance else 0.0
            mean[column] = self._scaler.means[column]
        return float(self._regression.intercept - mean @ weights), weights

    def state(self) -> RiverState:
        """All that was learned."""
        learned = self._regression.weights
        return {
            "active": list(self._active),
            "means": [self._scaler.means[column] for column in self._active],
            "variances": [self._scaler.vars[column] for column in self._active],
            "weights": [learned.get(column, 0.0) for column in self._active],
            "intercept": float(self._regression.intercept),
            "examples": self._examples,
        }

    @classmethod
    def resume(cls, state: RiverState, columns: int) -> Self:
        """Go on from `state` as if never stopped; columns may have been added after the others.

        Raises ValueError naming the field that does not fit.
        """
        self = cls(columns)
        active = state["active"]
        k = len(active)
        if len(set(active)) != k or not all(0 <= column < columns for column in active):
            raise ValueError(f"active: expected distinct numbers below {columns}")
        if state["examples"] < 0:
            raise ValueError("examples: expected a count")
        means = numbers("means", np.array(state["means"], float), (k,))
        # The square of the largest value, which the mean of squares cannot exceed.
        variances = numbers("variances", np.array(state["variances"], float), (k,), 0, 1e18)
        weights = numbers("weights", np.array(state["weights"], float), (k,))
        self._active = list(active)
        self._examples = state["examples"]
        scaler, regression = self._scaler, self._regression
        scaler.counts = Counter(dict.fromkeys(active, self._examples))
        scaler.means.update(zip(active, means.tolist(), strict=True))
        scaler.vars.update(zip(active, variances.tolist(), strict=True))
        intercept = numbers("intercept", np.array(state["intercept"], float), ())
        regression.intercept = intercept.item()
        # River offers no public way to set the weights.
        regression._weights = VectorDict(dict(zip(active, weights.tolist(), strict=True)))  # noqa: SLF001
        regression.optimizer.n_iterations = self._examples
        return self

    def _activate(self, x: Floats) -> None:
        """Let the columns that are nonzero for the first time in, as if they had been there from the start."""
        idle = np.ones(self.columns, dtype=bool)
        idle[self._active] = False
        waiting: NDArray[np.int64] = np.flatnonzero(idle)
        new: list[int] = waiting[x[:, waiting].any(axis=0)].tolist()
        self._active += new
        self._scaler.counts.update(dict.fromkeys(new, self._examples))
        for column in new:
            self._scaler.means[column] = self._scaler.vars[column] = 0.0
            self._regression._weights[column] = 0.0  # noqa: SLF001 -- River offers no public way

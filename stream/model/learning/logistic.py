"""The Bayesian logistic regression as a River estimator: features by name, which may come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from river import base
from river.utils import dataframe

from stream.model.learning.bayes import Posterior
from stream.model.learning.checked import Floats
from stream.model.learning.riverside import likelier, outcomes, probabilities, probability, table


class BayesianLogisticRegression(base.MiniBatchClassifier):
    """Logistic regression that knows how sure it is of every weight, and learns from each example at once.

    A feature that an example lacks is 0 there. Prior weights are 0, so that with nothing learned the
    probability is 1/2. `learn_many` learns row by row, and so equals `learn_one` on each row in turn.

    Parameters
    ----------
    prior_precision
        1 / variance of a weight before anything is learned; above 0.
    intercept_precision
        The same for the intercept.
    forgetting
        The part of the evidence that each example leaves of what came before it; above 0, up to 1. A weight
        of w lets as much be forgotten as w examples. So .999 remembers about a thousand examples.

    """

    def __init__(
        self,
        prior_precision: float = 1.0,
        intercept_precision: float = 1 / 9,
        forgetting: float = 1.0,
    ) -> None:
        self.prior_precision = prior_precision
        self.intercept_precision = intercept_precision
        self.forgetting = forgetting
        self._columns: dict[Any, int] = {}
        self._posterior = Posterior(np.array([intercept_precision]), forgetting)

    @property
    def intercept(self) -> float:
        """The intercept's mean, log-odds."""
        return float(self._posterior.mean[0])

    @property
    def weights(self) -> dict[Any, float]:
        """The mean of each feature's weight."""
        means = self._posterior.mean[1:].tolist()
        return dict(zip(self._columns, means, strict=True))

    def learn_one(self, x: Mapping[Any, Any], y: base.typing.ClfTarget, w: float = 1.0) -> None:
        """Learn one example with the weight `w`; `y` is True or False (or 1 or 0)."""
        row = np.array([[1.0, *(_number(name, value) for name, value in x.items())]])
        self._learn(list(x), row, outcomes([y]), np.array([w], float))

    def learn_many(self, X: Any, y: Any, w: Any = 1.0) -> None:  # noqa: N803 -- River's name
        """Learn a frame's rows in order; a missing value is a feature that the row lacks."""
        names, values = table(X)
        targets = outcomes(dataframe.into_series(y).to_list())
        weights = np.broadcast_to(np.asarray(w, float), targets.shape)
        self._learn(names, np.column_stack([np.ones(len(values)), values]), targets, weights)

    def log_odds_one(self, x: Mapping[Any, Any]) -> float:
        """Log-odds of True."""
        weights = self._posterior.mean.tolist()
        known = self._columns
        parts = [
            weights[known[name]] * _number(name, value)
            for name, value in x.items()
            if name in known
        ]
        return float(weights[0] + sum(parts))

    def predict_proba_one(self, x: Mapping[Any, Any], **_: Any) -> dict[Any, float]:
        """The probabilities of False and True."""
        true = float(probability(np.array(self.log_odds_one(x))))
        return {False: 1 - true, True: true}

    def predict_proba_many(self, X: Any) -> Any:  # noqa: N803 -- River's name
        """The probabilities of False and True for each row, in a frame of the same kind."""
        return probabilities(self._true(X), X)

    def predict_many(self, X: Any) -> Any:  # noqa: N803 -- River's name
        """The likelier of False and True for each row."""
        return likelier(self._true(X), X)

    def _true(self, frame: Any) -> Floats:
        names, values = table(frame)
        mean = self._posterior.mean
        weights = np.array([mean[self._columns[n]] if n in self._columns else 0.0 for n in names])
        return probability(values @ weights + mean[0])

    def _learn(self, names: Sequence[Any], rows: Floats, y: Floats, weights: Floats) -> None:
        """Learn rows (n, 1 + names), the ones of the intercept first."""
        fresh = [name for name in names if name not in self._columns]
        self._columns.update({name: len(self._columns) + 1 + i for i, name in enumerate(fresh)})
        self._posterior.append(np.full(len(fresh), float(self.prior_precision)))
        columns = [0, *(self._columns[name] for name in names)]
        x = np.zeros((1, len(self._columns) + 1))
        for row, target, weight in zip(rows, y, weights, strict=True):
            x[0, columns] = row
            self._posterior.forget(float(weight))
            self._posterior.learn(x, np.array([target]), np.zeros(1), np.array([weight]))


def _number(name: Any, value: Any) -> float:
    """The value of a feature; ValueError names the feature that has none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"{name}: expected a finite number, got {value!r}")
    return number

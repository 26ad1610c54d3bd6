"""Online Platt scaling as a River estimator around any binary classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from river import base
from river.utils import dataframe

from stream.model.learning.bayes import Posterior
from stream.model.learning.checked import Floats
from stream.model.learning.logistic import BayesianLogisticRegression
from stream.model.learning.riverside import likelier, outcomes, probabilities, probability, table


class PlattScaling(base.Wrapper[base.Classifier], base.MiniBatchClassifier):
    """Corrects a classifier's log-odds z to z + a + s z, with a and s learned from its past predictions.

    Before anything is learned a and s are 0: the classifier's own probabilities. The correction learns from
    what the classifier said before it knew the outcome: from `score`, the log-odds when the prediction was
    made, where the caller kept it, and from what the classifier says just before it learns otherwise.
    `learn_many` learns row by row, and so equals `learn_one` on each row in turn.

    Parameters
    ----------
    classifier
        The classifier to correct; it learns from the same examples.
    prior_precision
        1 / variance of a and of s before anything is learned; above 0. An example at an even chance weighs
        1/4 against it: the default waits for about 1,200 of them before it believes half of what it sees.
    forgetting
        The part of the evidence that each example leaves of what came before it; above 0, up to 1.

    """

    def __init__(
        self, classifier: base.Classifier, prior_precision: float = 300.0, forgetting: float = 1.0
    ) -> None:
        self.classifier = classifier
        self.prior_precision = prior_precision
        self.forgetting = forgetting
        self._posterior = Posterior(np.full(2, float(prior_precision)), forgetting)

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"classifier": BayesianLogisticRegression()}

    @property
    def _wrapped_model(self) -> base.Classifier:
        return self.classifier

    @property
    def bias(self) -> float:
        """a, in log-odds."""
        return float(self._posterior.mean[0])

    @property
    def slope(self) -> float:
        """s: the part of the classifier's log-odds that is added to them."""
        return float(self._posterior.mean[1])

    def learn_one(
        self,
        x: dict[Any, Any],
        y: base.typing.ClfTarget,
        score: float | None = None,
        **options: Any,
    ) -> None:
        """Learn one example, the correction first; `options` go to the classifier."""
        z = self._score(x) if score is None else score
        target = outcomes([y])
        self._posterior.forget(1)
        self._posterior.learn(np.array([[1.0, z]]), target, np.array([z]), np.ones(1))
        self.classifier.learn_one(x, y, **options)

    def learn_many(
        self,
        X: Any,  # noqa: N803 -- River's name
        y: Any,
        scores: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        """Learn a frame's rows in order, with each row's score at its prediction where given.

        A missing value is a feature that the row lacks.
        """
        names, values = table(X)
        labels = dataframe.into_series(y).to_list()
        frozen = [None] * len(labels) if scores is None else scores
        for row, label, score in zip(values.tolist(), labels, frozen, strict=True):
            self.learn_one(dict(zip(names, row, strict=True)), label, score, **options)

    def predict_proba_one(self, x: Mapping[Any, Any], **options: Any) -> dict[Any, float]:
        """The corrected probabilities of False and True."""
        true = float(probability(self._corrected(np.array([self._score(x, **options)])))[0])
        return {False: 1 - true, True: true}

    def predict_proba_many(self, X: Any, **options: Any) -> Any:  # noqa: N803 -- River's name
        """The corrected probabilities of each row, in a frame of the same kind."""
        return probabilities(self._true(X, options), X)

    def predict_many(self, X: Any, **options: Any) -> Any:  # noqa: N803 -- River's name
        """The likelier of False and True for each row."""
        return likelier(self._true(X, options), X)

    def _true(self, frame: Any, options: Mapping[str, Any]) -> Floats:
        names, values = table(frame)
        rows = (dict(zip(names, row, strict=True)) for row in values.tolist())
        scores = np.array([self._score(x, **options) for x in rows], float)
        return probability(self._corrected(scores))

    def _score(self, x: Mapping[Any, Any], **options: Any) -> float:
        """The classifier's log-odds of True; 0 while it knows of no outcome."""
        true = self.classifier.predict_proba_one(dict(x), **options).get(True, 0.5)
        # The same bound as everywhere, so that a classifier that is certain can still be corrected.
        low, high = probability(np.array([-np.inf, np.inf]))
        true = min(max(true, low), high)
        return float(np.log(true) - np.log1p(-true))

    def _corrected(self, z: Floats) -> Floats:
        return self._posterior.predict(np.column_stack([np.ones_like(z), z]), z)

"""A period's labels of one outcome as arrays, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.model.basis import Basis
from stream.model.frozen import thaw
from stream.model.learning.hazards import Rows, Serving
from stream.model.learning.records import Labelled
from stream.model.prior import PriorTerms
from stream.model.stages import offsets

Array = NDArray[np.float64]


class Labels(NamedTuple):
    """A period's labels in (label time, id) order; a row each of features, columns, what the prior says."""

    labels: Sequence[Labelled]
    x: Array
    columns: Array
    offsets: Array
    """Of each stage (n, stages)."""
    prior: Array
    """The prior's log-odds of the whole horizon."""

    @classmethod
    def of(
        cls, labels: Sequence[Labelled], basis: Basis, terms: PriorTerms, shares: Array
    ) -> Labels:
        """From labels in any order."""
        ordered = sorted(labels, key=lambda each: each[:2])
        x = thaw([label.vector for label in ordered], basis.features)
        prior = terms.base + x @ terms.weights
        return cls(ordered, x, basis.expand(x), offsets(prior, shares), prior)

    def stage(self, stage: int, weight: float) -> tuple[list[Labelled], Rows] | None:
        """The stage examples of a stage, each of this weight; None where there are none."""
        chosen = [n for n, each in enumerate(self.labels) if each.stage == stage and each.at_risk]
        if not chosen:
            return None
        mine = [self.labels[n] for n in chosen]
        occurred = np.array([float(each.occurred) for each in mine])
        rows = Rows(
            self.columns[chosen],
            self.offsets[chosen, stage],
            occurred,
            np.full(len(mine), weight),
        )
        return mine, rows

    def loss(self, serving: Serving, weights: Sequence[float]) -> float:
        """The mean log-loss of stage examples as a model has them; `weights` by stage."""
        total, weighed = 0.0, 1e-12
        for stage, weight in enumerate(weights):
            found = self.stage(stage, weight)
            if found is None:
                continue
            rows = found[1]
            raw = serving.prior[stage] * rows.offset + rows.columns @ serving.theta[stage]
            added, slope = serving.calibrators[stage]
            total += weight * losses(added + (1 + slope) * raw, rows.occurred)
            weighed += weight * len(rows.occurred)
        return total / weighed


def losses(log_odds: Array, occurred: Array) -> float:
    """The sum of log-losses of these log-odds."""
    return float((np.logaddexp(0.0, log_odds) - occurred * log_odds).sum())

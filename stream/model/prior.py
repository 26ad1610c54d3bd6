"""The documented prior: a score for everybody from the first touchpoint on, before any label is known.

It is linear in the features (log1p over a constant scale), so a learner can start from it. Weights are in
log-odds per scaled feature; docs/prior.md says how they were chosen. What the customer does counts; what
the company sends does not. For an outcome of absence (churn) every weight turns its sign.
The result never falls with more, more recent or dearer touchpoints of an engaged kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.linear import LinearModel

ON_TARGET: Final[Mapping[str, float]] = {"7d": 0.2, "30d": 0.8, "90d": 1.2, "freshness": 0.8}
"""Weights of a type that the outcome counts: by window of its count, and of its freshness."""
ENGAGED: Final[Mapping[str, float]] = {"7d": 0.2, "30d": 0.2, "freshness": 0.2}
"""Weights of any other type in which the customer acts."""
OVERALL: Final[Mapping[str, float]] = {
    "freshness": 0.3,
    "purchase_value_30d": 0.2,
    "purchase_value_90d": 0.2,
}
"""Weights of features that are no single type's."""


@dataclass(frozen=True)
class PriorTerms:
    """What the prior says of one outcome's occurrence (never of its absence): log-odds that are linear.

    `base` is that of a customer without features; `weights` (features).
    """

    base: float
    weights: NDArray[np.float64]


def prior_terms(outcome: Outcome, vectorizer: Vectorizer) -> PriorTerms:
    """The prior of one outcome."""
    column = vectorizer.column
    weights = np.zeros(len(vectorizer.features))
    for name, weight in OVERALL.items():
        weights[column[name]] = weight
    for kind in vectorizer.layout.registry.kinds:
        table = ON_TARGET if kind.name in outcome.types else ENGAGED if kind.engagement else {}
        for part, weight in table.items():
            weights[column[f"{kind.name}_{part}"]] = weight
    base = log(outcome.base_rate / (1 - outcome.base_rate))
    return PriorTerms(-base if outcome.kind == "absence" else base, weights)


def prior(outcomes: Sequence[Outcome], vectorizer: Vectorizer) -> LinearModel:
    """The prior for these outcomes, as a model of version 0."""
    terms = [prior_terms(outcome, vectorizer) for outcome in outcomes]
    signs = np.array([-1.0 if outcome.kind == "absence" else 1.0 for outcome in outcomes])
    base = np.array([term.base for term in terms]) * signs
    weights = np.stack([term.weights for term in terms]) * signs[:, None]
    return LinearModel(vectorizer, outcomes, base, weights)

"""The documented prior: a score for everybody from the first touchpoint on, before any label is known.

It is linear in the features (log1p over a constant scale), so a learner can start from it. Weights are in
log-odds per scaled feature; docs/prior.md says how they were chosen. What the customer does counts; what
the company sends does not. For an outcome of absence (churn) every weight turns its sign.
The result never falls with more, more recent or dearer touchpoints of an engaged kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Final

import numpy as np

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.linear import LinearModel

BASIS: Final = "prior"

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


def prior(outcomes: Sequence[Outcome], vectorizer: Vectorizer) -> LinearModel:
    """The prior for these outcomes, as a model of version 0."""
    column = vectorizer.column
    weights = np.zeros((len(outcomes), len(vectorizer.features)))
    base = np.array([log(outcome.base_rate / (1 - outcome.base_rate)) for outcome in outcomes])
    for number, outcome in enumerate(outcomes):
        sign = -1.0 if outcome.kind == "absence" else 1.0
        for name, weight in OVERALL.items():
            weights[number, column[name]] = sign * weight
        for kind in vectorizer.layout.registry.kinds:
            table = ON_TARGET if kind.name in outcome.types else ENGAGED if kind.engagement else {}
            for part, weight in table.items():
                weights[number, column[f"{kind.name}_{part}"]] = sign * weight
    return LinearModel(vectorizer, base, weights, version=0, basis=BASIS)

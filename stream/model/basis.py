"""What a learned model is linear in: the features, and products of the few that sum a customer up.

How recent, how often and how regular work on each other: somebody silent for a month means little after one
purchase a year and much after one a week. Measured with `bandshift evaluate`, see docs/adr/0011.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer

Array = NDArray[np.float64]
_OVERALL: Final = (
    "freshness",
    "tenure",
    "came_after",
    "purchase_gap",
    "purchase_gap_ratio",
    "purchases_ever",
    "since_purchase",
    "pre_purchase_stage_30d",
    "pre_purchase_stage_90d",
)
_OF_TYPE: Final = ("30d", "90d", "freshness")


class Basis:
    """The columns of one outcome's model: 1, all features, then products of two of its summary features."""

    def __init__(self, outcome: Outcome, vectorizer: Vectorizer) -> None:
        column = vectorizer.column
        names = [*_OVERALL, *(f"{kind}_{part}" for kind in outcome.types for part in _OF_TYPE)]
        pairs = list(combinations_with_replacement(sorted(column[name] for name in names), 2))
        self.features = len(vectorizer.features)
        self.left: NDArray[np.int64] = np.array([left for left, _ in pairs])
        self.right: NDArray[np.int64] = np.array([right for _, right in pairs])
        self.size = 1 + self.features + len(pairs)
        plain = [feature.name for feature in vectorizer.features]
        self.names: tuple[str, ...] = (
            "",
            *plain,
            *(f"{plain[left]}*{plain[right]}" for left, right in pairs),
        )

    def expand(self, matrix: Array) -> Array:
        """The columns (n, size) for feature vectors (n, features)."""
        ones = np.ones((len(matrix), 1))
        products = matrix.take(self.left, axis=1) * matrix.take(self.right, axis=1)
        return np.concatenate((ones, matrix, products), axis=1)

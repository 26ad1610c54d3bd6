"""A linear model in the features: log-odds as a sum of families, and the probability.

Log-odds are kept as whole millionths. So what the families contribute adds up exactly, in any order and
after any printing, and the last bits of a product, which can depend on the batch, decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.features.vector import Vectorizer

MILLION: Final = 1_000_000


@dataclass(frozen=True)
class Scored:
    """Scores of n rows for k outcomes.

    `log_odds` (n, k) in millionths; `probabilities` (n, k) in millionths; `parts` (n, k, families) in
    millionths: with `base` (k) they add up to the log-odds exactly.
    """

    log_odds: NDArray[np.int64]
    probabilities: NDArray[np.int64]
    parts: NDArray[np.int64]


class LinearModel:
    """Weights over the features, per outcome, with the version and the basis that its scores carry."""

    def __init__(
        self,
        vectorizer: Vectorizer,
        base: NDArray[np.float64],
        weights: NDArray[np.float64],
        *,
        version: int,
        basis: str,
    ) -> None:
        """`base` (k) log-odds of a customer without features; `weights` (k, features)."""
        self.vectorizer = vectorizer
        self.version = version
        self.basis = basis
        self.weights = weights
        self.base: NDArray[np.int64] = np.rint(base * MILLION).astype(np.int64)
        # Features that weigh nothing for any outcome are neither computed nor multiplied.
        used = np.flatnonzero(weights.any(axis=0))
        self._plan = vectorizer.plan(used)
        self._weights = weights[:, used] * MILLION
        self.families: tuple[str, ...] = tuple(
            name for name, columns in vectorizer.families.items() if weights[:, columns].any()
        )
        self._starts = np.searchsorted(
            used, [vectorizer.families[name].start for name in self.families]
        )

    def score(self, raw: NDArray[np.float64]) -> Scored:
        """Score raw rows (n, layout.width); a row's score does not depend on the others, to the last bit.

        So no product of matrices: their last bits depend on the batch.
        """
        products = self._plan.matrix(raw)[:, None, :] * self._weights
        parts = np.rint(np.add.reduceat(products, self._starts, axis=2)).astype(np.int64)
        log_odds = self.base + parts.sum(axis=2)
        probabilities = np.rint(MILLION / (1 + np.exp(-log_odds / MILLION))).astype(np.int64)
        return Scored(log_odds, probabilities, parts)

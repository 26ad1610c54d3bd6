"""A linear model in the features: log-odds as a sum of families, and the probability.

Log-odds are kept as whole millionths. So what the families contribute adds up exactly, in any order and
after any printing, and the last bits of a product, which can depend on the batch, decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.stages import offsets, shares

MILLION: Final = 1_000_000
PRIOR: Final = "prior"
LEARNED: Final = "learned"
"""What scores rest on."""


@dataclass(frozen=True)
class Scored:
    """Scores of n rows for k outcomes: log-odds (n, k) and probabilities (n, k), in millionths.

    What else a model has worked out on the way is its own: see its `parts` and `stages`.
    """

    log_odds: NDArray[np.int64]
    probabilities: NDArray[np.int64]
    parts: NDArray[np.int64] | None = None
    stages: NDArray[np.int64] | None = None
    plain: NDArray[np.float64] | None = None
    priors: NDArray[np.float64] | None = None


class LinearModel:
    """Weights over the features, per outcome: the prior, version 0."""

    def __init__(
        self,
        vectorizer: Vectorizer,
        outcomes: Sequence[Outcome],
        base: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> None:
        """`base` (k) log-odds of a customer without features; `weights` (k, features)."""
        self.vectorizer = vectorizer
        self.versions: tuple[int, ...] = (0,) * len(outcomes)
        self.bases: tuple[str, ...] = (PRIOR,) * len(outcomes)
        self._outcomes = tuple(outcomes)
        self.stage_counts: tuple[int, ...] = tuple(len(each.stage_ends) for each in outcomes)
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
        return Scored(log_odds, probabilities, parts=parts)

    def parts(
        self, raw: NDArray[np.float64], scored: Scored, rows: Sequence[int]
    ) -> NDArray[np.int64]:
        """What each family adds to the base (rows, k, families), in millionths; together, exactly."""
        del raw
        assert scored.parts is not None  # noqa: S101 -- this model's own
        return scored.parts[list(rows)]

    def parts_of(self, scored: Scored, rows: Sequence[int], place: int) -> NDArray[np.int64]:
        """The same of one outcome (rows, families)."""
        assert scored.parts is not None  # noqa: S101 -- this model's own
        return scored.parts[list(rows), place]

    def stages(self, scored: Scored, rows: Sequence[int]) -> NDArray[np.int64]:
        """Log-odds (rows, all stages) of occurrence in each stage, in millionths."""
        found = []
        for place, outcome in enumerate(self._outcomes):
            sign = -1 if outcome.kind == "absence" else 1
            horizon = sign * scored.log_odds[list(rows), place] / MILLION
            found.append(offsets(horizon, shares(outcome)))
        return np.rint(np.concatenate(found, axis=1) * MILLION).astype(np.int64)

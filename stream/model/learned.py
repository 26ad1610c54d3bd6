"""The learned model: per outcome, logistic hazards of its stages over the prior, calibrated, as log-odds.

Stage k has log-odds o_k(z0) + theta_k . phi(x): what the prior implies for it, and what was learned on top.
Its calibrator adds a + s z. The horizon's probability is 1 - prod(1 - h_k); of an absence, that product.
With theta and calibrators at zero it is the prior's own probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome
from stream.features.vector import Vectorizer
from stream.model.basis import Basis
from stream.model.linear import MILLION, PRIOR, Scored
from stream.model.parts import Parts, Rising
from stream.model.prior import PriorTerms
from stream.model.stages import MOST, combined, of_hazard, offsets, shares, softplus
from stream.model.tiles import tiled

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """What was learned of one outcome, as of one version.

    `theta` (stages, basis); `prior` (stages), 1.0 where the stage starts from the prior, else 0.0;
    `calibrators` (stages, 2): added to a stage's log-odds, and the factor by which more of them is added;
    `mean` (features) of the population, against which reasons are told.
    """

    version: int
    basis: str
    theta: Array
    prior: Array
    calibrators: Array
    mean: Array


def nothing(basis: Basis, outcome: Outcome) -> Learned:
    """Version 0: the prior alone, reasons told against a customer without features."""
    stages = len(outcome.stage_ends)
    return Learned(
        0,
        PRIOR,
        np.zeros((stages, basis.size)),
        np.ones(stages),
        np.zeros((stages, 2)),
        np.zeros(basis.features),
    )


def log_odds_by(
    learned: Sequence[Learned], outcome: Outcome, terms: PriorTerms, basis: Basis, matrix: Array
) -> list[int]:
    """One outcome's log-odds, in millionths: of each row of features (n, features) by a model of its own."""
    columns = basis.expand(matrix)
    prior = terms.base + np.einsum("nf,f->n", matrix, terms.weights)
    stages = np.einsum("nm,nkm->nk", columns, np.stack([each.theta for each in learned]))
    stages += np.stack([each.prior for each in learned]) * offsets(prior, shares(outcome))
    calibrators = np.stack([each.calibrators for each in learned])
    raw = np.clip(stages, -MOST, MOST)
    calibrated = calibrators[:, :, 0] + (1 + calibrators[:, :, 1]) * raw
    sign = -1 if outcome.kind == "absence" else 1
    found: list[int] = np.rint(sign * combined(calibrated) * MILLION).astype(np.int64).tolist()
    return found


class LearnedModel:
    """All outcomes, each in the version that is in force; scores raw rows like the prior does."""

    def __init__(
        self,
        vectorizer: Vectorizer,
        outcomes: Sequence[Outcome],
        terms: Sequence[PriorTerms],
        bases: Sequence[Basis],
        learned: Sequence[Learned],
    ) -> None:
        self.vectorizer = vectorizer
        self.learned = tuple(learned)
        self.versions: tuple[int, ...] = tuple(each.version for each in learned)
        self.bases: tuple[str, ...] = tuple(each.basis for each in learned)
        features = bases[0].features
        weighed: list[NDArray[np.bool_]] = [np.any(each.theta != 0, axis=0) for each in learned]
        plain: NDArray[np.bool_] = np.any(np.stack([term.weights for term in terms]) != 0, axis=0)
        pairs: dict[tuple[int, int], None] = {}
        for basis, used in zip(bases, weighed, strict=True):
            plain |= used[1 : 1 + features]
            for number in np.flatnonzero(used[1 + features :]).tolist():
                pair = int(basis.left[number]), int(basis.right[number])
                plain[list(pair)] = True
                pairs[pair] = None
        self._plan = vectorizer.plan(np.flatnonzero(plain))
        self._used = (
            self._plan.columns
        )  # in the order in which they are computed: nothing is moved again
        at = {int(column): number for number, column in enumerate(self._used)}
        self._left = np.array([at[left] for left, _ in pairs], np.int64)
        self._right = np.array([at[right] for _, right in pairs], np.int64)
        self._place_weights(terms, bases, {pair: n for n, pair in enumerate(pairs)})
        self._place_stages(outcomes)
        self._signs = np.array([-1 if each.kind == "absence" else 1 for each in outcomes])
        self._reasons(vectorizer, outcomes)

    def _place_weights(
        self,
        terms: Sequence[PriorTerms],
        bases: Sequence[Basis],
        pairs: dict[tuple[int, int], int],
    ) -> None:
        """The prior's rows, one per outcome, above the stages' rows, over the used columns and products."""
        width, features = len(self._used), bases[0].features
        stages = [len(each.theta) for each in self.learned]
        rows = len(terms) + sum(stages)
        self._weights = np.zeros((rows, width + len(pairs)))
        self._bias = np.zeros(rows)
        begin = len(terms)
        for number, (term, basis, learned) in enumerate(
            zip(terms, bases, self.learned, strict=True)
        ):
            self._weights[number, :width] = term.weights[self._used]
            self._bias[number] = term.base
            block = slice(begin, begin + len(learned.theta))
            self._bias[block] = learned.theta[:, 0]
            self._weights[block, :width] = learned.theta[:, 1 + self._used]
            for column in np.flatnonzero(
                np.any(learned.theta[:, 1 + features :] != 0, axis=0)
            ).tolist():
                pair = int(basis.left[column]), int(basis.right[column])
                self._weights[block, width + pairs[pair]] = learned.theta[:, 1 + features + column]
            begin += len(learned.theta)

        self._across = np.ascontiguousarray(self._weights.T)

    def _place_stages(self, outcomes: Sequence[Outcome]) -> None:
        counts = [len(outcome.stage_ends) for outcome in outcomes]
        self.stage_counts: tuple[int, ...] = tuple(counts)
        self._starts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64)
        self._of = np.repeat(np.arange(len(outcomes)), counts)
        self._shares = np.concatenate([shares(outcome) for outcome in outcomes])
        self._priors = np.concatenate([each.prior for each in self.learned])
        calibrators = np.concatenate([each.calibrators for each in self.learned])
        self._added, self._factor = calibrators[:, 0], 1 + calibrators[:, 1]

    def _columns(self, parts: Sequence[Array]) -> Array:
        """The used columns and their products (n, all), for the columns side by side."""
        width = len(self._used)
        found = np.empty((len(parts[0]), self._weights.shape[1]))
        plain = found[:, :width]
        np.concatenate(parts, axis=1, out=plain)
        if len(self._left):
            products = plain.take(self._left, axis=1)
            np.multiply(products, plain.take(self._right, axis=1), out=found[:, width:])
        return found

    def _stage_log_odds(self, columns: Array) -> tuple[Array, Array]:
        """Per row the prior's log-odds of each outcome, and those of each stage before its calibrator.

        The last bits of a product of matrices depend on their shapes: so it is taken in tiles of one shape,
        the last one filled up. In a tile, a row's result does not depend on its place or on the others.
        """
        sums = tiled(columns, self._across) + self._bias
        outcomes = len(self.learned)
        priors = sums[:, :outcomes]
        hazards = self._shares * softplus(priors).take(self._of, axis=1)
        stages = self._priors * of_hazard(hazards) + sums[:, outcomes:]
        return priors, np.clip(stages, -MOST, MOST)

    def _log_odds(self, stages: Array) -> Array:
        """Of each outcome as its probability has it, for its stages' before calibration."""
        hazards = softplus(self._added + self._factor * stages)
        return self._signs * of_hazard(np.add.reduceat(hazards, self._starts, axis=1))

    def score(self, raw: Array) -> Scored:
        """Score raw rows (n, layout.width); a row's score does not depend on the others, to the last bit."""
        columns = self._columns(self._plan.parts(raw))
        priors, stages = self._stage_log_odds(columns)
        log_odds = np.rint(self._log_odds(stages) * MILLION).astype(np.int64)
        probabilities = np.rint(MILLION / (1 + np.exp(-log_odds / MILLION))).astype(np.int64)
        whole = np.rint(stages * MILLION).astype(np.int64)
        plain = columns[:, : len(self._used)]
        return Scored(log_odds, probabilities, stages=whole, plain=plain, priors=priors)

    def stages(self, scored: Scored, rows: Sequence[int]) -> NDArray[np.int64]:
        """Log-odds (rows, all stages) before calibration, in millionths."""
        assert scored.stages is not None  # noqa: S101 -- this model's own
        return scored.stages[list(rows)]

    # -- reasons -----------------------------------------------------------------------------------------

    def _reasons(self, vectorizer: Vectorizer, outcomes: Sequence[Outcome]) -> None:
        """The log-odds of the population's mean, and which columns belong to which family."""
        numbers = np.empty(len(vectorizer.features), np.int64)
        for number, columns in enumerate(vectorizer.families.values()):
            numbers[columns] = number
        present, family = np.unique(numbers[self._used], return_inverse=True)
        names = list(vectorizer.families)
        self.families: tuple[str, ...] = tuple(names[number] for number in present)
        means = np.stack([each.mean[self._used] for each in self.learned])
        priors, stages = self._stage_log_odds(self._columns([means]))
        log_odds = np.diagonal(self._log_odds(stages))
        self.base: NDArray[np.int64] = np.rint(log_odds * MILLION).astype(np.int64)
        self._parts: list[Parts] = []
        self._blocks: list[slice] = []
        pairs = self._left, self._right
        for place, (each, begin) in enumerate(
            zip(self.learned, self._starts.tolist(), strict=True)
        ):
            block = slice(begin, begin + len(each.theta))
            self._blocks.append(block)
            rising = Rising(
                self._signs[place],
                shares(outcomes[place]),
                each.prior,
                self._added[block],
                self._factor[block],
            )
            rows = [place, *range(len(self.learned) + block.start, len(self.learned) + block.stop)]
            parts = Parts(rising, self._weights[rows], pairs, family, means[place])
            parts.around(priors[place, place], stages[place, block])
            self._parts.append(parts)

    def parts_of(self, scored: Scored, rows: Sequence[int], place: int) -> NDArray[np.int64]:
        """What each family adds to one outcome's base (rows, families), in millionths; see `Parts`."""
        assert scored.stages is not None  # noqa: S101 -- this model's own
        assert scored.plain is not None  # noqa: S101
        assert scored.priors is not None  # noqa: S101
        found = list(rows)
        stages = scored.stages[found, self._blocks[place]] / MILLION
        prior = scored.priors[found, place]
        return self._parts[place].of(scored.plain[found], prior, stages, len(self.families))

    def parts(self, raw: Array, scored: Scored, rows: Sequence[int]) -> NDArray[np.int64]:
        """The same of all outcomes (rows, outcomes, families)."""
        del raw
        return np.stack([self.parts_of(scored, rows, n) for n in range(len(self.learned))], axis=1)

"""The way from a normal prior and a batch of examples to the posterior's mode and precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from stream.model.learning.checked import Floats

Factor = tuple[Floats, bool]

ITERATIONS: Final = 4
"""From the last mean the mode is two or three steps away; the fourth is for a first, small batch."""

CLOSE: Final = 1e-10
"""A step that promises less than half of this, in log-odds of the posterior, is the last one."""

HALVINGS: Final = 30
"""A step made a billion times smaller that still does not climb is rounding."""


@dataclass(frozen=True)
class Batch:
    """Examples: `x` (n, k), `y` (n) within 0..1, `offset` (n) log-odds, `weight` (n)."""

    x: Floats
    y: Floats
    offset: Floats
    weight: Floats


@dataclass(frozen=True)
class Place:
    """A point on the posterior, `way` (k) off the prior's mean: its log density and the probabilities there."""

    way: Floats
    height: float
    probability: Floats


def factor(matrix: Floats) -> Factor:
    """The Cholesky factor; raises LinAlgError when the matrix is not positive definite."""
    factored: Factor = cho_factor(matrix, lower=True, check_finite=False)
    return factored


def solve(factored: Factor, right: Floats) -> Floats:
    """The solution of matrix times it = right, for the factor of that matrix."""
    solution: Floats = cho_solve(factored, right, check_finite=False)
    return np.ascontiguousarray(solution)


def definite(matrix: Floats) -> tuple[Floats, Factor]:
    """A precision and its factor; its diagonal is raised where rounding has eaten its definiteness.

    That happens when columns are so large, and so alike, that the prior is lost in the last bits.
    """
    lift = 1e-13
    while True:
        try:
            return matrix, factor(matrix)
        except np.linalg.LinAlgError:
            if lift > 1:
                raise
            matrix = matrix + np.diag(lift * matrix.diagonal())
            lift *= 10


def mode(batch: Batch, mean: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """The posterior's mode and its precision there, for the prior N(mean, precision^-1)."""
    start = batch.x @ mean + batch.offset
    place = _place(batch, start, precision, np.zeros_like(mean))
    for _ in range(ITERATIONS):
        residual = batch.weight * (batch.y - place.probability)
        gradient = residual @ batch.x - precision @ place.way
        _, factored = definite(precision + _curvature(batch, place))
        step = solve(factored, gradient)
        climbed = _climb(batch, start, precision, place, step)
        if climbed is None:
            break
        place = climbed
        if gradient @ step < CLOSE:
            break
    sharper, _ = definite(precision + _curvature(batch, place))
    return mean + place.way, sharper


def _climb(
    batch: Batch, start: Floats, precision: Floats, place: Place, step: Floats
) -> Place | None:
    """Where the step leads, halved until the posterior does not fall; None when it always falls."""
    # Near the mode the gain drowns in the rounding of the height itself.
    least = place.height - 1e-10 * (1 + abs(place.height))
    for _ in range(HALVINGS):
        there = _place(batch, start, precision, place.way + step)
        if there.height >= least:
            return there
        step = step / 2
    return None


def _place(batch: Batch, start: Floats, precision: Floats, way: Floats) -> Place:
    logits = start + batch.x @ way
    shrunk = np.exp(-np.abs(logits))
    likelihood = batch.y * logits - np.maximum(logits, 0) - np.log1p(shrunk)
    height = float(batch.weight @ likelihood - way @ precision @ way / 2)
    return Place(way, height, np.where(logits >= 0, 1.0, shrunk) / (1 + shrunk))


def _curvature(batch: Batch, place: Place) -> Floats:
    """Minus the second derivative of the log-likelihood (k, k)."""
    spread = batch.weight * place.probability * (1 - place.probability)
    roots = np.sqrt(spread)[:, None] * batch.x
    curvature: Floats = roots.T @ roots
    # Of a matrix times itself BLAS makes one triangle; other builds may round the two differently.
    return np.tril(curvature) + np.tril(curvature, -1).T

"""A horizon in stages: what the prior says of each, and the probability of the whole.

Stage k asks whether an outcome that has not occurred by the stage's start occurs by its end. Learning from a
stage need not wait for the horizon's end, and both labels of a stage are known at the same time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.outcomes import Outcome

Array = NDArray[np.float64]
MOST: float = 100.0
"""Log-odds beyond these are cut: exp() of them is all there is to double precision."""


def bounds(outcome: Outcome) -> list[tuple[int, int]]:
    """Start and end of each stage, in days."""
    ends = outcome.stage_ends
    return list(zip((0, *ends), ends, strict=False))


def shares(outcome: Outcome) -> Array:
    """The share of the horizon that each stage takes."""
    return np.array([(end - start) / outcome.horizon_days for start, end in bounds(outcome)])


def softplus(log_odds: Array) -> Array:
    """-log(1 - p), the cumulative hazard, for log-odds of p."""
    return np.logaddexp(0.0, log_odds)


def of_hazard(hazard: Array) -> Array:
    """Log-odds for a cumulative hazard."""
    # log(expm1(h)), which for large h is h itself.
    safe = np.minimum(np.maximum(hazard, 1e-43), MOST)
    return np.log(np.expm1(safe))


def offsets(horizon: Array, share: Array) -> Array:
    """Log-odds (..., stages) of each stage where the horizon's are `horizon` (...) and its hazard is constant.

    The stages' hazards add up to the horizon's, so the probability of all stages is the horizon's own.
    """
    return of_hazard(share * softplus(horizon)[..., None])


def combined(stages: Array) -> Array:
    """Log-odds (...) of the horizon for those of its stages (..., stages)."""
    return of_hazard(softplus(stages).sum(axis=-1))

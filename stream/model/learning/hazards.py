"""The contenders of one outcome: models of its stages, each with a calibrator per stage."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.model.basis import Basis
from stream.model.learning.bayes import Posterior
from stream.model.learning.challenger import RiverChallenger

Array = NDArray[np.float64]
WEIGHT_SD: Final = 1.0
"""How far weights are expected to lie from the prior's: log-odds per scaled feature, which is about 0 to 1."""
BIAS_SD: Final = 3.0
FORGETTING: Final = (0.998, 1.0, 0.995)
"""The part of the evidence that is kept per day: the first champion's, then its challengers'."""
_RIVER: Final = "river-lr"
NAMES: Final = (*(f"bayes-{kept}" for kept in FORGETTING), _RIVER)
"""Of all contenders."""
_CALIBRATION_PRECISION: Final = 1_000.0
"""A calibrator moves once a thousand examples or so ask for it."""
_CALIBRATION_KEPT: Final = 0.95
"""Per day. It mends what the model has not caught up with: one that remembered for months mended again what
the model had learned since, and cost .001 to .01 of log-loss on each of three logs."""


class Rows(NamedTuple):
    """Stage examples of one stage: basis columns (n, size), what the prior says, labels, weights."""

    columns: Array
    offset: Array
    occurred: Array
    weight: Array


class Serving(NamedTuple):
    """What scoring needs: see `stream.model.learned.Learned`."""

    theta: Array
    prior: Array
    calibrators: Array


class _Calibrated:
    """One calibrator per stage."""

    def __init__(self, stages: int) -> None:
        self.calibrators = [
            Posterior(np.full(2, _CALIBRATION_PRECISION), _CALIBRATION_KEPT) for _ in range(stages)
        ]

    def calibrate(self, stage: int, log_odds: Array, occurred: Array, weight: Array) -> None:
        """Learn from what was said of examples of a stage, before calibration, and what came."""
        found = np.stack((np.ones(len(log_odds)), log_odds), axis=1)
        self.calibrators[stage].learn(found, occurred, log_odds, weight)

    def calibrated(self, stage: int, log_odds: Array) -> Array:
        """Log-odds as they are to be believed."""
        added, slope = self.calibrators[stage].mean
        found: Array = added + (1 + slope) * log_odds
        return found

    def _calibrations(self) -> Array:
        return np.stack([each.mean for each in self.calibrators])


class BayesHazards(_Calibrated):
    """Bayesian logistic regressions over the prior."""

    def __init__(self, basis: Basis, stages: int, forgetting: float) -> None:
        """`forgetting` is the part of the evidence that is kept per day."""
        super().__init__(stages)
        self._forgetting = forgetting
        self._precision = np.full(basis.size, WEIGHT_SD**-2)
        self._precision[0] = BIAS_SD**-2
        self.stages = [Posterior(self._precision, forgetting) for _ in range(stages)]

    def forget(self, days: float) -> None:
        """Let time pass."""
        for each in (*self.stages, *self.calibrators):
            each.forget(days)

    def log_odds(self, stage: int, rows: Rows) -> Array:
        """Before calibration."""
        return self.stages[stage].predict(rows.columns, rows.offset)

    def learn(self, stage: int, rows: Rows) -> None:
        """Learn a period's examples of a stage."""
        self.stages[stage].learn(rows.columns, rows.occurred, rows.offset, rows.weight)

    def serving(self) -> Serving:
        """As scoring needs it."""
        theta = np.stack([each.mean for each in self.stages])
        return Serving(theta, np.ones(len(theta)), self._calibrations())

    def state(self) -> dict[str, Any]:
        """All that was learned, as plain data."""
        return {
            "stages": [each.state() for each in self.stages],
            "calibrators": [each.state() for each in self.calibrators],
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state, as if never stopped."""
        self.stages = [
            Posterior.resume(each, self._precision, self._forgetting) for each in state["stages"]
        ]
        self.calibrators = _resume_calibrators(state)


class RiverHazards(_Calibrated):
    """River's own scaled logistic regression, one per stage: no prior, no products."""

    def __init__(self, basis: Basis, stages: int) -> None:
        super().__init__(stages)
        self._size, self._features = basis.size, basis.features
        self.stages = [RiverChallenger(basis.features) for _ in range(stages)]

    def forget(self, days: float) -> None:
        """Only the calibrators forget."""
        for each in self.calibrators:
            each.forget(days)

    def _plain(self, rows: Rows) -> Array:
        return rows.columns[:, 1 : 1 + self._features]

    def log_odds(self, stage: int, rows: Rows) -> Array:
        """Before calibration."""
        return self.stages[stage].predict(self._plain(rows))

    def learn(self, stage: int, rows: Rows) -> None:
        """Learn a period's examples of a stage, one by one."""
        self.stages[stage].learn(self._plain(rows), rows.occurred, rows.weight)

    def serving(self) -> Serving:
        """As scoring needs it: the scaling is multiplied into the weights."""
        theta = np.zeros((len(self.stages), self._size))
        for row, each in zip(theta, self.stages, strict=True):
            row[0], row[1 : 1 + self._features] = each.linear()
        return Serving(theta, np.zeros(len(theta)), self._calibrations())

    def state(self) -> dict[str, Any]:
        """All that was learned, as plain data."""
        return {
            "stages": [each.state() for each in self.stages],
            "calibrators": [each.state() for each in self.calibrators],
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state, as if never stopped."""
        self.stages = [RiverChallenger.resume(each, self._features) for each in state["stages"]]
        self.calibrators = _resume_calibrators(state)


Hazards = BayesHazards | RiverHazards


def _resume_calibrators(state: dict[str, Any]) -> list[Posterior]:
    precision = np.full(2, _CALIBRATION_PRECISION)
    return [Posterior.resume(each, precision, _CALIBRATION_KEPT) for each in state["calibrators"]]


def contenders(basis: Basis, stages: int) -> dict[str, Hazards]:
    """The first champion, and those who challenge it, by name."""
    bayes = {f"bayes-{kept}": BayesHazards(basis, stages, kept) for kept in FORGETTING}
    return {**bayes, _RIVER: RiverHazards(basis, stages)}

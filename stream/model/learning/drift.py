"""Alarms: when predictions grow worse, or what goes in is not what it was. Nothing is reset for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from stream.features.declared import Feature
from stream.model.snapshot import moment

Array = NDArray[np.float64]
_ENOUGH: Final = 20
"""Examples of a period whose mean log-loss is worth looking at."""
_KEPT: Final = 400
_FAST_DAYS: Final = 14.0
_SLOW_DAYS: Final = 120.0
_FAR: Final = 0.5
"""A feature's alarm: its mean of weeks lies half a standard deviation from that of months."""
_WINDOWS: Final = frozenset(("1d", "7d", "30d"))
_LEAST_ROWS: Final = 500
_QUIET_DAYS: Final = 30.0
_ALARMS: Final = 50


class Drift:
    """Watches one outcome. ADWIN (Bifet and Gavalda, 2007) looks at the periods' mean log-loss."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = [feature.name for feature in features]
        # What looks back over a customer's whole life, or 90 days, grows with the log: that is no drift.
        self._watched = np.array([feature.window in _WINDOWS for feature in features])
        self.alarms: list[dict[str, Any]] = []
        self._means: list[float] = []
        self._adwin = _adwin()
        size = len(features)
        self._fast, self._slow, self._square = np.zeros(size), np.zeros(size), np.zeros(size)
        self._rows = 0.0
        self._days = 0.0
        self._quiet: dict[str, int] = {}

    def watch_loss(self, at: int, mean: float, count: int) -> list[dict[str, Any]]:
        """A period's mean log-loss of predictions as they were given; the alarms that it raises."""
        if count < _ENOUGH:
            return []
        before = self._adwin.estimation
        self._means.append(mean)
        self._adwin.update(mean)
        if len(self._means) >= 2 * _KEPT:  # what a restart is shown must be what this one has seen
            self._show(self._means[-_KEPT:])
        if not self._adwin.drift_detected or self._adwin.estimation <= before:
            return []
        text = f"log-loss rose to {self._adwin.estimation:.4f}, it was {before:.4f}"
        return [self._alarm(at, "log-loss", None, text)]

    def watch_inputs(self, at: int, x: Array, days: float) -> list[dict[str, Any]]:
        """A period's feature vectors (n, features), so many days after those before."""
        if not len(x):
            return []
        mean, square = x.mean(axis=0), np.square(x).mean(axis=0)
        begun = self._rows > 0
        # Until as much time has passed as a mean looks back over, it is the mean of all.
        self._days += max(days, 1e-9)
        fast, slow = (
            max(1 - float(np.exp(-days / span)), days / self._days) if begun else 1.0
            for span in (_FAST_DAYS, _SLOW_DAYS)
        )
        self._fast += fast * (mean - self._fast)
        self._slow += slow * (mean - self._slow)
        self._square += slow * (square - self._square)
        self._rows += len(x)
        if self._rows < _LEAST_ROWS or self._days < _SLOW_DAYS:
            return []
        spread = np.sqrt(np.maximum(self._square - self._slow**2, 0))
        away = np.abs(self._fast - self._slow)
        found = []
        far = self._watched & (away > _FAR * np.maximum(spread, 1e-3))
        for column in np.flatnonzero(far).tolist():
            name = self._features[column]
            if at - self._quiet.get(name, -(1 << 62)) >= _QUIET_DAYS * 86_400:
                self._quiet[name] = at
                text = (
                    f"{name} is {self._fast[column]:.2f} of late, usually {self._slow[column]:.2f}"
                )
                found.append(self._alarm(at, "feature", name, text))
        return found

    def _alarm(self, at: int, what: str, feature: str | None, text: str) -> dict[str, Any]:
        alarm = {"at": at, "what": what, "feature": feature, "text": text}
        self.alarms = [*self.alarms, alarm][-_ALARMS:]
        return alarm

    def told(self) -> list[dict[str, Any]]:
        """As snapshots carry them."""
        return [alarm | {"at": moment(alarm["at"])} for alarm in self.alarms]

    def state(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return {
            "alarms": self.alarms,
            "means": self._means,
            "fast": self._fast.tolist(),
            "slow": self._slow.tolist(),
            "square": self._square.tolist(),
            "rows": self._rows,
            "days": self._days,
            "quiet": self._quiet,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state. ADWIN has none that can be written: it is shown the latest means again."""
        self.alarms, self._means = list(state["alarms"]), list(state["means"])
        self._fast, self._slow = np.array(state["fast"]), np.array(state["slow"])
        self._square = np.array(state["square"])
        self._rows, self._days = state["rows"], state["days"]
        self._quiet = dict(state["quiet"])
        self._show(self._means)

    def _show(self, means: list[float]) -> None:
        self._means, self._adwin = list(means), _adwin()
        for mean in means:
            self._adwin.update(mean)


def _adwin() -> Any:
    make: Any = ADWIN
    return make(delta=0.002, clock=1, grace_period=10, min_window_length=5)

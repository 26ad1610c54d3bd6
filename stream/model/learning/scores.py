"""How well an outcome is predicted, as its labels come in: sums, a window of the latest, and a course."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.bands import BANDS
from schemas.outcomes import Outcome
from stream.model.snapshot import moment

Array = NDArray[np.float64]
_LATEST: Final = 5_000
"""Examples that reliability and bands are told of."""
_POINTS: Final = 120
_BINS: Final = 10
_LEAST: Final = 1e-6
_Z: Final = 1.959964


def log_loss(p: Array, y: Array) -> Array:
    """Per example, in nats; probabilities are cut at a millionth."""
    sure = np.clip(p, _LEAST, 1 - _LEAST)
    found: Array = -np.log(np.where(y > 0, sure, 1 - sure))
    return found


class Scores:
    """What is known of the predictions that were given, as examples came to the end of their horizon."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.examples = self.positives = 0
        self.sums = {"champion": 0.0, "prior": 0.0, "base_rate": 0.0, "brier": 0.0}
        self.latest: deque[tuple[float, float]] = deque(maxlen=_LATEST)
        self.course: list[dict[str, Any]] = []

    def take(
        self, at: int, given: Array, prior: Array, y: Array, stages: dict[str, float]
    ) -> float | None:
        """The examples whose horizon ended in a period; returns the mean log-loss, None without examples.

        `given` and `prior` are probabilities as of the opening; `stages` the contenders' log-losses.
        """
        n = len(y)
        if not n:
            return None
        # The rate known before these; one of a half counts for one example.
        rate = (self.positives + 0.5) / (self.examples + 1)
        losses = {
            "champion": float(log_loss(given, y).sum()),
            "prior": float(log_loss(prior, y).sum()),
            "base_rate": float(log_loss(np.full(n, rate), y).sum()),
        }
        for name, loss in losses.items():
            self.sums[name] += loss
        self.sums["brier"] += float(np.square(given - y).sum())
        self.examples += n
        self.positives += int(y.sum())
        self.latest.extend(zip(given.tolist(), y.tolist(), strict=True))
        point = {"at": at, "count": n, "positives": int(y.sum())}
        self.course.append(point | {name: loss / n for name, loss in losses.items()} | stages)
        if len(self.course) > _POINTS:
            *older, newest = self.course
            self.course = [_merged(*pair) for pair in zip(*[iter(older)] * 2, strict=True)]
            self.course.append(newest)
        return losses["champion"] / n

    def metrics(self) -> dict[str, Any]:
        """As snapshots carry them."""
        if not self.examples:
            return {}
        losses = {name: total / self.examples for name, total in self.sums.items()}
        brier = losses.pop("brier")
        bins = self._bins()
        shares = [each["count"] * abs(each["predicted"] - each["observed"]) for each in bins]
        return {
            "log_loss": losses,
            "brier": brier,
            "ece": sum(shares) / len(self.latest),
            "reliability": bins,
            "bands": self._bands(),
            "series": [each | {"at": moment(each["at"])} for each in self.course],
        }

    def _bins(self) -> list[dict[str, Any]]:
        found = np.array(sorted(self.latest))
        return [
            {
                "predicted": float(part[:, 0].mean()),
                "observed": float(part[:, 1].mean()),
                "count": len(part),
            }
            for part in np.array_split(found, _BINS)
            if len(part)
        ]

    def _bands(self) -> list[dict[str, Any]]:
        given, y = np.array(self.latest).T
        ends = (0.0, *self._outcome.cuts, 1.0)
        place = np.searchsorted(self._outcome.cuts, given, "right")
        found = []
        for number, band in enumerate(BANDS):
            here = place == number
            count = int(here.sum())
            told = {
                "band": str(band),
                "low": ends[number],
                "high": ends[number + 1],
                "count": count,
            }
            if count:
                told |= {
                    "predicted": float(given[here].mean()),
                    "observed": float(y[here].mean()),
                    "interval": _wilson(float(y[here].mean()), count),
                }
            found.append(told)
        return found

    def state(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return {
            "examples": self.examples,
            "positives": self.positives,
            "sums": dict(self.sums),
            "latest": [list(pair) for pair in self.latest],
            "course": self.course,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.examples, self.positives = state["examples"], state["positives"]
        self.sums = dict(state["sums"])
        self.latest = deque(((p, y) for p, y in state["latest"]), maxlen=_LATEST)
        self.course = [dict(point) for point in state["course"]]


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two neighbouring points of the course as one."""
    total = first["count"] + second["count"]
    found: dict[str, Any] = {"at": second["at"], "count": total}
    found["positives"] = first["positives"] + second["positives"]
    for name, value in second.items():
        if name not in found:
            before = first.get(name, value)
            found[name] = (first["count"] * before + second["count"] * value) / total
    return found


def _wilson(rate: float, count: int) -> list[float]:
    """95 % interval of a rate, as if examples were independent (E. B. Wilson, 1927)."""
    spread = _Z**2 / count
    middle = (rate + spread / 2) / (1 + spread)
    half = _Z * np.sqrt(rate * (1 - rate) / count + spread / (4 * count)) / (1 + spread)
    return [max(0.0, float(middle - half)), min(1.0, float(middle + half))]

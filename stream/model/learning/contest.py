"""Which contender is champion: each is judged on every example before it learns from it."""

from __future__ import annotations

from typing import Any, Final

MARGIN: Final = 0.005
"""A challenger is promoted when its log-loss is lower by this part of the champion's ..."""
OVER: Final = 5_000
"""... over so many stage examples, the latest counting most."""
_KEPT: Final = 1 - 1 / 10_000
"""Per stage example: losses fade over the latest ten thousand."""


class Contest:
    """Progressive log-loss per contender, of stage examples by their weight."""

    def __init__(self, champion: str) -> None:
        self.champion = champion
        self.seen = 0
        """Stage examples since the champion is champion."""
        self._weight = 0.0
        self._sums: dict[str, float] = {}

    def take(self, losses: dict[str, float], weight: float, count: int) -> None:
        """Sums of weighted log-losses of a period's `count` stage examples, by contender."""
        kept = _KEPT**count
        self._weight = self._weight * kept + weight
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) * kept + loss
        self.seen += count

    def losses(self) -> dict[str, float]:
        """Mean log-loss by contender."""
        if not self._weight:
            return {}
        return {name: total / self._weight for name, total in self._sums.items()}

    def better(self, contenders: list[str]) -> str | None:
        """The challenger that is to be promoted."""
        losses = self.losses()
        if self.seen < OVER or self.champion not in losses:
            return None
        best = min(contenders, key=lambda name: losses.get(name, float("inf")))
        enough = losses[best] < losses[self.champion] * (1 - MARGIN)
        return best if enough and best != self.champion else None

    def promote(self, name: str) -> None:
        """Another is champion from here on."""
        self.champion = name
        self.seen = 0

    def state(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return {
            "champion": self.champion,
            "seen": self.seen,
            "weight": self._weight,
            "sums": self._sums,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.champion, self.seen = state["champion"], state["seen"]
        self._weight, self._sums = state["weight"], dict(state["sums"])

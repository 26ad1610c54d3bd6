"""How a worker works: whatever it does here, what comes of a log is the same."""

from __future__ import annotations

from random import Random
from typing import Protocol


class Habits(Protocol):
    """Of one worker."""

    cached: int
    """States kept in memory."""
    step_records: int

    def most(self) -> int:
        """Records that it reads in the next turn, at the most."""

    def commits(self) -> bool:
        """Whether it commits after this turn."""


class Moody:
    """Sometimes this, sometimes that."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.cached = chance.choice((1, 3, 100))
        self.step_records = chance.choice((1, 2, 7, 100))

    def most(self) -> int:
        return self._chance.choice((1, 3, 20))

    def commits(self) -> bool:
        return self._chance.random() < 0.3


class Steady:
    """Always the same: two records a step, hardly a state kept, C committed in every other turn."""

    cached = 1
    step_records = 2

    def __init__(self) -> None:
        self._turns = 0

    def most(self) -> int:
        return 3

    def commits(self) -> bool:
        self._turns += 1
        return self._turns % 2 == 0

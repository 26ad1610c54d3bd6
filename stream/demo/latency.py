"""How long things took: bounded in memory however many there are."""

from __future__ import annotations

from collections import Counter
from typing import Final

_PER_MS: Final = 10


class Latencies:
    """Counts durations in tenths of a millisecond."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, milliseconds: float) -> None:
        """Take one in; one below nothing, as two clocks may show it, counts as nothing."""
        self._counts[max(0, round(milliseconds * _PER_MS))] += 1

    @property
    def number(self) -> int:
        """How many were taken in."""
        return self._counts.total()

    def quantile(self, share: float) -> float | None:
        """The least duration (ms) that at least this share (0 to 1) does not exceed; None without any."""
        left = share * self.number
        for tenths in sorted(self._counts):
            left -= self._counts[tenths]
            if left <= 0:
                return tenths / _PER_MS
        return None

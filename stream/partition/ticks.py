"""When a program that replays a log tells every partition the time."""

from __future__ import annotations


class Ticks:
    """A tick is due at the first row, and whenever the rows' time passes a multiple of so many milliseconds.

    The first tells all partitions when the log begins. 0: none is due.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._next: int | None = None

    def passed(self, at: int) -> int | None:
        """The time to tell before a row of time `at`, in ms since 1970; None where no tick is due."""
        every, following = self._every, self._next
        if not every or (following is not None and at < following):
            return None
        self._next = (at // every + 1) * every
        return at if following is None else at // every * every

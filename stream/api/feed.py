"""The live feed: the latest band changes in memory, and who waits for more.

Readers pull. Each keeps the number of the last band change it has, so there is no buffer per reader: one
that is slow falls back to the view's file, and one that takes nothing at all is dropped by its time-out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from stream.api.view import FeedRow, Log, Written
from stream.partition.outputs import BAND_CHANGES, SCORES

_RECENT: Final = 2_000


class Offsets:
    """The next offset to read, of every partition of `band-changes` and `scores`: the id of a feed's event."""

    def __init__(self, moves: Sequence[int], scores: Sequence[int]) -> None:
        self.moves = list(moves)
        self.scores = list(scores)

    def __str__(self) -> str:
        return f"b:{','.join(map(str, self.moves))};s:{','.join(map(str, self.scores))}"

    @classmethod
    def parse(cls, text: str, partitions: int) -> Offsets | None:
        """The offsets that str() wrote, or None where it did not, for so many partitions."""
        parts = dict(part.split(":", 1) for part in text.split(";") if ":" in part)
        found = []
        for name in ("b", "s"):
            numbers = parts.get(name, "").split(",")
            if len(numbers) != partitions or not all(
                number.isascii() and number.isdigit() and len(number) < 19 for number in numbers
            ):
                return None
            found.append([int(number) for number in numbers])
        return cls(*found)

    def copy(self) -> Offsets:
        """Others of the same value."""
        return Offsets(self.moves, self.scores)


@dataclass(eq=False)
class Waiting:
    """A reader that also wants one customer's scores; `scored` tells that there are some."""

    scored: bool = True


class Feed:
    """What the follower has read last. Used from the event loop alone."""

    def __init__(self, partitions: int, last: int = 0) -> None:
        """`last` is the number of the latest band change in the view's file."""
        self.offsets = Offsets([0] * partitions, [0] * partitions)
        self.last = last
        self.closed = False
        self.generation = 0
        """Another number: other topics, whose offsets have nothing to do with the ones before."""
        self.models: dict[str, int] = {}
        """By outcome: how often there has been news of its model."""
        self._recent: deque[FeedRow] = deque(maxlen=_RECENT)
        self._scored: dict[str, set[Waiting]] = {}
        self._news = asyncio.Event()

    def publish(self, reached: Mapping[Log, int], written: Written) -> None:
        """Take in what one batch brought, and how far it went."""
        for log, offset in reached.items():
            offsets = self.offsets.moves if log.kind == BAND_CHANGES else self.offsets.scores
            offsets[log.partition] = offset
        if written.moves:
            self._recent.extend(written.moves)
            self.last = written.moves[-1].seq
        touched = False
        for customer in self._scored.keys() & written.scored:
            for waiting in self._scored[customer]:
                waiting.scored = touched = True
        if written.moves or touched:
            self._wake()

    def tell_model(self, outcome: str) -> None:
        """There is news of an outcome's model."""
        self.models[outcome] = self.models.get(outcome, 0) + 1
        self._wake()

    def reset(self) -> None:
        """The view is made anew, from other topics."""
        self.offsets = Offsets([0] * len(self.offsets.moves), [0] * len(self.offsets.scores))
        self._recent.clear()
        self.generation += 1
        self._wake()

    @contextmanager
    def waiting(self, customer: str) -> Iterator[Waiting]:
        """Be told of one customer's scores too."""
        made = Waiting()
        self._scored.setdefault(customer, set()).add(made)
        try:
            yield made
        finally:
            self._scored[customer].discard(made)
            if not self._scored[customer]:
                del self._scored[customer]

    def after(self, seq: int, most: int) -> list[FeedRow] | None:
        """Up to `most` band changes after a number; None if memory does not reach back that far."""
        if seq >= self.last:
            return []
        first = self._recent[0].seq if self._recent else self.last + 1
        if seq + 1 < first:
            return None
        return list(islice(self._recent, seq + 1 - first, seq + 1 - first + most))

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """Let every reader end."""
        self.closed = True
        self._wake()

    @property
    def news(self) -> asyncio.Event:
        """Set as soon as there is more than now. Take it before looking, or news in between is missed."""
        return self._news


LOGS: Final = (BAND_CHANGES, SCORES)
"""The topics that the view follows, the one that places customers first."""

"""Partitions whose states are computed again from the log: which, how far, and how long it will take.

The store's position lies before what the workers' group has committed: the store was emptied, or came back
older. Until the position is there again, states are of a time that is past, and nothing is published.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

_WINDOW: Final = 30.0
"""Seconds over which a rate is observed: steps are uneven, a steady number is worth more than a new one."""
_SHORTEST: Final = 0.2
"""Seconds that two looks must lie apart to tell a rate."""


class Place(NamedTuple):
    """Where one partition stands. Offsets are the next ones to read.

    `committed` must have been read before `position`: a worker moves the one after the other, so read the
    other way round, a partition at work would look as if it had fallen back.
    """

    position: int | None
    """In the store; None where it knows nothing of the partition."""
    committed: int | None
    """In the workers' group; None before the first commit."""
    begin: int = 0
    """The first offset that the log still has."""


@dataclass(frozen=True)
class Rebuilding:
    """One partition that is rebuilt, or several of them together. Numbers are of records."""

    partitions: tuple[int, ...]
    done: int
    whole: int
    rate: float | None = None
    """Records a second, as observed; None before it has been."""

    @property
    def remaining(self) -> int:
        """Records still to be taken in again."""
        return self.whole - self.done

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return self.done / self.whole if self.whole else 0.0

    @property
    def seconds(self) -> float | None:
        """How long it will still take at the observed rate; None where that is unknown or nothing moves."""
        return self.remaining / self.rate if self.rate else None

    def text(self, partitions: int) -> str:
        """All of it as the end of a sentence, of a deployment of so many partitions."""
        told = (
            f"{len(self.partitions)} of {partitions} partitions "
            f"{'is' if len(self.partitions) == 1 else 'are'} rebuilt from the log: {self.share:.0%} done, "
            f"{self.remaining:,} records"
        )
        return (
            f"{told} and {about(self.seconds)} left" if self.seconds is not None else f"{told} left"
        )


def behind(place: Place) -> bool:
    """Whether a partition's states are older than what was committed."""
    return place.committed is not None and (place.position or 0) < place.committed


def together(found: Sequence[Rebuilding]) -> Rebuilding | None:
    """Several rebuilt partitions as one; None where there is none."""
    if not found:
        return None
    rates = [each.rate for each in found if each.rate is not None]
    return Rebuilding(
        tuple(number for each in found for number in each.partitions),
        sum(each.done for each in found),
        sum(each.whole for each in found),
        sum(rates) if rates else None,
    )


class Pace:
    """Looks again and again, and tells how fast rebuilt partitions move."""

    def __init__(self) -> None:
        self._looks: dict[int, deque[tuple[float, int]]] = {}

    def look(self, now: float, places: Sequence[Place]) -> list[Rebuilding]:
        """What is rebuilt, as of `now` (seconds of any clock); `places` are of all partitions."""
        found = []
        for partition, place in enumerate(places):
            if not behind(place):
                self._looks.pop(partition, None)
                continue
            begin, end = place.begin, place.committed or 0
            position = max(begin, place.position or 0)
            # Compared with where the log begins: a copy of the store that is a minute old is nearly done.
            found.append(
                Rebuilding(
                    (partition,),
                    min(position, end) - min(begin, end),
                    end - min(begin, end),
                    self._rate(partition, now, position),
                )
            )
        return found

    def _rate(self, partition: int, now: float, position: int) -> float | None:
        looks = self._looks.setdefault(partition, deque())
        if looks and looks[-1][1] > position:
            looks.clear()  # the store was lost once more
        looks.append((now, position))
        while len(looks) > 2 and looks[1][0] <= now - _WINDOW:
            looks.popleft()
        (since, before), lasted = looks[0], now - looks[0][0]
        return (position - before) / (now - since) if lasted >= _SHORTEST else None


def about(seconds: float | None) -> str:
    """A time as people say it, rounded up."""
    if seconds is None:
        return "an unknown time"
    if seconds <= 60:
        return "less than a minute"
    minutes = ceil(seconds / 60)
    if minutes <= 90:
        return f"about {minutes} minutes"
    return f"about {ceil(minutes / 60)} hours"

"""While states are computed again from the log: a problem that says so, instead of half a state."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

from stream.api.problems import Problem, ProblemError
from stream.api.watch import Watch
from stream.partition.rebuilding import Rebuilding, about

LONGEST: Final = 60
"""Seconds after which to ask again at the latest: a remaining time is an estimate."""
_UNKNOWN: Final = 5
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    503: {
        "model": Problem,
        "description": "Kafka or Redis does not answer, or scores are computed again from the log",
    }
}


def refuse_customer(watch: Watch, partition: int) -> None:
    """Raise the problem `rebuilding` where the last look saw the customer's partition being rebuilt."""
    if partition in watch.rebuilding:
        raise problem(watch, "This customer's scores are", watch.rebuilding[partition])


def refuse_lists(watch: Watch) -> None:
    """Raise the problem `rebuilding` where any partition is rebuilt."""
    found = watch.rebuilt
    if found is not None:
        raise problem(watch, "The scores of some customers are", found)


def problem(watch: Watch, whose: str, found: Rebuilding | None) -> ProblemError:
    """The problem; `found` is None where it has just begun, and nothing is known of it yet."""
    seconds = found.seconds if found else None
    left = f"{about(seconds)} left" if seconds is not None else "how long it takes is not known yet"
    done = f" ({found.share:.0%} done)" if found else ""
    wait = _UNKNOWN if seconds is None else min(LONGEST, max(1, ceil(seconds)))
    return ProblemError(
        503,
        "rebuilding",
        f"{whose} computed again from the log{done}: {left}.",
        {"retry-after": str(wait)},
        state="rebuilding",
        remaining_records=found.remaining if found else None,
        remaining_seconds=seconds,
        partitions=len(watch.rebuilding),
    )

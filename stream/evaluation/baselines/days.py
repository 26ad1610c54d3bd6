"""Examples by the day (or week) they were opened on, with the labels known when it began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stream.evaluation.examples import Evaluated
from stream.evaluation.history import DAY


class Block(NamedTuple):
    """Some days: their examples are those from `first` to `last`, excluded."""

    at: float  # the start of the first day, seconds since 1970
    first: int
    last: int
    known: int  # the labels of so many examples, the earliest, are known at that time


def blocks(evaluated: Evaluated, first: int, days: int = 1) -> list[Block]:
    """Examples from `first` on in blocks of `days` UTC days; blocks without an example are left out."""
    return list(_blocks(evaluated, first, days))


def _blocks(evaluated: Evaluated, first: int, days: int) -> Iterator[Block]:
    day = evaluated.day_began[first:]
    if not len(day):
        return
    number = ((day - day[0]) // (days * DAY)).astype(np.int64)
    numbers, starts = np.unique(number, return_index=True)
    ends = [*starts[1:], len(day)]
    for each, start, end in zip(numbers, starts, ends, strict=True):
        at = float(day[0] + each * days * DAY)
        known = int(np.searchsorted(evaluated.known_at, at, "right"))
        yield Block(at, first + int(start), first + int(end), known)

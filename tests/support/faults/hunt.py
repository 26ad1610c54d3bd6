"""Schedules of every kind, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

from tests.support.faults import owners, sweep
from tests.support.faults.promises import Result, result_of
from tests.support.faults.run import SOUND, Mutation
from tests.support.faults.schedule import Schedule

EVERY_FAULT: Final = "every fault at every call"
TWO_OWNERS: Final = "two owners, every order"
ONE_SWITCH: Final = "two owners, one switch"
SEVERAL: Final = "two or three faults"
BURSTS: Final = "two owners by chance"
CHANCE: Final = "all by chance"
_LARGE: Final = 10
"""Of so many schedules by seed one has a long log."""
_DEPTH: Final = 9
_DEPTH_FALLING: Final = 5
_DEPTH_ONE_SWITCH: Final = 14
Found = Iterator[tuple[str, Result]]
"""The kind of a schedule, and what came of it."""


def _kind(kind: str, mutation: Mutation) -> str:
    return f"exactly once: {kind}" if mutation.exactly_once else kind


def by_seed(seed: int, mutation: Mutation = SOUND) -> Schedule:
    """Everything by chance, over a log that is short, as a rule."""
    return Schedule(seed, 1 + seed % 2, mutation, 60 if seed % _LARGE == 0 else 14)


def by_chance(seed: int, mutation: Mutation = SOUND) -> Found:
    """From a seed on, without an end."""
    while True:
        yield _kind(CHANCE, mutation), result_of(by_seed(seed, mutation))
        yield (
            _kind(SEVERAL, mutation),
            result_of(sweep.Sweep(sweep.several(seed, mutation.sound), mutation)),
        )
        yield _kind(BURSTS, mutation), result_of(owners.by_chance(seed, mutation))
        seed += 1


def every_fault(mutation: Mutation = SOUND) -> Found:
    """Every fault at every call, one a run."""
    for faults in sweep.singles(mutation.sound):
        yield _kind(EVERY_FAULT, mutation), result_of(sweep.Sweep(faults, mutation))


def two_owners(mutation: Mutation = SOUND) -> Found:
    """From every beginning on: every order up to a depth, and less deep with falls of the store."""
    orders = (
        (TWO_OWNERS, partial(owners.duels, depth=_DEPTH)),
        (TWO_OWNERS, partial(owners.duels, depth=_DEPTH_FALLING, falls=True)),
        (ONE_SWITCH, partial(owners.duels, depth=_DEPTH_ONE_SWITCH, falls=True, switches=1)),
    )
    for kind, duels in orders:
        for begin in range(owners.calls(mutation.sound)):
            for found in duels(begin, mutation=mutation):
                yield _kind(kind, mutation), found


def in_turns(*sources: Found) -> Found:
    """One of each, until none has any more."""
    left = list(sources)
    while left:
        for source in tuple(left):
            found = next(source, None)
            if found is None:
                left.remove(source)
            else:
                yield found


def caught(promise: str, mutation: Mutation, most: int = 1_500) -> Result | None:
    """The first run that breaks a promise, among so many."""
    sources = in_turns(every_fault(mutation), by_chance(1, mutation))
    return next((found for _, found in islice(sources, most) if found.of(promise)), None)

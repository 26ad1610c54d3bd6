"""What an evaluation is about: the examples that a log gave, and what bandshift said of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream.evaluation.history import DAY, Bools, Floats, History, Ints

POSITIVES = 50
"""Labels of converted examples that must be known before models are compared."""


@dataclass(frozen=True)
class Evaluated:
    """One outcome over one log: n examples in the order they were opened, all times in seconds since 1970."""

    log: str  # the file's name
    outcome: str
    types: tuple[str, ...]  # of touchpoints that count as the outcome
    min_value: float | None  # touchpoints worth less do not count
    horizon_days: int
    grace_days: int  # for late touchpoints, until a label is taken as known
    cuts: tuple[float, ...]  # four probabilities, between the five bands
    began_at: float  # the log's first touchpoint
    ended_at: float  # its last
    features: tuple[str, ...]
    customer: Ints  # n, from 0
    opened_at: Floats  # n, ascending
    known_at: Floats  # n: opened_at + horizon + grace
    converted: (
        Bools  # n: at least one occurrence within the horizon; without meaning where not known
    )
    x: npt.NDArray[np.float16 | np.float32]  # n x features, as frozen at the opening
    prior: Floats  # n: the prior's probability at the opening
    bandshift: Floats  # n: the probability that was given at the opening
    band: Ints  # n: 0 to 4, at the opening
    history: History
    changes: int  # of bands
    reversals: int  # changes that take back the one before
    changes_in_silence: int  # changes at a time without a touchpoint
    customer_years: float

    def __post_init__(self) -> None:
        n = len(self.opened_at)
        for name in ("customer", "known_at", "converted", "x", "prior", "bandshift", "band"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name} must have an entry for each of the {n} examples")
        for name in ("opened_at", "known_at"):
            if np.any(np.diff(getattr(self, name)) < 0):
                raise ValueError(f"{name} must not descend")

    def until(self, last: int) -> Evaluated:
        """Only the first `last` examples; the history stays whole."""
        names = (
            "customer",
            "opened_at",
            "known_at",
            "converted",
            "x",
            "prior",
            "bandshift",
            "band",
        )
        return replace(self, **{name: getattr(self, name)[:last] for name in names})

    @property
    def horizon(self) -> float:
        """The horizon in seconds."""
        return self.horizon_days * DAY

    @property
    def day_began(self) -> Floats:
        """The start of the UTC day on which each example was opened."""
        return np.floor(self.opened_at / DAY) * DAY

    @property
    def known_by_day(self) -> Ints:
        """How many labels were known when the day of each example began: always the first ones."""
        return np.searchsorted(self.known_at, self.day_began, "right")


@dataclass(frozen=True)
class Span:
    """The examples on which the models are compared: those from `first` to `last`, excluded."""

    first: int
    last: int
    reason: str | None  # why there are none

    @property
    def examples(self) -> slice:
        """The examples as a slice."""
        return slice(self.first, self.last)


def compared(evaluated: Evaluated) -> Span:
    """Examples opened after the first 50 positives were known, their label known by the log's end.

    They begin with a whole UTC day, so that a model that is refitted at the day's start knows the 50 too.
    """
    last = int(np.searchsorted(evaluated.known_at, evaluated.ended_at, "right"))
    if last == 0:
        days = (evaluated.ended_at - evaluated.began_at) / DAY
        wait = evaluated.horizon_days + evaluated.grace_days
        return Span(
            0,
            0,
            f"no label is known by the log's end: it takes {wait} days (the horizon and the time for late "
            f"touchpoints), and the log covers {days:.0f}",
        )
    positives = np.cumsum(evaluated.converted[:last])
    if positives[-1] < POSITIVES:
        return Span(
            0,
            0,
            f"only {positives[-1]} of the {last} known labels are positive; "
            f"nothing is compared before {POSITIVES} are",
        )
    there = evaluated.known_at[np.searchsorted(positives, POSITIVES)]
    first = int(np.searchsorted(evaluated.opened_at, np.ceil(there / DAY) * DAY, "left"))
    if first >= last:
        return Span(
            0,
            0,
            f"no example that was opened after {POSITIVES} positives were known has its own label "
            "known by the log's end",
        )
    return Span(first, last, None)

"""Why a score is what it is: what each family of touchpoints adds to the log-odds, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from schemas.types import TouchpointType
from stream.features.grid import AGE_STEPS, DAY, HOUR, WINDOWS, age_index
from stream.features.layout import Layout
from stream.model.linear import MILLION

_MONTH: Final = next(number for number, window in enumerate(WINDOWS) if window.name == "30d")
_NAMED: Final = 2
"""How many kinds of touchpoint a reason names."""


class Reason(Struct, frozen=True, gc=False):
    """What one family of touchpoints adds to the log-odds, and in words."""

    family: str
    contribution: float
    text: str


class Reasons:
    """Puts the parts of scores into words, for one layout and the families of one model."""

    def __init__(self, layout: Layout, families: Sequence[str]) -> None:
        self._families = tuple(families)
        self._facts = layout.fact("first"), layout.fact("at")
        self._last = slice(layout.last, layout.facts)
        month = _MONTH * layout.per_window
        self._kinds = tuple(
            tuple(
                (month + number, layout.last + number, kind)
                for number, kind in enumerate(layout.registry.kinds)
                if kind.family == family
            )
            for family in self._families
        )

    def explain(
        self, parts: Sequence[int], raw: Sequence[float], words: dict[int, str]
    ) -> list[Reason]:
        """The families that move a score, strongest first; `parts` are millionths of log-odds by family.

        `raw` is the raw row that was scored; `words` keeps what was said of it for other outcomes of the row.
        The contributions and the base add up to the log-odds exactly.
        """
        moving = [(-abs(part), number) for number, part in enumerate(parts) if part]
        moving.sort()
        told = []
        for _, number in moving:
            text = words.get(number)
            if text is None:
                text = words[number] = self._describe(number, raw)
            told.append(Reason(self._families[number], parts[number] / MILLION, text))
        return told

    def _describe(self, number: int, raw: Sequence[float]) -> str:
        """In words, what a raw row holds of a family."""
        hour = int(raw[-1]) // HOUR
        kinds = self._kinds[number]
        if kinds:
            return _words(kinds, raw, hour)
        first, at = (int(raw[column]) for column in self._facts)
        last = int(max(raw[self._last]))
        return f"seen {_ago(hour, last)}, known for {_many(at // DAY - first // DAY, 'day')}"


def _words(
    kinds: Sequence[tuple[int, int, TouchpointType]], raw: Sequence[float], hour: int
) -> str:
    last, counts = 0.0, []
    for month, seen, kind in kinds:
        if raw[seen]:
            last = max(last, raw[seen])
            if raw[month]:
                counts.append((-raw[month], month, kind))
    if not last:
        return "none in 90 days"
    if not counts:
        return f"none in 30 days, latest {_ago(hour, int(last))}"
    counts.sort()
    named = ", ".join([kind.counted(-count) for count, _, kind in counts[:_NAMED]])
    return f"{named} in 30 days, latest {_ago(hour, int(last))}"


def _many(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _age(hours: int) -> str:
    if hours < 1:
        return "within the hour"
    return (
        f"{_many(hours, 'hour')} ago"
        if hours < DAY // HOUR
        else f"{_many(hours * HOUR // DAY, 'day')} ago"
    )


_AGES: Final = tuple(_age(hours) for hours in AGE_STEPS)


def _ago(hour: int, last: int) -> str:
    return _AGES[age_index(hour, last)]

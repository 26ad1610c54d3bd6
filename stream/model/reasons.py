"""Why a score is what it is: what each family of touchpoints adds to the log-odds, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from stream.features.grid import AGE_STEPS, DAY, HOUR, WINDOWS, age_index
from stream.features.layout import Layout
from stream.model.linear import MILLION

_MONTH: Final = next(number for number, window in enumerate(WINDOWS) if window.name == "30d")
_NAMED: Final = 2
"""How many kinds of touchpoint a reason names."""


class Reasons:
    """Puts the parts of scores into words, for one layout and the families of one model."""

    def __init__(self, layout: Layout, families: Sequence[str]) -> None:
        self._families = tuple(families)
        self._facts = layout.fact("first"), layout.fact("at")
        self._last = slice(layout.last, layout.facts)
        month = _MONTH * layout.per_window
        self._kinds = tuple(
            tuple(
                (month + number, layout.last + number, kind.name.replace("_", " "))
                for number, kind in enumerate(layout.registry.kinds)
                if kind.family == family
            )
            for family in self._families
        )

    def describe(self, raw: Sequence[float]) -> list[str]:
        """In words, per family, what a raw row holds."""
        first, at = (int(raw[column]) for column in self._facts)
        hour = at // HOUR
        ages = f"seen {_ago(hour, int(max(raw[self._last])))}, known for {_many(at // DAY - first // DAY, 'day')}"
        return [_words(kinds, raw, hour) if kinds else ages for kinds in self._kinds]

    def explain(self, parts: Sequence[int], words: Sequence[str]) -> list[dict[str, Any]]:
        """The families that move a score, strongest first; `parts` are millionths of log-odds by family.

        The contributions and the base add up to the log-odds exactly.
        """
        told = [
            (-abs(part), family, part, text)
            for family, part, text in zip(self._families, parts, words, strict=True)
            if part
        ]
        told.sort()
        return [
            {"family": family, "contribution": part / MILLION, "text": text}
            for _, family, part, text in told
        ]


def _words(kinds: Sequence[tuple[int, int, str]], raw: Sequence[float], hour: int) -> str:
    last, counts = 0.0, []
    for month, seen, name in kinds:
        if raw[seen]:
            last = max(last, raw[seen])
            if raw[month]:
                counts.append((-raw[month], name))
    if not last:
        return "none in 90 days"
    if not counts:
        return f"none in 30 days, latest {_ago(hour, int(last))}"
    counts.sort()
    named = ", ".join([f"{-count:.0f} {name}" for count, name in counts[:_NAMED]])
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

"""Why a score is what it is: what each family of touchpoints adds to the log-odds, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import expm1
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.types import TouchpointType
from stream.features.grid import AGE_STEPS, DAY, HOUR, WINDOWS, age_index
from stream.features.vector import Vectorizer
from stream.model.linear import MILLION

_MONTH: Final = next(number for number, window in enumerate(WINDOWS) if window.name == "30d")
COMBINED: Final = "combined"
"""In place of a family: what the families that are told leave over."""
MOST_EACH_WAY: Final = 3
"""So many families are told that raise a score, and so many that lower it: who reads a dozen reasons reads none."""
_TOGETHER: Final = "all smaller reasons, and what all do together"
_NAMED: Final = 2
"""How many kinds of touchpoint a reason names."""


class Reason(Struct, frozen=True, gc=False):
    """What one family of touchpoints adds to the log-odds, and in words."""

    family: str
    contribution: float
    text: str


class Reasons:
    """Puts the parts of scores into words, for the families of one model."""

    def __init__(
        self,
        vectorizer: Vectorizer,
        families: Sequence[str],
        means: Sequence[NDArray[np.float64]] = (),
    ) -> None:
        """`means` (features), per outcome: what is usual; none, or all 0, where nothing was learned."""
        layout = vectorizer.layout
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
        self._usual: dict[int, dict[int, float]] = {}
        """By outcome, by column of the raw row: how many touchpoints of a type are usual in 30 days."""
        for place, mean in enumerate(means):
            if mean.any():
                self._usual[place] = {
                    month + number: expm1(float(mean[column]) * feature.scale)
                    for number, kind in enumerate(layout.registry.kinds)
                    for column in [vectorizer.column[f"{kind.name}_{WINDOWS[_MONTH].name}"]]
                    for feature in [vectorizer.features[column]]
                }
        nothing = [0.0] * layout.width
        self._never: dict[int | None, list[str]] = {
            place: [_words(kinds, nothing, 0, usual) for kinds in self._kinds]
            for place, usual in [(None, None), *self._usual.items()]
        }
        """By outcome, by family: what is said of a customer who has done nothing of it. That is most often so."""

    def explain(
        self,
        parts: Sequence[int],
        raw: Sequence[float],
        words: dict[int, str],
        place: int = 0,
        total: int | None = None,
    ) -> list[Reason]:
        """The families that move a score most up and down, strongest first; `parts` are millionths by family.

        `raw` is the raw row that was scored; `words` keeps what was said of it for other outcomes of the row.
        `total` is what all have to add up to: what those told leave over, the smaller families and what all
        do together, is a reason of its own, *combined*. So the contributions and the base add up to the
        log-odds exactly.
        """
        whole = sum(parts)
        left = 0 if total is None else total - whole
        moving = _strongest(parts)
        rounding = left if moving and abs(left) <= len(parts) else 0
        left += whole - rounding - sum([parts[number] for number in moving])
        usual = self._usual.get(place)
        told: list[Reason] = []
        for number in moving:
            key = number if usual is None else number + len(parts) * (place + 1)
            text = words.get(key)
            if text is None:
                text = words[key] = self._describe(number, raw, usual, place)
            part = parts[number] + (0 if told else rounding)
            told.append(Reason(self._families[number], part / MILLION, text))
        if left:
            told.append(Reason(COMBINED, left / MILLION, _TOGETHER))
        return told

    def _describe(
        self, number: int, raw: Sequence[float], usual: Mapping[int, float] | None, place: int
    ) -> str:
        """In words, what a raw row holds of a family."""
        kinds = self._kinds[number]
        if kinds:
            for _, seen, _ in kinds:
                if raw[seen]:
                    return _words(kinds, raw, int(raw[-1]) // HOUR, usual)
            return self._never[None if usual is None else place][number]
        hour = int(raw[-1]) // HOUR
        first, at = (int(raw[column]) for column in self._facts)
        last = int(max(raw[self._last]))
        return f"seen {_ago(hour, last)}, known for {_many(at // DAY - first // DAY, 'day')}"


def _strongest(parts: Sequence[int]) -> list[int]:
    """The numbers of the families to be told, strongest first."""
    up = sorted([(-part, number) for number, part in enumerate(parts) if part > 0])
    down = sorted([(part, number) for number, part in enumerate(parts) if part < 0])
    return [number for _, number in sorted(up[:MOST_EACH_WAY] + down[:MOST_EACH_WAY])]


def _words(
    kinds: Sequence[tuple[int, int, TouchpointType]],
    raw: Sequence[float],
    hour: int,
    usual: Mapping[int, float] | None,
) -> str:
    last, counts = 0.0, []
    for month, seen, kind in kinds:
        if raw[seen]:
            last = max(last, raw[seen])
            if raw[month]:
                counts.append((-raw[month], month, kind))
    counts.sort()
    named = counts[:_NAMED]
    often = ""
    if usual is not None:
        columns = [month for _, month, _ in named] or [month for month, _, _ in kinds]
        often = f", usually {sum(usual[column] for column in columns):.1f}"
    if not last:
        return f"none in 90 days{often and f'{often} in 30'}"
    if not counts:
        return f"none in 30 days{often}, latest {_ago(hour, int(last))}"
    text = ", ".join([kind.counted(-count) for count, _, kind in named])
    return f"{text} in 30 days{often}, latest {_ago(hour, int(last))}"


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

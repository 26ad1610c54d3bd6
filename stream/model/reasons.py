"""Why a score is what it is: what each family of touchpoints adds to the log-odds, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream.features.grid import AGE_STEPS, DAY, HOUR, WINDOWS, age_index
from stream.features.layout import Layout
from stream.model.linear import MILLION

_NAMED = 2
_MONTH = next(number for number, window in enumerate(WINDOWS) if window.name == "30d")


class Reasons:
    """Puts the parts of a score into words, for one layout of features."""

    def __init__(self, layout: Layout, families: Sequence[str]) -> None:
        self._layout = layout
        self._families = tuple(families)
        kinds = layout.registry.kinds
        self._kinds = tuple(
            tuple((number, kind.name.replace("_", " ")) for number, kind in enumerate(kinds) if kind.family == name)
            for name in families
        )

    def explain(self, parts: Sequence[int], raw: Sequence[float]) -> list[dict[str, Any]]:
        """The families that moved the score, strongest first.

        `parts` are millionths of log-odds by family, `raw` the raw row that was scored. The contributions
        and the base add up to the log-odds exactly.
        """
        told = [
            {"family": family, "contribution": part / MILLION, "text": self._words(number, raw)}
            for number, (family, part) in enumerate(zip(self._families, parts, strict=True))
            if part
        ]
        told.sort(key=_strongest)
        return told

    def _words(self, family: int, raw: Sequence[float]) -> str:
        layout = self._layout
        at = int(raw[layout.fact("at")])
        hour = at // HOUR
        kinds = self._kinds[family]
        if not kinds:
            first = int(raw[layout.fact("first")])
            last = int(max(raw[layout.last : layout.facts]))
            return f"seen {_ago(hour, last)}, known for {_many((at // DAY) - first // DAY, 'day')}"
        counts = sorted(((raw[_MONTH * layout.per_window + kind], name) for kind, name in kinds), reverse=True)
        named = [f"{count:.0f} {name}" for count, name in counts[:_NAMED] if count]
        last = int(max(raw[layout.last + kind] for kind, _ in kinds))
        if not named:
            return f"none in 30 days, latest {_ago(hour, last)}" if last else "none in 90 days"
        return f"{', '.join(named)} in 30 days, latest {_ago(hour, last)}"


def _strongest(reason: dict[str, Any]) -> tuple[float, str]:
    return -abs(reason["contribution"]), reason["family"]


def _ago(hour: int, last: int) -> str:
    age = AGE_STEPS[age_index(hour, last)]
    if age < 1:
        return "within the hour"
    return f"{_many(age, 'hour')} ago" if age < 24 else f"{_many(age // 24, 'day')} ago"  # noqa: PLR2004


def _many(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"

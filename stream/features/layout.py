"""The raw row: every number the features are made of, in one line of float64.

counts    per window: one column per type, then one per stage
values    per window: one column per stage, in hundredths of the currency
last      per type: the hour (of the customer's grid) of the latest touchpoint, 0 = never
facts     see FACTS; times in local seconds, 0 = never; `came` in days
"""

from __future__ import annotations

from schemas.types import STAGES, TypeRegistry
from stream.features.grid import WINDOWS

FACTS = ("first", "purchases", "first_purchase", "last_purchase", "came", "at")
"""The order counts: all but the last are kept as they change, `at` is the last column of a row.

`came`: how many days old the log was when the customer's first touchpoint arrived, up to MOST_CAME.
"""
MOST_CAME = 90


class Layout:
    """Where what stands in the raw row of a deployment with these touchpoint types."""

    __slots__ = (
        "buys", "columns", "facts", "last", "per_window", "registry", "types", "values", "width",
    )  # fmt: skip

    def __init__(self, registry: TypeRegistry) -> None:
        self.registry = registry
        self.types = len(registry.kinds)
        self.per_window = self.types + len(STAGES)
        self.values = len(WINDOWS) * self.per_window
        self.last = self.values + len(WINDOWS) * len(STAGES)
        self.facts = self.last + self.types
        self.width = self.facts + len(FACTS)
        bought = (kind.family == "purchases" for kind in registry.kinds)
        self.buys = frozenset(index for index, buys in enumerate(bought) if buys)
        """Numbers of the types that are purchases: the gaps between these are features."""
        self.columns = tuple(
            tuple(self._columns(code >> 2, code & 3, window) for window in range(len(WINDOWS)))
            for code in range(4 * self.types)
        )
        """By type << 2 | stage, by window: the columns of the type's count, the stage's count and value."""

    def _columns(self, kind: int, stage: int, window: int) -> tuple[int, int, int]:
        counts = window * self.per_window
        return (
            counts + kind,
            counts + self.types + stage,
            self.values + window * len(STAGES) + stage,
        )

    def fact(self, name: str) -> int:
        """The column of one fact."""
        return self.facts + FACTS.index(name)

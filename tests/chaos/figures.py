"""What a run showed, fault by fault and kind by kind."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.compare import output_ids
from tests.chaos.faults import Hurt
from tests.chaos.undisturbed import Records
from tests.chaos.watch import OUTPUTS, Ends


@dataclass
class Window:
    """From one fault to the next, by the monotonic clock."""

    kind: str
    begin: float
    ends: Ends | None
    """Where output topics ended when it began; None where the broker could not be asked."""
    hurt: Hurt | None = None
    end: float = 0.0
    settled: bool = False
    any_after: float | None = None
    """From back to the first progress of any partition, in seconds."""
    progress_after: float | None = None
    """The same until every partition has moved on; where an owner was lost, each of its own."""
    rest: float = 0.0
    """The longest time without progress."""
    live: bool = False
    repeats: dict[str, int] = field(default_factory=dict)
    """Repeated outputs by topic."""
    repeated: list[tuple[int, int | None, str]] = field(default_factory=list)
    """Each of them: partition and offset of the touchpoint that caused it (None: time did), topic and id."""
    bursts: list[dict[str, int]] = field(default_factory=list)
    """Repeats by partition of touchpoints: how many, from how many records, how often the same at the most."""

    def told(self, began: float) -> dict[str, Any]:
        """For the JSON."""
        return {
            "kind": self.kind,
            "live": self.live,
            "at_s": round(self.begin - began, 3),
            "back_s": round(self.hurt.back - began, 3) if self.hurt else None,
            "end_s": round(self.end - began, 3),
            "settled": self.settled,
            "any_after_s": self.any_after,
            "progress_after_s": self.progress_after,
            "longest_rest_s": self.rest,
            "repeats": self.repeats,
            "bursts": self.bursts,
            "notes": self.hurt.notes if self.hurt else {},
        }


def count_repeats(windows: Sequence[Window], topics: Mapping[str, Records]) -> int:
    """Give every repeated output to the window it was published in; how many there were at all."""
    total = 0
    for kind in OUTPUTS:
        for number, records in topics[kind].items():
            known = [window for window in windows if window.ends is not None]
            begins = [(window.ends or {})[kind, number] for window in known]
            seen: set[str] = set()
            for name, record in zip(output_ids(records), records, strict=True):
                if name not in seen:
                    seen.add(name)
                    continue
                total += 1
                place = bisect_right(begins, record.offset) - 1
                if place >= 0:
                    _repeat(known[place], kind, name, record.value or b"")
    for window in windows:
        window.bursts = _bursts(window)
    return total


def _repeat(window: Window, kind: str, name: str, value: bytes) -> None:
    window.repeats[kind] = window.repeats.get(kind, 0) + 1
    data = json.loads(value)["data"]
    place = data.get("position") or {"partition": data["partition"], "offset": None}
    window.repeated.append((place["partition"], place["offset"], f"{kind} {name}"))


def _bursts(window: Window) -> list[dict[str, int]]:
    by_partition: dict[int, list[tuple[int | None, str]]] = defaultdict(list)
    for partition, offset, name in window.repeated:
        by_partition[partition].append((offset, name))
    found = []
    for partition, those in sorted(by_partition.items()):
        offsets = [offset for offset, _ in those if offset is not None]
        times = max(Counter(name for _, name in those).values())
        records = max(offsets) - min(offsets) + 1 if offsets else 0
        found.append(
            {"partition": partition, "outputs": len(those), "records": records, "times": times}
        )
    return found


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of them does not exceed."""
    if not values:
        return None
    place = min(len(values) - 1, max(0, -(-len(values) * share // 1) - 1))
    return sorted(values)[int(place)]


def by_kind(windows: Sequence[Window]) -> dict[str, dict[str, Any]]:
    """Figures by kind of fault."""
    kinds: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        if window.hurt is not None:
            kinds[window.kind].append(window)
    found = {}
    for kind, those in kinds.items():
        after = [each.progress_after for each in those if each.progress_after is not None]
        first = [each.any_after for each in those if each.any_after is not None]
        repeats = [sum(each.repeats.values()) for each in those]
        found[kind] = {
            "faults": len(those),
            "repeated_outputs": sum(repeats),
            "repeated_most": max(repeats),
            "longest_without_progress_s": max(each.rest for each in those),
            "any_p50_s": quantile(first, 0.5),
            "any_p99_s": quantile(first, 0.99),
            "progress_after_p50_s": quantile(after, 0.5),
            "progress_after_p99_s": quantile(after, 0.99),
            "progress_after_max_s": max(after, default=None),
            "without_progress": len(those) - len(after),
            "unsettled": sum(not each.settled for each in those),
        }
    return found

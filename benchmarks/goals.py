"""What the figures are to be, and whether they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Goal:
    """One figure of the results; `key` is a path into them."""

    title: str
    key: tuple[str, ...]
    bound: float | None
    """None: no goal, told for what it is worth."""
    unit: str
    at_least: bool = False

    def figure(self, results: Mapping[str, Any]) -> float | None:
        """The figure, or None where it was not measured."""
        found: Any = results
        for name in self.key:
            if not isinstance(found, Mapping) or found.get(name) is None:
                return None
            found = found[name]
        return float(found)

    def met(self, figure: float) -> bool | None:
        """Whether the figure is as it is to be; None where there is no goal."""
        if self.bound is None:
            return None
        return figure >= self.bound if self.at_least else figure <= self.bound

    @property
    def wanted(self) -> str:
        """The goal in words."""
        if self.bound is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}{self.unit}"


GOALS: Final = (
    Goal("throughput / textbook Faust", ("ratio_faust",), 12, " x", at_least=True),
    Goal("throughput / textbook Faust, River", ("ratio_faust_learning",), None, " x"),
    Goal("throughput / Quix Streams", ("ratio_quix",), 2, " x", at_least=True),
    Goal("CPU per event", ("cpu_us_per_event",), 35, " µs"),
    Goal("CPU per silence scoring", ("cpu_us_per_silence",), 12, " µs"),
    Goal("event → band change, p50", ("latency_ms", "p50"), 10, " ms"),
    Goal("event → band change, p99", ("latency_ms", "p99"), 30, " ms"),
    Goal("share of a core at 500 events/s", ("latency_core_share",), 0.3, ""),
    Goal("Redis per customer at 50 events", ("redis_bytes_per_customer",), 700, " B"),
    Goal(
        "Redis per customer, examples pending",
        ("redis_bytes_per_customer_learning",),
        1_500,
        " B",
    ),
    Goal("CPU per event, 100,000 / 5,000 customers", ("ratio_100k_customers",), 1.3, " x"),
    Goal("learner, champion alone", ("learner_per_second",), 10_000, " /s", at_least=True),
    Goal(
        "learner, all challengers", ("learner_per_second_challengers",), 800, " /s", at_least=True
    ),
    Goal("a decision, learned / prior", ("ratio_learned",), 1.1, " x"),
    Goal("snapshot → adopted, p50", ("adoption_ms", "p50"), None, " ms"),
    Goal("snapshot → adopted, p99", ("adoption_ms", "p99"), 2_000, " ms"),
    Goal("throughput, exactly / at least once", ("ratio_exactly_once",), 0.8, " x", at_least=True),
    Goal("exactly once, p50", ("latency_ms_exactly_once", "p50"), None, " ms"),
    Goal("exactly once, p99", ("latency_ms_exactly_once", "p99"), 100, " ms"),
    Goal("memory in a flood, end / after a third", ("flood_growth",), 1.1, " x"),
)


def verdicts(results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By figure that was measured: its goal, and whether it was met."""
    found = {}
    for goal in GOALS:
        figure = goal.figure(results)
        if figure is not None:
            found[".".join(goal.key)] = {
                "figure": figure,
                "goal": goal.wanted,
                "met": goal.met(figure),
            }
    return found

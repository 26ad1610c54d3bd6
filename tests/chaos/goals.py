"""What must hold, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from tests.chaos.figures import quantile

_STEP_RECORDS: Final = 1_000
"""The most records of one step, as shipped."""


class Figure(NamedTuple):
    """One line: what, measured, wanted, and whether it is met (None: nothing was measured)."""

    title: str
    measured: str
    wanted: str
    met: bool | None


def _windows(found: Mapping[str, Any], *kinds: str) -> list[dict[str, Any]]:
    return [each for each in found["windows"] if each["kind"].startswith(kinds)]


def _slowest(title: str, windows: Sequence[dict[str, Any]], wanted: float) -> Figure:
    after = sorted(
        each["progress_after_s"] for each in windows if each["progress_after_s"] is not None
    )
    if not after:
        return Figure(title, "-", f"≤ {wanted:g} s", None)
    found = quantile(after, 0.99) or 0.0
    never = len(windows) - len(after)
    told = f"{found:.1f} s, longest {after[-1]:.1f} s" + (f", {never} never" if never else "")
    return Figure(title, told, f"≤ {wanted:g} s", found <= wanted and not never)


def goals(found: Mapping[str, Any]) -> list[Figure]:
    """The figures with a goal."""
    total = found["differences"]["total"]
    figures = [
        Figure(
            "states, models, outputs that differ from the undisturbed run",
            str(total),
            "0",
            not total,
        )
    ]
    kills = _windows(found, "worker-killed")
    if found["settings"]["delivery"] == "exactly_once":
        repeated = found["repeated_outputs"]
        figures.append(Figure("repeated outputs", str(repeated), "0", not repeated))
    elif kills:
        bursts = [burst for each in kills for burst in each["bursts"]]
        mean = sum(burst["outputs"] for burst in bursts) / len(kills)
        most = max((burst["outputs"] for burst in bursts), default=0)
        one = all(b["times"] == 1 and b["records"] <= _STEP_RECORDS for b in bursts)
        told = f"{mean:.1f}, at most {most} of a partition"
        figures.append(
            Figure("repeated outputs per worker kill", told, "one step per partition", one)
        )
    figures += [
        _slowest("worker killed until all its partitions progress, p99", kills, 10),
        _slowest("Kafka or Redis back until progress, p99", _windows(found, "kafka", "redis"), 3),
        _stops(found["stops"]),
    ]
    rebuilds = found.get("rebuilds")
    if rebuilds:
        worst = min(rebuilds["share"])
        figures.append(
            Figure(
                "rebuild from nothing, share of normal throughput",
                f"{worst:.2f}",
                "≥ 0.8",
                worst >= 0.8,
            )
        )
        wrong = rebuilds["differing"] + rebuilds["repeated"]
        figures.append(
            Figure("rebuilds that differ or repeat an output", str(wrong), "0", not wrong)
        )
    return figures


def broken(found: Mapping[str, Any]) -> list[str]:
    """What did not hold of all that no busy machine excuses."""
    timed = ("worker killed until", "Kafka or Redis back", "asked to stop", "rebuild from nothing")
    wrong = [
        f"{each.title}: {each.measured}, wanted {each.wanted}"
        for each in goals(found)
        if each.met is False and not each.title.startswith(timed)
    ]
    wrong += [
        f"{each['name']} ended with status {each['status']} when asked to stop"
        for each in found["stops"]
        if each["up"] and each["status"] != 0
    ]
    # A program that starts while Kafka or Redis is away says so and ends; it is started again.
    wrong += [
        f"{each['name']} ended by itself with status {each['status']}: {' '.join(each['said'][-2:])}"
        for each in found["ended_by_themselves"]
        if not any("expected an answer" in line for line in each["said"])
    ]
    return wrong if found["drained"] else [*wrong, "not all that was sent was taken in"]


def _stops(stops: Sequence[Mapping[str, Any]]) -> Figure:
    longest = max((each["seconds"] for each in stops), default=None)
    title, wanted = "asked to stop until ended, longest", "≤ 5 s, status 0"
    if longest is None:
        return Figure(title, "-", wanted, None)
    # One that has not begun yet answers no signal by itself.
    bad = sum(each["status"] != 0 for each in stops if each["up"])
    told = f"{longest:.1f} s" + (f", {bad} with another status" if bad else "")
    return Figure(title, told, wanted, longest <= 5 and not bad)

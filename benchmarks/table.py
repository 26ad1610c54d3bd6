"""The results as tables on screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.goals import GOALS


def show(console: Console, results: Mapping[str, Any]) -> None:
    """What was measured: figures with their goals, then each contestant."""
    console.print(_figures(results))
    throughput = results.get("throughput")
    if throughput:
        console.print(_contestants(throughput))


def _figures(results: Mapping[str, Any]) -> Table:
    table = Table(title="bandshift, measured", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("")
    for goal in GOALS:
        figure = goal.figure(results)
        if figure is None:
            continue
        word = {True: "[green]met", False: "[red]missed", None: ""}[goal.met(figure)]
        table.add_row(goal.title, f"{figure:.3g}{goal.unit}", goal.wanted, word)
    return table


def _contestants(throughput: Mapping[str, Any]) -> Table:
    table = Table(title="the same log, one core each, medians", title_justify="left")
    table.add_column("contestant")
    for name in ("wall µs/event", "CPU µs/event", "peak memory"):
        table.add_column(name, justify="right")
    for found in throughput["contestants"].values():
        table.add_row(
            found["title"],
            f"{found['wall_us']:.1f}",
            f"{found['cpu_us']:.1f}",
            f"{found['peak_mb']:.0f} MB",
        )
    alone = throughput["arithmetic_alone_cpu_us"]
    table.add_row("[dim]of the peers', arithmetic alone", "", f"[dim]{alone:.1f}", "")
    return table

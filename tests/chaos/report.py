"""What came out, on the terminal, as JSON, as a plot, and in docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.chaos.goals import goals

BEGIN: Final = "<!-- figures: written by `make chaos`; a change here is lost -->"
END: Final = "<!-- end of figures -->"
_HEAD: Final = (
    "fault",
    "times",
    "repeated outputs",
    "most at once",
    "longest without progress",
    "back to progress, p50",
    "p99",
    "every partition, p99",
)
_MOST_MARKED: Final = 40
"""More faults than that are marked by a line without its name."""


def _rows(found: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for kind, each in sorted(found["kinds"].items()):
        times = str(each["faults"])
        if each["unsettled"]:
            times += f" ({each['unsettled']} not settled)"
        rows.append(
            [
                kind,
                times,
                str(each["repeated_outputs"]),
                str(each["repeated_most"]),
                _seconds(each["longest_without_progress_s"]),
                _seconds(each["any_p50_s"]),
                _seconds(each["any_p99_s"]),
                _seconds(each["progress_after_p99_s"]),
            ]
        )
    return rows


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Two tables, and what went wrong."""
    table = Table(title="faults", title_justify="left")
    for number, name in enumerate(_HEAD):
        table.add_column(name, justify="right" if number else "left")
    for row in _rows(found):
        table.add_row(*row)
    console.print(table)
    table = Table(title=_about(found), title_justify="left")
    for name in ("figure", "measured", "goal", ""):
        table.add_column(name)
    for figure in goals(found):
        word = {True: "[green]met", False: "[red]missed", None: ""}[figure.met]
        table.add_row(figure.title, figure.measured, figure.wanted, word)
    console.print(table)
    for each in found["ended_by_themselves"]:
        console.print(
            f"ended by itself: {each['name']}, exit status {each['status']}", *each["said"][-2:]
        )
    for words in found["first_differences"]:
        console.print(f"[red]{words}", markup=True, soft_wrap=True)


def _about(found: Mapping[str, Any]) -> str:
    settings = found["settings"]
    return (
        f"seed {settings['seed']}, {len(found['windows'])} faults in {found['seconds'] / 60:.0f} min, "
        f"{found['counts'].get('in', 0):,} records, {settings['workers']} workers, "
        f"{settings['partitions']} partitions, {settings['delivery']}"
    )


def write(found: Mapping[str, Any], directory: Path) -> None:
    """All raw figures, and the plot of them."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, default=str)
    (directory / "latest.json").write_text(text, encoding="utf-8")
    plot(found, directory / "timeline.png")


def plot(found: Mapping[str, Any], path: Path) -> None:
    """Records a second over time; every fault is marked, from its beginning until all went on."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Rectangle

    seconds, records = zip(*found["throughput"], strict=True)
    windows = found["windows"]
    figure, axes = plt.subplots(
        figsize=(max(12, min(60, len(windows) * 0.7)), 5), layout="constrained"
    )
    axes.step(seconds, records, where="post", linewidth=0.8, color="black")
    axes.set(xlabel="seconds", ylabel="records taken in a second", yscale="symlog")
    axes.axvline(found["live_at_s"], linestyle="--", color="green", label="live")
    shown = plt.get_cmap("tab20")
    kinds = sorted({each["kind"] for each in windows})
    for each in windows:
        color = shown(kinds.index(each["kind"]) % 20)
        end = max(each["back_s"], each["at_s"]) + (each["progress_after_s"] or 0)
        axes.axvspan(each["at_s"], end, alpha=0.35, color=color)
        if len(windows) <= _MOST_MARKED:
            place = (each["at_s"], axes.get_ylim()[1])
            axes.annotate(each["kind"], place, rotation=90, va="top", fontsize=8)
    if len(windows) > _MOST_MARKED:
        patches = [Rectangle((0, 0), 1, 1, color=shown(n % 20)) for n in range(len(kinds))]
        figure.legend(patches, kinds, loc="outside lower center", ncols=8, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write_page(found: Mapping[str, Any], page: Path) -> None:
    """Put the tables between the page's marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{figures(found)}\n\n{END}{after}", encoding="utf-8")


def figures(found: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    words = {True: "met", False: "**missed**", None: ""}
    judged = [[each.title, each.measured, each.wanted, words[each.met]] for each in goals(found)]
    parts = [f"{_about(found)}.".capitalize()]
    parts.append(_markdown(("figure", "measured", "goal", ""), judged))
    parts.append(_markdown(_HEAD, _rows(found)))
    compared = ", ".join(f"{count:,} {what}" for what, count in found["compared"].items() if count)
    parts.append(f"Compared with the undisturbed run: {compared}.")
    return "\n\n".join(parts)


def _markdown(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""Runs schedules of every kind for a while, and tells what went wrong in them and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.support.faults.hunt import by_chance, every_fault, in_turns, two_owners
from tests.support.faults.promises import Result
from tests.support.faults.run import Mutation

_MOST_TOLD: Final = 20
"""Breaches that are printed."""
_ENDINGS: Final = ("failed", "silent", "lost", "late", "twice")


@dataclass
class Tally:
    """What was run, and what came of it."""

    runs: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, found: Result) -> None:
        """One more run."""
        self.runs[kind] += 1
        self.broken[kind] += bool(found.broken)
        self.happened.update(found.notes.happened)


def simulate(minutes: float, seed: int, mutations: Sequence[Mutation], console: Console) -> int:
    """Of each protocol the kinds of schedule in turns. Exit status: 1 where a promise was broken."""
    tally, begin = Tally(), time.monotonic()
    end = begin + minutes * 60
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    sources = in_turns(
        *(
            source
            for each in mutations
            for source in (every_fault(each), two_owners(each), by_chance(seed, each))
        )
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("schedules", total=minutes * 60)
        for kind, found in sources:
            tally.add(kind, found)
            if found.broken and tally.broken.total() <= _MOST_TOLD:
                for line in found.broken:
                    progress.console.print(line, style="red", highlight=False)
            now = time.monotonic()
            told = f"{tally.runs.total():,} schedules, {tally.broken.total():,} broken"
            progress.update(task, completed=now - begin, description=told)
            if now >= end:
                break
    _tell(tally, time.monotonic() - begin, console)
    return 1 if tally.broken.total() else 0


def _tell(tally: Tally, seconds: float, console: Console) -> None:
    runs = Table("schedules", "run", "broken", title="Simulated")
    for kind, number in tally.runs.items():
        runs.add_row(kind, f"{number:,}", f"{tally.broken[kind]:,}")
    total = tally.runs.total()
    runs.add_row("all", f"{total:,}", f"{tally.broken.total():,}", style="bold")
    calls: dict[str, Counter[str]] = {}
    beside = Counter[str]()
    for what, number in tally.happened.items():
        call, _, ending = what.rpartition(" ")
        if ending in _ENDINGS and call:
            calls.setdefault(call, Counter())[ending] += number
        else:
            beside[what] += number
    faults = Table("call", *_ENDINGS, title="Calls that went wrong")
    for call, endings in sorted(calls.items()):
        faults.add_row(call, *(f"{endings[each]:,}" for each in _ENDINGS))
    others = Table("what", "times", title="Besides")
    for what, number in sorted(beside.items()):
        others.add_row(what, f"{number:,}")
    for table in (runs, faults, others):
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
    cpu = total / time.process_time() * 60
    told = f"{total / seconds * 60:,.0f} schedules a minute; {cpu:,.0f} a minute of processor time"
    console.print(told, highlight=False)

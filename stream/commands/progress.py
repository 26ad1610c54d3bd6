"""Progress: a bar with rate and remaining time on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_LINE_SECONDS: Final = 10.0


class Meter:
    """Shows on standard error how far one phase is; `what` says what is counted."""

    def __init__(self, title: str, what: str) -> None:
        self._title, self._what = title, what
        self._began = self._told = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("{task.fields[told]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(elapsed_when_finished=False),
                console=Console(stderr=True, highlight=False),
                transient=True,
            )
            self._task = self._bar.add_task(title, total=None, told="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            click.echo(text, err=True)

    def show(self, count: int, fraction: float | None) -> None:
        """So many are done, which is this share of all (None: unknown)."""
        told = f"{count:,} {self._what}, {count / max(self.seconds, 1e-9):,.0f}/s"
        if self._bar is not None:
            total = None if fraction is None else 1.0
            self._bar.update(self._task, completed=fraction or 0.0, total=total, told=told)
        elif time.monotonic() - self._told >= _LINE_SECONDS:
            self._told = time.monotonic()
            share = "" if fraction is None else f" ({fraction:.0%})"
            click.echo(f"{self._title}: {told}{share}", err=True)

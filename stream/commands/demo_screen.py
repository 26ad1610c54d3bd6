"""The demo's screen: what happened scrolls by, how far it is stays at the bottom; plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_MOST_WIDE: Final = 100
_LINE_SECONDS: Final = 5.0


class Screen:
    """Shows the run on standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=False)
        self.moves = self.console.is_terminal and not self.console.is_dumb_terminal
        """Whether a status can stand at the bottom."""
        self._live: Live | None = None
        self._lock = Lock()
        self._told = float("-inf")

    @property
    def width(self) -> int:
        """Columns in use."""
        return min(self.console.width, _MOST_WIDE) if self.moves else _MOST_WIDE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    # -- what scrolls

    def title(self, text: str, more: str = "") -> None:
        """What follows, and a word on it."""
        self.line(Text.assemble((text, "bold"), (f"  {more}" if more else "", "bright_black")))
        self.line()

    def line(self, text: Text | str = "") -> None:
        """One line; cut where the terminal is narrower."""
        if self.moves:
            self.console.print(text, no_wrap=True, overflow="ellipsis", crop=True)
        else:
            self.console.print(text, soft_wrap=True)

    def part(self, number: int, title: str, text: str) -> None:
        """The beginning of a part."""
        self.line()
        self.line(Text.assemble((f"{number}  {title}", "bold")))
        self.paragraph(text)
        self.line()

    def paragraph(self, text: str) -> None:
        """A few sentences, wrapped to the screen's width."""
        for line in Text(text).wrap(self.console, self.width - 2):
            line.rstrip()
            self.line(Text("  ").append_text(line))

    def fact(self, name: str, text: str) -> None:
        """One thing to know."""
        self.line(Text.assemble("  ", (name.ljust(9), "bright_black"), text))

    def table(self, table: Table) -> None:
        """A table."""
        self.console.print(table, width=self.width)

    # -- what stays

    def preparing(self, done: int, total: int, what: str, /) -> None:
        """How far something is that is done once per machine."""
        with self._lock:
            self.status(done / total, what, [], "")

    def status(self, share: float | None, beside: str, facts: Sequence[str], address: str) -> None:
        """How far it is: a bar with what stands beside it, lines below, and where the page is.

        Where nothing can stand still, a line now and then.
        """
        if self.moves:
            last = [f"{address}   Ctrl-C ends"] if address else []
            self._show(self._status(share, beside, [*facts, *last]))
        elif time.monotonic() - self._told >= _LINE_SECONDS:
            self._told = time.monotonic()
            told = [f"{share:.0%}"] if share is not None else []
            self.line("  " + "; ".join([*told, *filter(None, [beside, *facts])]))

    def _status(self, share: float | None, beside: str, facts: Sequence[str]) -> RenderableType:
        lines: list[RenderableType] = [Text()]
        if share is not None:
            text = f"{share:5.0%}  {beside}"
            bar = Table.grid()
            bar.add_row("  ", _bar(share, max(10, self.width - 2 - len(text))), text)
            lines.append(bar)
        lines += [Text("  " + fact, no_wrap=True, overflow="ellipsis") for fact in facts]
        return Group(*lines)

    def _show(self, status: RenderableType) -> None:
        if self._live is None:
            # Drawn when told to only: a thread that draws by itself would be seen in the latencies.
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(status, refresh=True)

    def doing(self, text: str) -> None:
        """What is waited for; told where it can be taken away again."""
        if self.moves:
            self.status(None, "", [text], "")

    def clear(self) -> None:
        """Take the status away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._told = float("-inf")


def _bar(share: float, width: int) -> ProgressBar:
    plain = "bright_black"
    return ProgressBar(1.0, share, width, style=plain, complete_style="cyan", finished_style="cyan")

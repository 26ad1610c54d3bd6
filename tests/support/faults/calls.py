"""Calls of faulty twins: each waits until a schedule lets it go, and says how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeVar

from stream.errors import BandshiftError

_T = TypeVar("_T")
Effect = Callable[[], Awaitable[object]]
TURN: Final = "turn"
"""What a worker asks for before it goes on; nothing can go wrong with it."""


@dataclass
class Notes:
    """What happened during a run."""

    broken: list[str] = field(default_factory=list)
    """Promises broken on the way: the promise's name, a colon, and how."""
    happened: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    """What happened, one line each, for whoever looks at a run."""

    def tell(self, what: str) -> None:
        """Count something that happened by itself, and write it down."""
        self.happened[what] += 1
        self.story.append(f"-- {what} --")


class Fate(Enum):
    """How a call ends."""

    ANSWERED = auto()
    FAILED = auto()
    """Without an effect."""
    SILENT = auto()
    """With its whole effect, but without a reply."""
    LOST = auto()
    """With its effect, but without a reply; of what was to be published, only a part arrives."""
    LATE = auto()
    """Without a reply; the effect may still come, whenever the schedule wants."""
    TWICE = auto()
    """A client that heard nothing has sent it again: it takes effect twice, and the second reply counts."""


BAD: Final = tuple(fate for fate in Fate if fate is not Fate.ANSWERED)


@dataclass(eq=False)
class Call:
    """A call that waits for its fate."""

    who: str
    what: str
    fate: asyncio.Future[Fate]


class Calls:
    """The calls of all workers that are under way."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.waiting: list[Call] = []
        self.late: list[Effect] = []
        """Effects of calls whose callers do not wait any more."""

    async def ask(
        self,
        who: str,
        what: str,
        effect: Callable[[], Awaitable[_T]],
        error: type[BandshiftError],
        later: Effect | None = None,
        lost: Effect | None = None,
    ) -> _T:
        """Wait for the fate of a call, and meet it.

        `later` is what may come of it after its caller gave up, `lost` what is left where only a part arrived.
        """
        call = Call(who, what, asyncio.get_running_loop().create_future())
        self.waiting.append(call)
        try:
            fate = await call.fate
        finally:
            self.waiting.remove(call)
            if call.fate.cancelled() and what != TURN:
                self.notes.story.append(f"{who}: {what} (gives up)")
                self.late += [later] if later is not None else []
        if fate is Fate.ANSWERED:
            if what != TURN:
                self.notes.story.append(f"{who}: {what}")
            return await effect()
        self.notes.happened[f"{what} {fate.name.lower()}"] += 1
        self.notes.story.append(f"{who}: {what} ({fate.name.lower()})")
        if fate is Fate.TWICE:
            await effect()
            return await effect()
        if fate is Fate.SILENT:
            await effect()
        elif fate is Fate.LOST:
            await (lost or later or effect)()
        elif fate is Fate.LATE and later is not None:
            self.late.append(later)
        raise error(f"{what}: no reply")

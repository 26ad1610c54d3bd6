"""Calls of faulty twins: each waits until a schedule lets it go, and says how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from stream.errors import BandshiftError

_T = TypeVar("_T")
Effect = Callable[[], Awaitable[object]]


@dataclass
class Notes:
    """What happened during a run."""

    broken: list[str] = field(default_factory=list)
    """Promises broken on the way: the promise's name, a colon, and how."""
    happened: Counter[str] = field(default_factory=Counter)


class Fate(Enum):
    """How a call ends."""

    ANSWERED = auto()
    FAILED = auto()
    """Without an effect."""
    LOST = auto()
    """With its effect, but without a reply; of what was to be published, only a part arrives."""
    LATE = auto()
    """Without a reply; the effect may still come, whenever the schedule wants."""


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
    ) -> _T:
        """Wait for the fate of a call, and meet it. `later` is what may come of it after its caller gave up."""
        call = Call(who, what, asyncio.get_running_loop().create_future())
        self.waiting.append(call)
        try:
            fate = await call.fate
        finally:
            self.waiting.remove(call)
            if call.fate.cancelled() and later is not None:
                self.late.append(later)
        if fate is Fate.ANSWERED:
            return await effect()
        self.notes.happened[f"{what} {fate.name.lower()}"] += 1
        if fate is Fate.LOST:
            await (later or effect)()
        elif fate is Fate.LATE and later is not None:
            self.late.append(later)
        raise error(f"{what}: no reply")

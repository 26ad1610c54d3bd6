"""An event loop for runs in which nothing ever comes from outside."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from functools import cache
from selectors import BaseSelector, SelectorKey, SelectSelector
from typing import TypeVar

_T = TypeVar("_T")


class _Deaf(SelectSelector):
    """Asks the system for nothing: that would cost a fifth of a short run."""

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        del timeout
        return []


def _make() -> asyncio.AbstractEventLoop:
    selector: BaseSelector = _Deaf()
    loop = asyncio.SelectorEventLoop(selector)
    # A killed worker's publishing fails with nobody left to hear of it: no news in such a run.
    loop.set_exception_handler(lambda *_: None)
    return loop


@cache
def _runner() -> asyncio.Runner:
    runner = asyncio.Runner(loop_factory=_make)
    atexit.register(runner.close)
    return runner


def run(work: Coroutine[object, object, _T]) -> _T:
    """What the work returns; one loop serves all runs of a process."""
    return _runner().run(work)

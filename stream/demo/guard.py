"""Work that is given up as soon as something it rests on has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

_LOOK_SECONDS: Final = 1.0
_LEAVE_SECONDS: Final = 2.0

Result = TypeVar("Result")


async def guarded(work: Coroutine[Any, Any, Result], check: Callable[[], None]) -> Result:
    """The result of `work`; what `check`, called once a second, raises ends it."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            check()
        return await task
    finally:
        # Once is not enough: a Kafka client that has lost its broker waits for it while it is being closed.
        for _ in range(3):
            task.cancel()
            await asyncio.wait({task}, timeout=_LEAVE_SECONDS)

"""Blocking work beside the event loop, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


async def aside(work: Callable[[], Result]) -> Result:
    """The result of `work`, done in a daemon thread.

    A thread of asyncio's own executor is waited for when the process ends: a read from a pipe that stays
    silent would keep it, whatever Ctrl-C says.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def answer(found: Result | None, error: BaseException | None) -> None:
        if done.done():
            return  # the waiting was cancelled
        if error is None:
            done.set_result(found)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        found: Result | None = None
        failed: BaseException | None = None
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001 -- raised again where it is awaited
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(answer, found, failed)

    Thread(target=run, daemon=True).start()
    return await done

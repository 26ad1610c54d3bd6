"""How a run hears Ctrl-C and SIGTERM: at first as an interrupt, at work as a request, in the end not at all."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as Ctrl-C does: so everything is let go of in order."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def asking(ask: Callable[[], None]) -> Iterator[None]:
    """The first signal calls `ask`, another one interrupts. Within `interruptible`, in an event loop."""
    loop = asyncio.get_running_loop()

    def heard() -> None:
        forget()
        ask()

    def forget() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGTERM, _interrupt)

    for number in _SIGNALS:
        loop.add_signal_handler(number, heard)
    try:
        yield
    finally:
        forget()


def ignore() -> None:
    """From here on, within `interruptible`: it ends anyway, and must not stop half-way."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)

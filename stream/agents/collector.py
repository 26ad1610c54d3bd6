"""Python's garbage collector, kept off the hot path.

Left on, it walks the cached states again and again: 2.4 microseconds an event. Nearly everything here is
freed by reference counts alone; what is not is collected between two polls, every ten seconds.
"""

from __future__ import annotations

import gc
from types import TracebackType
from typing import Final, Self

_SECONDS: Final = 10.0
_KEPT_BYTES: Final = 31 << 20


class Collector:
    """Within its context the collector runs only when told to; what survives is not looked at again."""

    def __init__(self) -> None:
        self._last = 0.0
        self._was_on = gc.isenabled()

    def __enter__(self) -> Self:
        gc.disable()
        self._collect()
        _keep_memory()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        gc.unfreeze()
        if self._was_on:
            gc.enable()

    def between_polls(self, now: float) -> None:
        """Collect if it is time; `now` in seconds of any clock."""
        if now - self._last >= _SECONDS:
            self._last = now
            self._collect()

    @staticmethod
    def _collect() -> None:
        gc.collect()
        gc.freeze()


def _keep_memory() -> None:
    """Let the process keep what it frees, instead of asking the system for it again at every step.

    A step's matrices take megabytes, and fetching those page by page cost a learned model half as much again
    as its arithmetic. glibc's limits follow the largest block that was freed, up to 32 MiB (mallopt(3));
    elsewhere this does nothing.
    """
    bytearray(_KEPT_BYTES)

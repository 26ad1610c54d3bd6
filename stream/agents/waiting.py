"""Says that a worker waits for models, and what to do: once, again every minute, and when it goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from stream.broker import learners

_PATIENCE_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 60.0

logger = logging.getLogger("bandshift.worker")


class Arrivals(Protocol):
    """News of models."""

    async def until(self, enough: Callable[[], bool], seconds: float) -> bool:
        """Whether `enough` holds, now or within so many seconds; asked again whenever a model has come."""


class Waiting:
    """Of all partitions of a worker together: they wait for the same models."""

    def __init__(self, namespace: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._advice = learners.ways_out(namespace)
        self._clock = clock
        self._enough: Callable[[], bool] | None = None
        self._since = self._told = 0.0

    def begins(self, enough: Callable[[], bool]) -> None:
        """Someone waits until `enough` holds; it may have waited for it before."""
        if self._enough is None or self._enough():
            self._since, self._told = self._clock(), 0.0
        self._enough = enough

    def goes_on(self) -> None:
        """Someone waits still: time to say so?"""
        now = self._clock()
        waited = now - self._since
        if self._enough is None or waited < _PATIENCE_SECONDS:
            return
        if not self._told or now - self._told >= _AGAIN_SECONDS:
            self._told = now
            logger.warning(
                "waiting for models for %.0f s, to keep step with the learner; if none is at work: %s",
                waited,
                self._advice,
            )

    def news(self) -> None:
        """A model has come, or a wait is over."""
        if self._enough is None or not self._enough():
            return
        if self._told:
            logger.info("models have come after %.0f s; going on", self._clock() - self._since)
        self._enough, self._told = None, 0.0

"""While touchpoints are taken in: says that nothing moves because no learner is at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from stream.broker import client, learners
from stream.broker.lag import Lag
from stream.broker.topics import Topics
from stream.errors import BandshiftError, BrokerError
from stream.settings import Settings

_PATIENCE_SECONDS: Final = 10.0


class Standstill:
    """Watches where the partitions are."""

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        count: Callable[[], Awaitable[int]] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`count` tells how many learners are at work; `now` gives seconds."""
        self._settings, self._say, self._now = settings, say, now
        self._count = count or self._at_work
        self._place: list[tuple[int | None, int]] = []
        self._since = now()
        self._asking: asyncio.Task[None] | None = None
        self.nobody = False
        """Whether nothing moves, and no learner is at work."""

    def look(self, found: Sequence[Lag]) -> None:
        """Where the partitions are now; what there is to say is said a moment later, once per standstill."""
        place = [(lag.position, lag.clock) for lag in found]
        if place != self._place:
            self._place, self._since, self.nobody = place, self._now(), False
            self._asking = None if self._asking is None or self._asking.done() else self._asking
        elif (
            self._asking is None
            and self._settings.learning.enabled
            and any(lag.behind and not lag.live for lag in found)
            and self._now() - self._since >= _PATIENCE_SECONDS
        ):
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        since = self._since
        try:
            at_work = await self._count()
        except BandshiftError:
            return  # who waits hears of it too
        if not at_work and since == self._since:
            self.nobody = True
            advice = learners.ways_out(self._settings.namespace)
            self._say(
                f"nothing has moved for {_PATIENCE_SECONDS:.0f} s, and no learner is at work: {advice}"
            )

    async def _at_work(self) -> int:
        async with client.admin(self._settings.kafka) as admin:
            return await learners.members(admin, Topics(self._settings.namespace))

    def explained(self, error: BrokerError) -> BrokerError:
        """An error of who waited, with the learner that is missing."""
        if not self.nobody:
            return error
        return BrokerError(
            f"{error}; no learner is at work",
            f"{error.hint}; {learners.ways_out(self._settings.namespace)}",
        )

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

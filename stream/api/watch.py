"""Where everything stands, looked at once a second: what readiness, metrics and the live feed tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol

from stream.errors import BandshiftError
from stream.partition.intake import Reader
from stream.partition.ledger import Ledger, Position, decode_ledger
from stream.partition.rebuilding import Pace, Place, Rebuilding, together
from stream.pipeline import SETTINGS, Pipelines
from stream.store.port import Store

EVERY_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 15.0
"""A partition with records to take in that has not moved for so long is stalled."""
_ANSWER_SECONDS: Final = 5.0


_Look = Callable[[], Awaitable[None]]


class Ends(Protocol):
    """What is asked of the broker."""

    async def ends(self) -> Sequence[int]:
        """The end of every partition of touchpoints; BrokerError where there is no answer."""

    async def is_live(self) -> bool:
        """Whether the broker stamps touchpoints; BrokerError where there is no answer."""

    async def begins(self) -> Sequence[int]:
        """The first offset that is left of every partition; BrokerError where there is no answer."""

    async def committed(self) -> Sequence[int | None]:
        """What the workers have committed, by partition; BrokerError where there is no answer."""


class Progress(Protocol):
    """How far the view has come."""

    @property
    def lag(self) -> int:
        """Records that it lacks."""

    @property
    def caught_up(self) -> bool:
        """Whether it has been at the end lately."""

    @property
    def error(self) -> str | None:
        """Why it does not get on, if it does not."""


class Check(NamedTuple):
    """One condition of readiness."""

    name: str
    ok: bool
    detail: str


class Watch:
    """Looks, and remembers. `ledgers` are empty ones until Redis has answered once."""

    def __init__(self, store: Store, ends: Ends, view: Progress, pipelines: Pipelines) -> None:
        partitions = pipelines.partitions
        self.view = view
        self.partitions = partitions
        self.pipeline = pipelines.get("")
        """That of the decisions in force; of this process's own settings until the log has adopted some."""
        self.ledgers: Sequence[Ledger] = [Ledger()] * partitions
        self.live_clock = False
        """Whether the broker stamps touchpoints; until then producers' own times are the clock."""
        self.kafka_error: str | None = "not asked yet"
        self.redis_error: str | None = "not asked yet"
        self._store, self._broker, self._pipelines = store, ends, pipelines
        self._differs = False
        self._positions: list[Position | None] = [None] * partitions
        self._ends: Sequence[int] = [0] * partitions
        self._moved = [0.0] * partitions
        self.committed: Sequence[int | None] = [None] * partitions
        """What the workers have committed, as of the last look; None before the first commit."""
        self._begins: Sequence[int] = [0] * partitions
        self._pace = Pace()
        self.rebuilding: dict[int, Rebuilding] = {}
        """The partitions whose states are computed again from the log, as of the last look."""

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Look once, at both sides at a time."""
        # What was committed before the store is looked at: a worker moves the one after the other.
        before = self.committed
        self.redis_error, self.kafka_error = await asyncio.gather(
            self._try(self._look_at_store), self._try(self._look_at_broker)
        )
        if not self.redis_error:
            self._look_at_rebuilding(before)

    async def _try(self, look: _Look) -> str | None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await look()
        except BandshiftError as error:
            return str(error)
        except TimeoutError:
            return f"expected an answer within {_ANSWER_SECONDS:.0f} seconds, got none"
        return None

    async def _look_at_store(self) -> None:
        standings = await self._store.standings(range(self.partitions))
        now = asyncio.get_running_loop().time()
        for partition, standing in enumerate(standings):
            if standing.position != self._positions[partition] or not self._moved[partition]:
                self._moved[partition] = now
        self._positions = [standing.position for standing in standings]
        self.ledgers = [decode_ledger(standing.ledger) for standing in standings]
        self._look_at_decisions()

    async def _look_at_broker(self) -> None:
        self._ends = await self._broker.ends()
        self.live_clock = await self._broker.is_live()
        self._begins = await self._broker.begins()
        self.committed = await self._broker.committed()

    def _look_at_rebuilding(self, committed: Sequence[int | None]) -> None:
        places = [
            Place(position.offset if position else None, offset, begin)
            for position, offset, begin in zip(
                self._positions, committed, self._begins, strict=True
            )
        ]
        found = self._pace.look(asyncio.get_running_loop().time(), places)
        self.rebuilding = {number: each for each in found for number in each.partitions}

    def _look_at_decisions(self) -> None:
        """Take up what the log has adopted, unless the view's outcomes are others."""
        latest = max(self.ledgers, key=lambda ledger: ledger.versions.get(SETTINGS, 0))
        own = self._pipelines.get("")
        try:
            found = self._pipelines.get(latest.settings)
        except ValueError:  # written by a later release
            self._differs = True
            return
        names = [outcome.name for outcome in found.outcomes]
        same = names == [outcome.name for outcome in own.outcomes]
        self.pipeline = found if same else own
        self._differs = not same or not found.fits(latest)

    def lag(self, partition: int) -> int:
        """Records of touchpoints that a partition has not taken in."""
        position = self._positions[partition]
        return max(0, self._ends[partition] - (position.offset if position else 0))

    @property
    def rebuilt(self) -> Rebuilding | None:
        """All rebuilt partitions together; None where all is as it was."""
        return together(list(self.rebuilding.values()))

    def stalled(self) -> list[int]:
        """Partitions with records to take in that have not moved lately."""
        now = asyncio.get_running_loop().time()
        return [
            partition
            for partition in range(self.partitions)
            if self.lag(partition) and now - self._moved[partition] > PATIENCE_SECONDS
        ]

    def checks(self) -> list[Check]:
        """All conditions of readiness."""
        view, stalled, rebuilt = self.view, self.stalled(), self.rebuilt
        return [
            Check("kafka", self.kafka_error is None, self.kafka_error or "answers"),
            Check("redis", self.redis_error is None, self.redis_error or "answers"),
            Check(
                "view",
                view.caught_up and view.error is None,
                view.error or ("caught up" if view.caught_up else f"{view.lag} records behind"),
            ),
            Check(
                "partitions",
                not stalled,
                f"{stalled}: records wait, and no worker takes them in"
                if stalled
                else "moving or at the end",
            ),
            Check(
                "states",
                rebuilt is None,
                rebuilt.text(self.partitions) if rebuilt else "up to where they were",
            ),
            Check(
                "settings",
                not self._differs,
                "the decisions in force have other outcomes than this API's settings"
                if self._differs
                else "those of the workers",
            ),
        ]

    def clock(self, partition: int) -> int:
        """The log clock of a partition, in ms since 1970."""
        return self.ledgers[partition].clock

    @property
    def reader(self) -> Reader:
        """Reads touchpoints as the decisions in force do."""
        return self.pipeline.reader

    def is_live(self, partition: int) -> bool:
        """Whether the broker's clock rules a partition, and triggers go out."""
        return self.ledgers[partition].live

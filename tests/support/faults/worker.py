"""A worker of one partition, whose every call a schedule decides."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from stream.agents.exactly import ExactlyOnceOwner
from stream.agents.owner import Owner, Parts
from stream.errors import BandshiftError, LogLostError
from tests.support.faults.calls import TURN
from tests.support.faults.habits import Habits
from tests.support.faults.log import FaultyLog
from tests.support.faults.scenario import pipelines
from tests.support.faults.store import FaultyStore
from tests.support.faults.transactions import FaultyTransactions

if TYPE_CHECKING:
    from tests.support.faults.run import Run


class Worker:
    """Works on one partition from one assignment on: the loop of `stream.agents.source`, with one owner."""

    def __init__(self, name: str, partition: int, run: Run, habits: Habits) -> None:
        self.name = name
        self.partition = partition
        self._run = run
        self._habits = habits
        self.store = store = FaultyStore(name, run.kept, run.calls)
        self.log = FaultyLog(name, run.journal, run.calls, run.chance)
        if not run.exactly_once:  # there what lies before C is never sent again, outbox or not
            self.log.outbox = lambda: store.outbox
        parts = Parts(
            pipelines(run.partitions),
            self.store,
            self.log,
            lambda: run.journal.wall,
            cached=habits.cached,
            step_records=habits.step_records,
            steps_at_once=2,
        )
        self.owner = self._owner(parts)
        self.leaving = False
        self._working: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None

    def _owner(self, parts: Parts) -> Owner:
        run, kind = self._run, self._run.mutation.owner
        if not issubclass(kind, ExactlyOnceOwner):
            return kind(self.partition, parts)
        made = FaultyTransactions(self.name, run.journal, run.calls, self.log, run.chance)
        return kind(self.partition, parts, made)

    def serve(self) -> None:
        """Begin to work by itself."""
        self._serving = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        while not self.leaving:
            await self._run.calls.ask(self.name, TURN, _nothing, BandshiftError)
            await self.turn(self._habits.most())
            if self._habits.commits():
                await self.commit()
        if self.owner.ready:
            await self._safely(self.owner.acknowledged())
        await self.commit()
        self._run.left(self)

    async def turn(self, most: int) -> None:
        """Take over, or take in the next records, up to `most`; after a failure it must take over again."""
        hungry = self.owner.ready and not self.owner.busy
        records = self.log.read(self.partition, most) if hungry else ()
        await self._safely(self.owner.work(records))

    async def _safely(self, work: Coroutine[Any, Any, None]) -> None:
        self._working = asyncio.create_task(work)
        try:
            await self._working
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.owner.ready = False  # only the work was cancelled: it took too long
        except Exception as error:  # noqa: BLE001 -- a mutant may fail in any way
            if isinstance(error, LogLostError) or not isinstance(error, BandshiftError):
                self._run.notes.broken.append(f"errors: {self.name} raised {error!r}")
            self.owner.ready = False

    async def commit(self) -> None:
        """Commit what may be committed; whether it worked shows later."""
        offset = self.owner.to_commit()
        if offset is None:
            return
        try:
            await self.log.commit({self.partition: offset})
        except BandshiftError:
            return
        self.owner.committed(offset)

    def time_out(self) -> None:
        """What it is doing took too long."""
        if self._working is not None:
            self._working.cancel()

    def kill(self) -> None:
        """It is gone; what it asked for last may still arrive."""
        if self._serving is not None:
            self._serving.cancel()
        for call in self._run.calls.waiting:
            if call.who == self.name:
                call.fate.cancel()


async def _nothing() -> None:
    return

"""A run by hand, call by call, for what chance would hardly ever find."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any, Final

from tests.support.faults.calls import Call, Fate
from tests.support.faults.habits import Habits, Moody
from tests.support.faults.run import END, SOUND, Mutation, Run
from tests.support.faults.scenario import Feed
from tests.support.faults.worker import Worker

_MOST_SCORINGS: Final = 1_000


class ByHand(Run):
    """One partition whose log is given, and nobody at work."""

    def __init__(self, feed: Feed, mutation: Mutation = SOUND) -> None:
        super().__init__(feed, mutation, Random(0), _MOST_SCORINGS)
        for partition, records in enumerate(feed):
            self.arrive(partition, len(records))

    def habits(self) -> Habits:
        return Moody(self.chance)

    async def lead(
        self, worker: Worker, work: Coroutine[Any, Any, None], to: str = ""
    ) -> asyncio.Task[None]:
        """Let a worker work, up to its first call of that name, which then waits; else until it is done."""
        task = asyncio.create_task(work)
        await self.lead_on(worker, task, to)
        return task

    async def lead_on(self, worker: Worker, task: asyncio.Task[None], to: str = "") -> None:
        """Let it go on, in the same way."""
        while not task.done():
            await self.settle()
            for call in self._of(worker):
                if call.what == to:
                    return
                call.fate.set_result(Fate.ANSWERED)
        task.result()

    async def answer(self, worker: Worker, what: str, fate: Fate = Fate.ANSWERED) -> None:
        """Answer one call of a worker that waits, and no other."""
        (call,) = [call for call in self._of(worker) if call.what == what]
        call.fate.set_result(fate)
        await self.settle()

    def _of(self, worker: Worker) -> list[Call]:
        return [call for call in self.open() if call.who == worker.name]

    async def finish(self, worker: Worker) -> None:
        """Let a worker get to the end of the log, whatever it takes, and commit."""
        for _ in range(END):
            if self.at_the_end():
                return
            await self.lead(worker, worker.turn(1))
            if worker.owner.ready:
                await self.lead(worker, worker.owner.acknowledged())
            await self.lead(worker, worker.commit())
        self.never_ends()

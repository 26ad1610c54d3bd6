"""A seeded schedule: which call goes on next and how it ends, who crashes, who takes over.

Nothing runs by itself: every worker stands still at a call of its own until the schedule lets it go. So a
seed always gives the same run, and a run can also be led by hand, call by call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from unittest.mock import patch

from stream.agents.owner import Owner
from stream.errors import BandshiftError
from stream.partition import step
from stream.partition.control import Signer
from stream.partition.ledger import Position
from stream.partition.outputs import TOUCHPOINTS
from tests.support.faults.calls import Call, Calls, Effect, Fate, Notes
from tests.support.faults.log import Journal
from tests.support.faults.scenario import scenario
from tests.support.faults.store import Kept
from tests.support.faults.worker import TURN, Worker
from tests.support.world import KEY, START

_MOST_SCORINGS: Final = 9
"""Of a step, instead of a thousand: so that many a step ends amid the due scorings of a record."""
_FAULTY: Final = 500
_CALM: Final = 300
_END: Final = 5_000
"""Calls with faults; calls without, at the least; calls until the end, at the most."""
_LOOPS: Final = 3
"""Rounds of the event loop in which a task that was let go gets to its next call, mostly."""
_WRITES: Final = frozenset(("apply", "publish"))


@dataclass(frozen=True)
class Mutation:
    """The protocol, or one with a safeguard left out."""

    owner: type[Owner] = Owner
    kept: type[Kept] = Kept


SOUND: Final = Mutation()


class Schedule:
    """One run: the shared twins, the workers, and chance."""

    def __init__(
        self, seed: int, partitions: int = 1, mutation: Mutation = SOUND, records: int = 60
    ) -> None:
        self.seed = seed
        self.partitions = partitions
        self.mutation = mutation
        self.chance = Random(seed)
        self.notes = Notes()
        self.calls = Calls(self.notes)
        self.kept = mutation.kept(self.notes)
        self.journal = Journal(Signer(KEY, TOUCHPOINTS), self.notes)
        self.journal.wall = START
        self.feed = scenario(seed, partitions, records)
        self._faultiness = self.chance.choice((0.3, 1, 2))
        self._workers = 0
        self.current: dict[int, Worker] = {}
        self.former: list[Worker] = []

    # -- who works -----------------------------------------------------------------------------------------

    def appoint(self, partition: int) -> Worker:
        """A new worker becomes the member for the partition."""
        self._workers += 1
        worker = Worker(f"worker {self._workers}", partition, self)
        self.current[partition] = worker
        self.journal.members[partition] = worker.name
        return worker

    def left(self, worker: Worker) -> None:
        """A worker has let go of its partition; somebody else gets it, unless somebody has."""
        if self.current[worker.partition] is worker:
            self.appoint(worker.partition).serve()

    def _take_away(self, partition: int) -> None:
        """Another worker gets the partition, and the present one does not know."""
        self.notes.happened["lost"] += 1
        self.former.append(self.current[partition])
        self.appoint(partition).serve()

    # -- a run by chance -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work on with faults for a while, then to the end without."""
        with patch.object(step, "MOST_SCORINGS", _MOST_SCORINGS):
            for partition in range(self.partitions):
                self.arrive(partition, len(self.feed[partition]) // 2)
                self.appoint(partition).serve()
            for _ in range(_FAULTY):
                await self._settle()
                self._happen()
                await self._go_on(self._faultiness)
            await self._calm()
            await self._stop()

    async def _calm(self) -> None:
        for partition in range(self.partitions):
            self.arrive(partition, len(self.feed[partition]))
            self._take_away(partition)
        claims = {worker.name: worker.store.claims for worker in self.former}
        for number in range(_END):
            await self._settle()
            if number >= _CALM and self._at_the_end():
                break
            await self._go_on(0)
        else:
            self.notes.broken.append("end: it never comes, though there are no more faults")
        self.notes.broken += [
            f"membership: {worker.name} claimed again and again, and was no member any more"
            for worker in self.former
            if worker.store.claims > claims[worker.name] + 1
        ]

    def _at_the_end(self) -> bool:
        """Whether all is applied and committed."""
        for partition in range(self.partitions):
            end = len(self.journal.topics[TOUCHPOINTS, partition])
            if self.journal.offsets.get(partition) != end:
                return False
            if self.kept.partitions[partition].position != Position(end):
                return False
        return not self.calls.late

    async def _stop(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self) -> None:
        for _ in range(_LOOPS):
            await asyncio.sleep(0)

    def arrive(self, partition: int, records: int) -> None:
        """The next records are appended to the log."""
        for _ in range(records):
            record = self.feed[partition].popleft()
            _, timestamp, key, value, headers = record
            self.journal.add(TOUCHPOINTS, partition, key, value, headers, timestamp)
            self.journal.wall = max(self.journal.wall, timestamp / 1000)

    def _happen(self) -> None:
        """Perhaps something happens that no worker asked for."""
        chance, partition = self.chance, self.chance.randrange(self.partitions)
        if self.feed[partition] and chance.random() < 0.08:
            self.arrive(partition, 1)
        if chance.random() < 0.01:
            self.journal.wall += 20_000
        if chance.random() > 0.06 * self._faultiness:
            return
        what, worker = chance.randrange(5), self.current[partition]
        if what == 0:
            self._take_away(partition)
        elif what == 1:
            self.notes.happened["crash"] += 1
            worker.kill()
            self.appoint(partition).serve()
        elif what == 2:
            worker.leaving = True
        elif what == 3:
            self.notes.happened["time-out"] += 1
            worker.time_out()
        elif what == 4:
            self._fall_back(partition)
        while len(self.former) > chance.randrange(1, 4):  # they learn that they are no members
            self.former.pop(0).kill()

    def _fall_back(self, partition: int) -> None:
        """The store falls back, mostly by little, or is emptied."""
        versions = self.kept.versions[partition]
        back = self.chance.choice((1, 3, 10, 100, len(versions) - 1))
        self.notes.happened["fall-back"] += 1
        self.kept.fall_back(partition, versions[max(0, len(versions) - 1 - back)])

    async def _go_on(self, faultiness: float) -> None:
        """One call goes on, or a late effect arrives or never does."""
        chance, late = self.chance, self.calls.late
        if late and chance.random() < 0.1:
            effect = late.pop(chance.randrange(len(late)))
            if chance.random() < 0.7:
                await _arrive(effect)
        waiting = [call for call in self.calls.waiting if not call.fate.done()]
        if waiting:
            call = chance.choice(waiting)
            if self._is_former(call):  # they wait for nothing, and would get most of the turns
                call = chance.choice(waiting)
            call.fate.set_result(self._fate(call, faultiness))

    def _is_former(self, call: Call) -> bool:
        return all(call.who != worker.name for worker in self.current.values())

    def _fate(self, call: Call, faultiness: float) -> Fate:
        often = 0.12 if call.what in _WRITES else 0.03
        if call.what != TURN and self.chance.random() < often * faultiness:
            return self.chance.choice((Fate.FAILED, Fate.LOST, Fate.LATE))
        return Fate.ANSWERED

    # -- a run by hand -------------------------------------------------------------------------------------

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
            await self._settle()
            for call in self._open(worker):
                if call.what == to:
                    return
                call.fate.set_result(Fate.ANSWERED)
        task.result()

    async def answer(self, worker: Worker, what: str, fate: Fate = Fate.ANSWERED) -> None:
        """Answer one call of a worker that waits, and no other."""
        (call,) = [call for call in self._open(worker) if call.what == what]
        call.fate.set_result(fate)
        await self._settle()

    def _open(self, worker: Worker) -> list[Call]:
        waiting = self.calls.waiting
        return [call for call in waiting if call.who == worker.name and not call.fate.done()]

    async def finish(self, worker: Worker) -> None:
        """Let a worker get to the end of the log, whatever it takes, and commit."""
        for _ in range(_END):
            if self._at_the_end():
                return
            await self.lead(worker, worker.turn(1))
            if worker.owner.ready:
                await self.lead(worker, worker.owner.acknowledged())
            await self.lead(worker, worker.commit())
        self.notes.broken.append("end: it never comes, though there are no more faults")


async def _arrive(effect: Effect) -> None:
    """What nobody waits for takes effect, where it is still allowed to."""
    try:
        await effect()
    except BandshiftError:
        return

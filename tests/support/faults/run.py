"""One run: the twins that all workers share, the workers, and what every kind of schedule needs.

Nothing runs by itself: every worker stands still at a call of its own until a schedule lets it go. So a run
can be told call by call, and comes out the same each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Final
from unittest.mock import patch

from stream.agents import exactly
from stream.agents.exactly import ExactlyOnceOwner
from stream.agents.owner import Owner
from stream.errors import BandshiftError
from stream.partition import step
from stream.partition.control import Signer
from stream.partition.ledger import Position
from stream.partition.outputs import TOUCHPOINTS
from tests.support.faults.calls import TURN, Call, Calls, Effect, Fate, Notes
from tests.support.faults.habits import Habits
from tests.support.faults.log import Journal
from tests.support.faults.scenario import Feed
from tests.support.faults.store import Kept
from tests.support.faults.worker import Worker
from tests.support.world import KEY, START

END: Final = 5_000
"""Calls until the end, at the most."""
_FEW: Final = 3
"""Records after which an exactly-once owner waits for its transaction; after more it does not."""


@dataclass(frozen=True)
class Mutation:
    """The protocol, or one with a safeguard left out."""

    owner: type[Owner] = Owner
    kept: type[Kept] = Kept

    @property
    def exactly_once(self) -> bool:
        """Whether outputs and offsets are one transaction per step."""
        return issubclass(self.owner, ExactlyOnceOwner)

    @property
    def sound(self) -> Mutation:
        """The protocol of the same delivery, with all its safeguards."""
        return EXACTLY_ONCE if self.exactly_once else SOUND


SOUND: Final = Mutation()
EXACTLY_ONCE: Final = Mutation(owner=ExactlyOnceOwner)


class Run:
    """The twins, the workers, and time."""

    @property
    def name(self) -> str:
        """What replays it, on the command line."""
        return ""

    def __init__(self, feed: Feed, mutation: Mutation, chance: Random, most_scorings: int) -> None:
        """`most_scorings` of a step, instead of a thousand: so that many a step ends amid due scorings."""
        self.feed = feed
        self.partitions = len(feed)
        self.mutation = mutation
        self.chance = chance
        self._most_scorings = most_scorings
        self.notes = Notes()
        self.calls = Calls(self.notes)
        self.kept = mutation.kept(self.notes)
        self.journal = Journal(Signer(KEY, TOUCHPOINTS), self.notes)
        self.journal.wall = START
        self.workers: dict[str, Worker] = {}
        """All that ever were."""
        self.current: dict[int, Worker] = {}
        self.former: list[Worker] = []

    @property
    def exactly_once(self) -> bool:
        """Whether outputs and offsets are one transaction per step."""
        return self.mutation.exactly_once

    async def run(self) -> None:
        """From the first call to the end of the log."""
        raise NotImplementedError

    @contextmanager
    def short_steps(self) -> Iterator[None]:
        """Meanwhile steps are short."""
        with (
            patch.object(step, "MOST_SCORINGS", self._most_scorings),
            patch.object(exactly, "_FEW", _FEW),
        ):
            yield

    # -- who works -----------------------------------------------------------------------------------------

    def habits(self) -> Habits:
        """Those of the next worker."""
        raise NotImplementedError

    def appoint(self, partition: int) -> Worker:
        """A new worker becomes the member for the partition."""
        name = f"worker {len(self.workers) + 1} of {partition}"
        worker = self.workers[name] = Worker(name, partition, self, self.habits())
        self.current[partition] = worker
        self.journal.members[partition] = worker.name
        return worker

    def left(self, worker: Worker) -> None:
        """A worker has let go of its partition; somebody else gets it, unless somebody has."""
        if self.current[worker.partition] is worker:
            self.notes.tell("left")
            self.appoint(worker.partition).serve()

    def take_away(self, partition: int) -> None:
        """Another worker gets the partition, and the present one does not know."""
        self.notes.tell("taken away")
        self.former.append(self.current[partition])
        self.appoint(partition).serve()

    def crash(self, worker: Worker) -> None:
        """A worker is gone, and another one comes, unless it is there already."""
        self.notes.tell("crash")
        worker.kill()
        if self.current[worker.partition] is worker:
            self.appoint(worker.partition).serve()

    def time_out(self, worker: Worker) -> None:
        """What a worker is doing took too long."""
        self.notes.tell("time-out")
        worker.time_out()

    # -- what happens to log and store ---------------------------------------------------------------------

    def arrive(self, partition: int, records: int) -> None:
        """The next records are appended to the log."""
        for _ in range(records):
            _, timestamp, key, value, headers = self.feed[partition].popleft()
            self.journal.add(TOUCHPOINTS, partition, key, value, headers, timestamp)
            self.journal.wall = max(self.journal.wall, timestamp / 1000)

    def fall_back(self, partition: int, back: int) -> None:
        """The store is again as it was so many writes ago, also if it was lost before."""
        self.notes.tell(
            "emptied" if back >= len(self.kept.versions[partition]) - 1 else "fall-back"
        )
        self.kept.fall_back(partition, back)

    def forget(self, partition: int) -> None:
        """Kafka loses C."""
        self.notes.tell("C gone")
        self.journal.offsets.pop(partition, None)

    # -- going on ------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Let everybody get to their next call."""
        # The loop's own queue: a number of rounds would be too many for most, and too few for some.
        ready: Sized = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        while len(ready):  # noqa: ASYNC110 -- nothing tells when all others stand still
            await asyncio.sleep(0)

    def open(self) -> list[Call]:
        """Calls that wait, the longest waiting first."""
        return [call for call in self.calls.waiting if not call.fate.done()]

    async def stand(self) -> list[Call]:
        """Let everybody get to a call that asks for something; those that wait then."""
        while True:
            await self.settle()
            waiting = self.open()
            turns = [call for call in waiting if call.what == TURN]
            if not turns:
                return waiting
            for call in turns:
                call.fate.set_result(Fate.ANSWERED)

    def at_the_end(self) -> bool:
        """Whether all is applied and committed."""
        for partition in range(self.partitions):
            end = len(self.journal.topics[TOUCHPOINTS, partition])
            if self.feed[partition] or self.journal.offsets.get(partition) != end:
                return False
            if self.kept.partitions[partition].position != Position(end):
                return False
        return not self.calls.late

    def never_ends(self) -> None:
        """It went on for longer than it may."""
        self.notes.broken.append("end: it never comes, though there are no more faults")

    def outlived(self, claims: dict[str, int]) -> None:
        """Former members may claim once more at the most than they had."""
        self.notes.broken += [
            f"membership: {worker.name} claimed again and again, and was no member any more"
            for worker in self.former
            if worker.store.claims > claims.get(worker.name, 0) + 1
        ]

    async def stop(self) -> None:
        """Nobody works any more."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        # In the order in which they began ("Task-12"): a set has another one in every run.
        for task in sorted(tasks, key=lambda task: int(task.get_name().rpartition("-")[2])):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def arrive(effect: Effect) -> None:
    """What nobody waits for takes effect, where it is still allowed to."""
    try:
        await effect()
    except BandshiftError:
        return

"""A run by chance: which call goes on next and how it ends, who crashes, who takes over, all by seed."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.support.faults.calls import BAD, TURN, Call, Fate
from tests.support.faults.habits import Habits, Moody
from tests.support.faults.run import END, SOUND, Mutation, Run, arrive
from tests.support.faults.scenario import scenario

_MOST_SCORINGS: Final = 9
_CALLS_PER_RECORD: Final = 8
"""With faults, before the calm."""
_CALM: Final = 5
"""Calls without faults, per record, at the least."""
_WRITES: Final = frozenset(("apply", "publish", "send"))
_LOGS: Final = 100
"""So many logs of a length: what an undisturbed owner makes of them is found out once."""


class Schedule(Run):
    """Everything that can go wrong, by chance, for a while; then nothing more."""

    def __init__(
        self, seed: int, partitions: int = 1, mutation: Mutation = SOUND, records: int = 60
    ) -> None:
        feed = scenario(seed % _LOGS, partitions, records)
        super().__init__(feed, mutation, Random(seed), _MOST_SCORINGS)
        self._seed = seed
        self._records = records
        self._faultiness = self.chance.choice((0.3, 1, 2))

    @property
    def name(self) -> str:
        return f"--seed {self._seed} --partitions {self.partitions} --records {self._records}"

    def habits(self) -> Habits:
        return Moody(self.chance)

    async def run(self) -> None:
        """Work on with faults for a while, then to the end without."""
        with self.short_steps():
            for partition in range(self.partitions):
                self.arrive(partition, len(self.feed[partition]) // 2)
                self.appoint(partition).serve()
            for _ in range(_CALLS_PER_RECORD * self._records):
                await self.settle()
                self._happen()
                await self._go_on(self._faultiness)
            await self._calm()
            await self.stop()

    async def _calm(self) -> None:
        for partition in range(self.partitions):
            self.arrive(partition, len(self.feed[partition]))
            self.take_away(partition)
        claims = {worker.name: worker.store.claims for worker in self.former}
        for number in range(END):
            await self.settle()
            if number >= _CALM * self._records and self.at_the_end():
                break
            await self._go_on(0)
        else:
            self.never_ends()
        self.outlived(claims)

    def _happen(self) -> None:
        """Perhaps something happens that no worker asked for."""
        chance, partition = self.chance, self.chance.randrange(self.partitions)
        if self.feed[partition] and chance.random() < 0.08:
            self.arrive(partition, 1)
        if chance.random() < 0.01:
            self.journal.wall += 20_000
        if chance.random() > 0.06 * self._faultiness:
            return
        what = chance.randrange(11)
        if what < 2:
            self.take_away(partition)
        elif what < 4:
            self.crash(self.current[partition])
        elif what < 6:
            self.current[partition].leaving = True
        elif what < 8:
            self.time_out(self.current[partition])
        elif what < 10:
            self.fall_back(partition, chance.choice((1, 1, 2, 3, 10, 100, 1 << 30)))
        elif not self.exactly_once:  # without C nobody knows what was published
            self.forget(partition)
        while len(self.former) > chance.randrange(1, 4):  # they learn that they are no members
            self.former.pop(0).kill()

    async def _go_on(self, faultiness: float) -> None:
        """One call goes on, or a late effect arrives or never does."""
        chance, late = self.chance, self.calls.late
        if late and chance.random() < 0.1:
            effect = late.pop(chance.randrange(len(late)))
            if chance.random() < 0.7:
                await arrive(effect)
        waiting = self.open()
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
            return self.chance.choice(BAD)
        return Fate.ANSWERED

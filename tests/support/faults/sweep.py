"""Runs in which nothing is left to chance: at given calls something goes wrong, whatever the call is.

Calls are counted from 1 as the schedule answers them, the longest waiting first. So with the faults left out
a run is always the same, and every fault can be tried at each of its calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Final, NamedTuple

from tests.support.faults.calls import Call, Effect, Fate
from tests.support.faults.habits import Habits, Steady
from tests.support.faults.loop import run
from tests.support.faults.run import END, SOUND, Mutation, Run, arrive
from tests.support.faults.scenario import small
from tests.support.faults.worker import Worker

_MOST_SCORINGS: Final = 3
_AFTER: Final = 12
"""Calls after the end, in which a former member could still claim."""
_LOOKED: Final = 4
"""Of these, calls at which something may still go wrong."""
_STAYS: Final = 6
"""Calls until a former member learns that it is none."""
NEVER: Final = 0


class Fault(NamedTuple):
    """At which call, what, and how much of it: calls until a late effect, or writes that the store loses."""

    at: int
    kind: str
    much: int = 0

    def __str__(self) -> str:
        return f"{self.at}:{self.kind}:{self.much}"


KINDS: Final = (
    *(("crash", late) for late in (NEVER, 1, 4, 9)),
    ("crash-after", 0),
    ("crash-amid", 0),
    *(("time-out", late) for late in (NEVER, 2, 7)),
    ("failed", 0),
    ("silent", 0),
    *(("lost", part) for part in range(3)),
    *(("late", late) for late in (1, 3, 8)),
    ("twice", 0),
    ("taken-away", 0),
    ("leaves", 0),
    *(("fall-back", back) for back in (1, 2, 4, 8)),
    ("emptied", 0),
    ("forgets-C", 0),
)
"""Every way in which a call can go wrong, and all that can happen beside it."""
_FATES: Final = {
    "failed": Fate.FAILED,
    "silent": Fate.SILENT,
    "crash-after": Fate.SILENT,
    "lost": Fate.LOST,
    "crash-amid": Fate.LOST,
    "late": Fate.LATE,
    "twice": Fate.TWICE,
}


class Sweep(Run):
    """The small log, and faults at given calls."""

    def __init__(self, faults: tuple[Fault, ...] = (), mutation: Mutation = SOUND) -> None:
        much = sum(fault.much for fault in faults)
        super().__init__(small(), mutation, Random(much), _MOST_SCORINGS)
        self._faults = {fault.at: fault for fault in faults}
        self.asked: list[str] = []
        """What was asked for, call by call."""
        self._coming: list[tuple[int, Effect]] = []
        self._delay = NEVER
        self._going: list[tuple[int, Worker]] = []
        self._claims: dict[str, int] = {}

    @property
    def name(self) -> str:
        return f"--faults {','.join(map(str, self._faults.values()))}"

    def habits(self) -> Habits:
        return Steady()

    async def run(self) -> None:
        """From the first call to a few after the end."""
        with self.short_steps():
            for partition in range(self.partitions):
                self.arrive(partition, len(self.feed[partition]))
                self.appoint(partition).serve()
            after = 0
            for _ in range(END):
                await self.stand()
                await self._late_ones()
                calls = await self.stand()
                after = after + 1 if self.at_the_end() and not self._coming else 0
                if after > _AFTER:
                    break
                await self._answer(calls[0])
            else:
                self.never_ends()
            self.outlived(self._claims)
            await self.stop()

    async def _late_ones(self) -> None:
        """What is late comes when its time has come; so does word to those who are no members any more."""
        number, late = len(self.asked), self.calls.late
        if self._delay != NEVER:
            self._coming += [(number + self._delay, effect) for effect in late]
        late.clear()
        due = [effect for at, effect in self._coming if at <= number]
        self._coming = [each for each in self._coming if each[0] > number]
        for effect in due:
            self.notes.story.append("-- a late effect --")
            await arrive(effect)
        for at, worker in self._going:
            if at == number and self.current[worker.partition] is worker:
                self.crash(worker)
            elif at == number:
                worker.kill()

    async def _answer(self, call: Call) -> None:
        self.asked.append(f"{call.who}: {call.what}")
        fault = self._faults.get(len(self.asked))
        if fault is None:
            call.fate.set_result(Fate.ANSWERED)
            return
        worker = self.workers[call.who]
        self._delay = fault.much if fault.kind in {"crash", "time-out", "late"} else NEVER
        if fault.kind == "time-out":
            self.time_out(worker)
        elif fault.kind != "crash":
            self._beside(fault, worker)
            call.fate.set_result(_FATES.get(fault.kind, Fate.ANSWERED))
        if fault.kind.startswith("crash"):
            await self.settle()
            self.crash(worker)

    def _beside(self, fault: Fault, worker: Worker) -> None:
        """What no call has caused."""
        partition = worker.partition
        if fault.kind == "taken-away" and self.current[partition] is worker:
            self._claims[worker.name] = worker.store.claims
            self._going.append((len(self.asked) + _STAYS, worker))
            self.take_away(partition)
        elif fault.kind == "leaves":
            worker.leaving = True
        elif fault.kind == "fall-back":
            self.fall_back(partition, fault.much)
        elif fault.kind == "emptied":
            self.fall_back(partition, 1 << 30)
        elif fault.kind == "forgets-C":
            self.forget(partition)  # which shows when somebody takes over
            self._going.append((len(self.asked) + _STAYS, worker))


def kinds(sound: Mutation) -> Sequence[tuple[str, int]]:
    """What can go wrong: where outputs and offsets are one, nobody knows without C what was published."""
    return [each for each in KINDS if not (sound.exactly_once and each[0] == "forgets-C")]


@cache
def calls(sound: Mutation = SOUND) -> tuple[str, ...]:
    """What is asked for when nothing goes wrong, and a little after the end."""
    undisturbed = Sweep((), sound)
    run(undisturbed.run())
    return tuple(undisturbed.asked[: _LOOKED - _AFTER])


def places(sound: Mutation = SOUND) -> Iterator[int]:
    """The calls at which it makes a difference when something goes wrong: of repeated looks, the first two."""
    looks = Counter[str]()
    for number, asked in enumerate(calls(sound), 1):
        who, _, what = asked.partition(": ")
        looks[who] = looks[who] + 1 if what == "hold" else 0
        if looks[who] <= 2:
            yield number


def singles(sound: Mutation = SOUND) -> list[tuple[Fault, ...]]:
    """Every fault at every call, in no order: the first ones of them give a picture of all."""
    found: list[tuple[Fault, ...]] = [
        (Fault(at, kind, much),) for kind, much in kinds(sound) for at in places(sound)
    ]
    Random(0).shuffle(found)
    return found


def several(seed: int, sound: Mutation = SOUND) -> tuple[Fault, ...]:
    """Two or three faults by seed, near each other as a rule: in and soon after a take-over."""
    chance = Random(seed)
    at = 0
    found: list[Fault] = []
    for _ in range(chance.choice((2, 2, 3))):
        at += chance.randint(1, 15 if found else len(calls(sound)))
        found.append(Fault(at, *chance.choice(kinds(sound))))
    return tuple(found)

"""Two owners of one partition at once: every order in which their calls can be answered, up to a depth.

One owner has worked for so many calls when another one is appointed, and does not know. From there on every
choice of whose call is answered next is explored; at most once the store falls back between two calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Final, Protocol

from tests.support.faults.calls import Fate
from tests.support.faults.habits import Habits, Steady
from tests.support.faults.loop import run
from tests.support.faults.orders import FALLS, STORE, Bursts, Choice, Given, Orders, tokens
from tests.support.faults.promises import Result, result_of
from tests.support.faults.run import END, SOUND, Mutation, Run, arrive
from tests.support.faults.scenario import tiny
from tests.support.faults.worker import Worker

_MOST_SCORINGS: Final = 3
_AFTER: Final = 3
"""Calls after the end."""
_STAYS: Final = 12
"""Calls until the former owner learns that it is none."""
_DEEP: Final = 16
_MANY: Final = 1_000
_OF_STORE: Final = frozenset(("claim", "hold", "load", "due", "apply"))


class _Chooser(Protocol):
    def choose(self, number: int, options: Sequence[Choice]) -> int | None: ...


class Duel(Run):
    """One order of calls."""

    def __init__(
        self,
        begin: int,
        depth: int,
        chooser: _Chooser,
        mutation: Mutation = SOUND,
        *,
        falls: bool = True,
        switches: int = _MANY,
    ) -> None:
        """The second owner comes after `begin` calls; `chooser` decides on the next `depth` ones.

        Among the choices are falls of the store, if any, and so many switches from one owner to the other.
        """
        super().__init__(tiny(), mutation, Random(0), _MOST_SCORINGS)
        self._begin = begin
        self._depth = depth
        self._chooser = chooser
        self._may_fall = falls
        self._switches = switches
        self._last = Choice("", "claim")
        self._taken: list[str] = []
        self.repeated = False
        """Whether it turned out to be an order that was tried already, and was given up."""

    @property
    def name(self) -> str:
        return f"--owners {self._begin}:{','.join(self._taken)}"

    def habits(self) -> Habits:
        return Steady()

    async def run(self) -> None:
        """One owner alone, then two in the order chosen, then in turns to the end."""
        with self.short_steps():
            self.arrive(0, len(self.feed[0]))
            self.appoint(0).serve()
            for _ in range(self._begin):
                (await self.stand())[0].fate.set_result(Fate.ANSWERED)
            await self.stand()
            former = self.current[0]
            self.take_away(0)
            claims = former.store.claims
            for number in range(self._depth):
                if not await self._choose(number):
                    self.repeated = True
                    break
            else:
                await self._end(former)
                self.outlived({former.name: claims})
            await self.stop()

    async def _choose(self, number: int) -> bool:
        calls = {Choice(call.who, call.what): call for call in await self.stand()}
        options = [each for each in sorted(calls) if self._switches or each.who == self._last.who]
        if self._may_fall and self._last.what in _OF_STORE:  # later it would make no difference
            options += [Choice(STORE, what) for what in FALLS]
        place = self._chooser.choose(number, options)
        if place is None:
            return False
        self._taken.append(tokens(options)[place])
        chosen = options[place]
        if chosen.who == STORE:
            self._may_fall = False
            self.fall_back(0, FALLS[chosen.what])
        else:
            self._switches -= self._last.who not in {"", chosen.who}
            self._last = chosen
            calls[chosen].fate.set_result(Fate.ANSWERED)
        return True

    async def _end(self, former: Worker) -> None:
        after = 0
        for number in range(END):
            if number == _STAYS:
                former.kill()
            while self.calls.late:
                await arrive(self.calls.late.pop())
            calls = await self.stand()
            after = after + 1 if self.at_the_end() else 0
            if after > _AFTER:
                return
            calls[0].fate.set_result(Fate.ANSWERED)
        self.never_ends()


@cache
def calls(sound: Mutation = SOUND) -> int:
    """How many calls one owner alone needs."""
    alone = Duel(0, 0, Given(()), sound, falls=False)
    run(alone.run())
    return sum(1 for each in alone.notes.story if each.startswith("worker 2"))


def duels(
    begin: int,
    depth: int,
    mutation: Mutation = SOUND,
    *,
    falls: bool = False,
    switches: int | None = None,
) -> Iterator[Result]:
    """All orders from one beginning on; all with so many switches between the owners."""
    orders = Orders(sleeping=switches is None)
    most = _MANY if switches is None else switches
    more = True
    while more:
        duel = Duel(begin, depth, orders, mutation, falls=falls, switches=most)
        found = result_of(duel)
        if not duel.repeated:
            yield found
        more = orders.go_on()


def by_chance(seed: int, mutation: Mutation = SOUND) -> Duel:
    """One long order, by seed."""
    chance = Random(seed)
    return Duel(chance.randrange(calls(mutation.sound)), _DEEP, Bursts(chance), mutation)

"""Orders of calls to try, each once: those that differ only in calls apart from each other count as one.

Depth first with sleep sets: what was tried at a choice need not be tried again behind another choice as long
as nothing came between that it has to do with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

STORE: Final = "store"
"""Does something by itself."""
FALLS: Final = {"falls by 1": 1, "falls by 2": 2, "falls by 4": 4, "is emptied": 1 << 30}
_READS: Final = frozenset(("hold", "load", "due", "committed", "beginning", "end", "confirm"))
_OF_STORE: Final = frozenset(("claim", "hold", "load", "due", "apply"))
_OF_OFFSETS: Final = frozenset(("committed", "commit"))


class Choice(NamedTuple):
    """Whose call is answered next; or what the store does."""

    who: str
    what: str

    def apart(self, other: Choice) -> bool:
        """Whether it makes no difference which of the two comes first."""
        pair, places = {self.what, other.what}, {self._place, other._place}
        if self.who == other.who or "append" in pair:  # what is appended, anybody may read next
            return False
        if pair <= _READS or "beginning" in pair:
            return True
        if STORE in places or "send" in pair:  # a transaction moves topics and offsets
            return len(places) == 2 and STORE in places
        # A commit is judged by what had been published by then; whoever asks for C does not care.
        return len(places) == 2 and "commit" not in pair

    @property
    def _place(self) -> str:
        if self.who == STORE or self.what in _OF_STORE:
            return STORE
        return "offsets" if self.what in _OF_OFFSETS else "topics"


@dataclass
class _Level:
    options: list[Choice]
    asleep: set[Choice]
    now: Choice
    done: set[Choice] = field(default_factory=set)

    def after(self) -> set[Choice]:
        """What sleeps once the present choice was taken."""
        return {each for each in self.asleep | self.done if each.apart(self.now)}


def tokens(options: Sequence[Choice]) -> list[str]:
    """Short names of the choices: the owner's number, with a prime for its second call; "f" and how far for falls."""
    found: list[str] = []
    for who, what in options:
        token = f"f{FALLS[what]}" if who == STORE else who.split()[1]
        while token in found:
            token += "'"
        found.append(token)
    return found


class Orders:
    """Goes through all orders, one a run."""

    def __init__(self, *, sleeping: bool = True) -> None:
        """Without `sleeping` all are tried: for where not every order is allowed."""
        self._sleeping = sleeping
        self._levels: list[_Level] = []

    def choose(self, number: int, options: Sequence[Choice]) -> int | None:
        """Which option is taken as the choice of this number; None where every one was tried elsewhere."""
        if number == len(self._levels):
            above = self._levels[-1:] if self._sleeping else []
            asleep = above[0].after() if above else set[Choice]()
            awake = [each for each in options if each not in asleep]
            if not awake:
                return None
            self._levels.append(_Level(list(options), asleep, awake[0]))
        level = self._levels[number]
        assert level.options == list(options), "a run that is repeated must be the same"
        return level.options.index(level.now)

    def go_on(self) -> bool:
        """To the next order; False where there is none."""
        while self._levels:
            level = self._levels[-1]
            level.done.add(level.now)
            tried = level.done | level.asleep
            awake = [each for each in level.options if each not in tried]
            if awake:
                level.now = awake[0]
                return True
            self._levels.pop()
        return False


class Given:
    """One order, by the tokens of its choices."""

    def __init__(self, chosen: Sequence[str]) -> None:
        self._chosen = chosen

    def choose(self, number: int, options: Sequence[Choice]) -> int | None:
        """Which option is taken as the choice of this number."""
        return tokens(options).index(self._chosen[number])


class Bursts:
    """One order by chance: mostly the same owner goes on, now and then the other, or the store falls back."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._last = ""

    def choose(self, number: int, options: Sequence[Choice]) -> int | None:
        """Which option is taken as the choice of this number."""
        del number
        falls = self._chance.random() < 0.1
        some = [each for each in options if (each.who == STORE) is falls] or options
        same = [each for each in some if each.who == self._last]
        chosen = self._chance.choice(same if same and self._chance.random() < 0.8 else some)
        if chosen.who != STORE:
            self._last = chosen.who
        return options.index(chosen)

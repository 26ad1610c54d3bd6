"""Logs in which everything occurs that a partition's owner can meet, by seed."""

from __future__ import annotations

from collections import deque
from functools import cache, lru_cache
from random import Random
from typing import Final

from schemas.bands import Band
from schemas.decisions import Decisions
from schemas.home import home
from schemas.outcomes import Outcome
from schemas.rules import Rule
from schemas.types import TouchpointType
from stream.broker.memory import MemoryRecord
from stream.partition.control import Kind, Signer
from stream.partition.outputs import TOUCHPOINTS
from stream.pipeline import MODEL, SETTINGS, Pipelines
from tests.support.learned import random_snapshot
from tests.support.world import KEY, START, World, touchpoint

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
_CUSTOMERS: Final = 7
_PAUSES: Final = (0, 1, 60, 3_600, 40_000, 150_000)
_KINDS: Final = ("purchase", "sms", "email_open", "coupon_redeemed", "store_visit")
"""The last one is unknown until it is adopted."""
OUTCOMES: Final = (
    Outcome(name="purchase", horizon_days=7, base_rate=0.05, cuts=(0.02, 0.06, 0.1, 0.15)),
    Outcome(
        name="churn", horizon_days=28, kind="absence", base_rate=0.8, cuts=(0.05, 0.15, 0.35, 0.65)
    ),
)


def _rules(cooldown_hours: float) -> tuple[Rule, ...]:
    """Rules that fire on the way up, on the way down, and on everything that enters a band."""
    return (
        Rule(name="up", outcome="purchase", band=Band.HIGH, direction="up", cooldown_hours=0),
        Rule(name="any", outcome="purchase", band=Band.MODERATE, cooldown_hours=cooldown_hours),
        Rule(
            name="left", outcome="churn", on="leaves", band=Band.LOW, cooldown_hours=cooldown_hours
        ),
    )


FIRST: Final = Decisions(outcomes=OUTCOMES, rules=_rules(96))
SECOND: Final = Decisions(
    types=(TouchpointType(name="store_visit"),), outcomes=OUTCOMES, rules=_rules(24)
)
THIRD: Final = Decisions(
    types=(TouchpointType(name="store_visit"),), outcomes=OUTCOMES, rules=_rules(720)
)


_VERSIONS: Final = 3


@cache
def pipelines(partitions: int) -> Pipelines:
    """What decides, with versions of models to adopt; pure, so that all runs may share it."""
    found = Pipelines(FIRST, Signer(KEY, TOUCHPOINTS), partitions)
    for decisions, first in ((FIRST, 1), (SECOND, 1 + _VERSIONS)):
        vectorizer = found.get(decisions.text).vectorizer
        for version in range(first, first + _VERSIONS):
            for place, outcome in enumerate(OUTCOMES):
                made = random_snapshot(outcome, vectorizer, version, 10 * version + place)
                found.library.add(made)
    return found


Feed = list[deque[MemoryRecord]]
"""Records to come, by partition."""


def scenario(seed: int, partitions: int, records: int) -> Feed:
    """A log of about so many records, of about a month."""
    return [deque(log) for log in _scenario(seed, partitions, records)]


@lru_cache(maxsize=512)
def _scenario(seed: int, partitions: int, records: int) -> tuple[tuple[MemoryRecord, ...], ...]:
    chance = Random(seed)
    world = World(partitions=partitions)
    at = START
    adopted = {
        records // 4: (Kind.LIVE, "", 0, ""),
        records // 3: (Kind.ADOPT, SETTINGS, 2, SECOND.text),
        records * 2 // 5: (Kind.ADOPT, MODEL + "purchase", 5, ""),
        records // 2: (Kind.ADOPT, SETTINGS, 1, FIRST.text),
        records * 3 // 5: (Kind.ADOPT, MODEL + "purchase", 4, ""),
        records * 2 // 3: (Kind.ADOPT, SETTINGS, 3, THIRD.text),
        records * 3 // 4: (Kind.ADOPT, MODEL + "churn", 6, ""),
    }
    if chance.random() < 0.5:
        adopted[records // 5] = (Kind.ADOPT, MODEL + "purchase", 2, "")
    for number in range(records):
        at += chance.choice(_PAUSES)
        if number in adopted:
            kind, what, version, body = adopted[number]
            world.control(kind, at, what, version, body)
        _record(world, chance, number, at)
    world.control(Kind.TICK, at + 3 * DAY)
    return _logs(world)


def _logs(world: World) -> tuple[tuple[MemoryRecord, ...], ...]:
    return tuple(
        tuple(world.log.topics[TOUCHPOINTS, partition]) for partition in range(world.partitions)
    )


def small() -> Feed:
    """The smallest log in which everything occurs: two partitions, the first with all that the tests look at.

    Both customers of the first are due more than once at a tick, so that steps end inside its due work.
    """
    return [deque(log) for log in _small()]


@cache
def _small() -> tuple[tuple[MemoryRecord, ...], ...]:
    world = World(partitions=2)
    here, away = _customers(2)
    at = START

    def event(number: int, customer: str, kind: str = "purchase") -> None:
        body = touchpoint(number, customer, kind, at + number, value=20)
        world.send(customer, body, at + number, partition=0)

    world.control(Kind.LIVE, at)
    event(1, here[0])
    event(2, away[0])
    world.log.add(TOUCHPOINTS, 0, b"key", b"no touchpoint", (), (at + 3) * 1000)
    event(4, here[1])
    event(5, away[1], "email_open")
    world.control(Kind.ADOPT, at + 6, MODEL + "purchase", 2)
    event(7, here[0], "email_open")
    at += 5 * HOUR
    _to_first(world, Kind.TICK, at)
    world.control(Kind.ADOPT, at + 8, SETTINGS, 2, SECOND.text)
    world.control(Kind.ADOPT, at + 9, MODEL + "purchase", 5)
    _to_first(world, Kind.ADOPT, at + 10, MODEL + "purchase", 4)
    event(11, here[1], "store_visit")
    event(12, away[0], "sms")
    _to_first(world, Kind.TICK, at + 3 * HOUR)
    return _logs(world)


def tiny() -> Feed:
    """A few records of one partition, for explorations that grow with every call."""
    return [deque(log) for log in _tiny()]


@cache
def _tiny() -> tuple[tuple[MemoryRecord, ...], ...]:
    world = World(partitions=1)
    world.control(Kind.LIVE, START)
    for number, customer in enumerate(("ann", "ben", "ann")):
        body = touchpoint(number, customer, "purchase", START + number, value=20)
        world.send(customer, body, START + number)
        if number == 0:
            world.control(Kind.ADOPT, START, MODEL + "purchase", 2)
    world.control(Kind.TICK, START + 2 * HOUR)
    return _logs(world)


def _to_first(world: World, kind: Kind, at: float, what: str = "", version: int = 0) -> None:
    """A control record in the first partition alone."""
    value, headers = world.signer.control(0, kind, what, version)
    world.log.add(TOUCHPOINTS, 0, b"", value, headers, int(at * 1000))


def _customers(partitions: int) -> tuple[list[str], list[str]]:
    """Customers at home in the first partition, and others."""
    names = [f"c{number}" for number in range(20)]
    here = [name for name in names if home(name, partitions) == 0]
    return here, [name for name in names if name not in here]


def _record(world: World, chance: Random, number: int, at: int) -> None:
    kind = chance.random()
    if kind < 0.08:
        world.control(Kind.TICK, at)
    elif kind < 0.16:
        partition = chance.randrange(world.partitions)
        world.log.add(TOUCHPOINTS, partition, b"key", b"no touchpoint", (), at * 1000)
    else:
        customer = f"c{chance.randrange(_CUSTOMERS)}"
        happened = at - chance.choice((0, 0, 100, 5_000, 40 * DAY, 100 * DAY))
        value = chance.choice((0, 3, 50.5))
        body = touchpoint(number, customer, chance.choice(_KINDS), happened, value=value)
        elsewhere = chance.random() < 0.25
        partition_ = chance.randrange(world.partitions) if elsewhere else None
        for _ in range(2 if chance.random() < 0.15 else 1):
            world.send(customer, body, at, partition=partition_)

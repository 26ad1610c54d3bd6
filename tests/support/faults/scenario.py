"""Logs in which everything occurs that a partition's owner can meet, by seed."""

from __future__ import annotations

from collections import deque
from functools import cache
from random import Random
from typing import Final

from schemas.bands import Band
from schemas.decisions import Decisions
from schemas.outcomes import Outcome
from schemas.rules import Rule
from schemas.types import TouchpointType
from stream.broker.memory import MemoryRecord
from stream.partition.control import Kind, Signer
from stream.partition.outputs import TOUCHPOINTS
from stream.pipeline import SETTINGS, Pipelines
from tests.support.world import KEY, START, World, touchpoint

DAY: Final = 86_400
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


@cache
def pipelines(partitions: int) -> Pipelines:
    """What decides; pure, so that all runs may share it."""
    return Pipelines(FIRST, Signer(KEY, TOUCHPOINTS), partitions)


Feed = list[deque[MemoryRecord]]
"""Records to come, by partition."""


def scenario(seed: int, partitions: int, records: int) -> Feed:
    """A log of about so many records, of about a month."""
    chance = Random(seed)
    world = World(partitions=partitions)
    at = START
    events = {
        records // 4: lambda: world.control(Kind.LIVE, at),
        records // 3: lambda: world.control(Kind.ADOPT, at, SETTINGS, 2, SECOND.text),
        records // 2: lambda: world.control(Kind.ADOPT, at, SETTINGS, 1, FIRST.text),
        records * 2 // 3: lambda: world.control(Kind.ADOPT, at, SETTINGS, 3, THIRD.text),
    }
    for number in range(records):
        at += chance.choice(_PAUSES)
        if number in events:
            events[number]()
        _record(world, chance, number, at)
    world.control(Kind.TICK, at + 3 * DAY)
    return [deque(world.log.topics[TOUCHPOINTS, partition]) for partition in range(partitions)]


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

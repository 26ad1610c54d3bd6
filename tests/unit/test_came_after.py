"""How old the log was when a customer came: those of its first days are its regulars, not newcomers."""

from __future__ import annotations

from math import expm1, log1p

import pytest

from schemas.home import home
from stream.features.codec import decode, encode
from stream.features.state import CustomerState
from stream.partition.control import Kind
from tests.support.world import START, World, touchpoint

DAY = 86_400


def _days(world: World, state: CustomerState) -> float:
    """The feature, as days."""
    vectorizer = world.pipeline.vectorizer
    matrix = vectorizer.matrix(vectorizer.raw([state.snapshot()]))
    return float(expm1(matrix[0, vectorizer.column["came_after"]] * log1p(90)))


async def _came(world: World, customer: str) -> float:
    state = world.owners[home(customer, world.partitions)]._states[customer]
    days = _days(world, state)
    (again,) = decode([(customer, encode(state))], state.layout, len(state.bands))
    assert _days(world, again) == days, "it is kept"
    return days


@pytest.mark.parametrize("partitions", [1, 4])
async def test_it_is_the_logs_age_at_the_first_touchpoint(partitions: int) -> None:
    """In whole days, at most 90, from the log's first moment, whichever partition a customer is at home in."""
    world = World(partitions=partitions)
    world.control(Kind.TICK, START)
    ages = {"ann": 0, "ben": 1, "cleo": 17, "dora": 89, "emil": 200}
    for number, (name, age) in enumerate(ages.items()):
        at = START + age * DAY
        world.send(name, touchpoint(number, name, "web_visit", at), at)
    await world.work()
    assert {name: round(await _came(world, name)) for name in ages} == ages | {"emil": 90}


async def test_nothing_that_comes_later_changes_it() -> None:
    """Further touchpoints, late ones from before the first included, leave it as it was."""
    world = World()
    world.send("ann", touchpoint(1, "ann", "web_visit", START), START)
    at = START + 5 * DAY
    world.send("ben", touchpoint(2, "ben", "purchase", at), at)
    world.send("ben", touchpoint(3, "ben", "purchase", at - 3 * DAY), at)
    world.send("ben", touchpoint(4, "ben", "purchase", at + 9 * DAY), at + 9 * DAY)
    await world.work()
    assert round(await _came(world, "ben")) == 5

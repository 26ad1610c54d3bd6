"""With exactly-once delivery nothing is published twice either, whatever goes wrong at whichever call.

The same schedules as those of the default, over a twin of Kafka's transactions: late and lost answers, a producer
that is fenced amid a step, transactions that are taken back and leave offsets without records behind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace

import pytest

from stream.partition.outputs import TOUCHPOINTS
from tests.support.faults import owners, sweep
from tests.support.faults.byhand import ByHand
from tests.support.faults.hunt import by_seed, caught
from tests.support.faults.mutants import MUTATIONS
from tests.support.faults.mutants_exactly import (
    EXACTLY_ONCE_MUTATIONS,
    WHOLE_OUTBOX,
    PublishesTheWholeOutbox,
)
from tests.support.faults.promises import Result, broken, result_of
from tests.support.faults.run import EXACTLY_ONCE, Mutation
from tests.support.world import START, World, touchpoint

SINGLES = 120
"""Of the 2,025 runs with one fault: the first ones of them, which come in no order."""
SEEDS = range(30)
DEPTH = 7
DEPTH_WITH_FALLS = 4
OF_THE_STORE = ("claim not checked", "claim a counter", "outbox not stored")


def breaches(results: Sequence[Result]) -> list[str]:
    """How any promise was broken, with what replays it."""
    return [line for each in results for line in each.broken]


def test_one_fault_at_any_call_repeats_nothing_and_leaves_no_trace() -> None:
    """Crashes, lost and late answers, time-outs, falls of the store: each id once, and all else is as ever."""
    faults = sweep.singles(EXACTLY_ONCE)[:SINGLES]
    results = [result_of(sweep.Sweep(each, EXACTLY_ONCE)) for each in faults]
    assert breaches(results) == []
    asked = {each.partition(": ")[2] for each in sweep.calls(EXACTLY_ONCE)}
    assert asked >= {"confirm", "fence", "claim", "committed", "apply", "send", "hold"}
    assert not asked & {"publish", "bury", "commit"}


def test_all_by_chance_repeats_nothing_and_leaves_no_trace() -> None:
    """Seeded schedules in which all goes wrong at once; every ending of every call of a transaction occurs."""
    results = [result_of(by_seed(seed, EXACTLY_ONCE)) for seed in SEEDS]
    several = [sweep.several(seed, EXACTLY_ONCE) for seed in SEEDS]
    results += [result_of(sweep.Sweep(faults, EXACTLY_ONCE)) for faults in several]
    assert breaches(results) == []
    happened = sum((each.notes.happened for each in results), Counter[str]())
    fates = ("failed", "silent", "lost", "late", "twice")
    expected = {f"{call} {fate}" for call in ("confirm", "fence", "send") for fate in fates}
    expected |= {"transaction of a former owner", "former member not confirmed", "emptied"}
    assert sorted(expected - happened.keys()) == []


def test_two_owners_at_once_repeat_nothing() -> None:
    """From any second call on, whichever of the two is answered next, on a store that may fall back as well."""
    begins = range(0, owners.calls(EXACTLY_ONCE), 5)
    results = [
        found
        for begin in begins
        for depth, falls in ((DEPTH, False), (DEPTH_WITH_FALLS, True))
        for found in owners.duels(begin, depth, EXACTLY_ONCE, falls=falls)
    ]
    assert len(results) > 200
    assert breaches(results) == []


@pytest.mark.parametrize(
    ("mutation", "holds"),
    [(EXACTLY_ONCE, True), (Mutation(owner=PublishesTheWholeOutbox), False)],
)
async def test_a_step_that_a_former_owner_makes_across_c_is_published_from_c_on(
    mutation: Mutation, holds: bool
) -> None:
    """Where the store has fallen back to a former claim: what lies before C in that step's outbox is out already."""
    world = World()
    for number, customer in enumerate(("ann", "ben", "ann")):
        at = START + number
        world.send(customer, touchpoint(number, customer, "purchase", at), at)
    schedule = ByHand([deque(world.log.topics[TOUCHPOINTS, 0])], mutation)
    with schedule.short_steps():
        former = schedule.appoint(0)
        former.owner._parts = replace(former.owner._parts, step_records=100)
        await schedule.lead(former, former.turn(1))
        stepping = await schedule.lead(former, former.turn(3), to="apply")
        before = len(schedule.kept.versions[0])
        successor = schedule.appoint(0)
        for _ in range(2):
            await schedule.lead(successor, successor.turn(1))
        assert schedule.journal.offsets == {0: 1}
        schedule.fall_back(0, len(schedule.kept.versions[0]) - before)
        await schedule.lead_on(former, stepping)
        await schedule.finish(successor)
        found = await broken(schedule)
    assert (found == []) is holds
    assert any(each.startswith("twice:") for each in found) is not holds


@pytest.mark.parametrize(
    ("promise", "mutation"),
    [
        *(
            pytest.param(promise, mutation, id=name)
            for name, promise, mutation in EXACTLY_ONCE_MUTATIONS
            if name != WHOLE_OUTBOX
        ),
        *(
            pytest.param(promise, Mutation(EXACTLY_ONCE.owner, mutation.kept), id=name)
            for name, promise, mutation in MUTATIONS
            if name in OF_THE_STORE
        ),
    ],
)
def test_delivery_without_a_safeguard_is_found_out(promise: str, mutation: Mutation) -> None:
    """Whichever safeguard is left out, some schedule breaks the promise that it is there for, and says how to see it."""
    found = caught(promise, mutation)
    assert found
    assert all(line.endswith(" --delivery exactly_once)") for line in found.of(promise))

"""Whatever goes wrong at whichever call: the owner of a partition ends as if nothing had gone wrong.

Seeded schedules over faulty twins of store and log: lost and late replies, parts of what was published,
lost commits, time-outs, crashes, workers that do not know that they are replaced, a store that falls back.
Every fault at every call, and two owners in every order, are tried in test_faults_everywhere.py.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import cache

import pytest

from stream.partition.outputs import TOUCHPOINTS
from tests.support.faults.byhand import ByHand
from tests.support.faults.calls import Fate
from tests.support.faults.mutants import ChecksNoReads, HoldsAnything
from tests.support.faults.promises import Result, broken, result
from tests.support.faults.run import SOUND, Mutation
from tests.support.faults.worker import Worker
from tests.support.world import START, World, touchpoint

LONG_SEEDS = range(20)
SHORT_SEEDS = range(80)
SHORT = 14
"""Records of a short log, about."""

one_and_two = pytest.mark.parametrize("partitions", [1, 2])


@cache
def results(partitions: int) -> list[Result]:
    """The runs of all seeds, which all tests look at."""
    short = [result(seed, partitions, records=SHORT) for seed in SHORT_SEEDS]
    return [*short, *(result(seed, partitions) for seed in LONG_SEEDS)]


def breaches(promise: str, partitions: int) -> list[str]:
    """How a promise was broken, with seeds."""
    return [line for each in results(partitions) for line in each.of(promise)]


@one_and_two
def test_every_run_comes_to_its_end(partitions: int) -> None:
    """Once there are no more faults all is applied and committed, and nothing unforeseen was raised."""
    assert breaches("end", partitions) == []
    assert breaches("errors", partitions) == []


@one_and_two
def test_states_and_counts_are_the_undisturbed_ones(partitions: int) -> None:
    """Digest, due times, counts and the rest of the ledger are those of an undisturbed owner of the same log."""
    assert breaches("states", partitions) == []


@one_and_two
def test_outputs_are_the_undisturbed_ones(partitions: int) -> None:
    """Scores, band changes, triggers and dead letters are, repeated ones aside, the same bytes under the same ids."""
    assert breaches("outputs", partitions) == []


@one_and_two
def test_no_id_has_two_bodies(partitions: int) -> None:
    """What is sent more than once is the same each time, byte for byte."""
    assert breaches("bodies", partitions) == []


def test_forwards_arrive_in_their_order() -> None:
    """A home gets each misplaced touchpoint, and none for the first time after a later one of the same origin."""
    assert breaches("forwards", 2) == []


@one_and_two
def test_c_never_goes_backwards_and_passes_nothing_unpublished(partitions: int) -> None:
    """Every commit is at or beyond the one before, and all that records before it cause had arrived by then."""
    assert breaches("commits", partitions) == []


@one_and_two
def test_nothing_from_before_c_is_sent_after_a_take_over_but_the_outbox(partitions: int) -> None:
    """Where the store has fallen back, everything up to C is worked off silently."""
    assert breaches("silence", partitions) == []


@one_and_two
def test_only_the_newest_claim_writes_and_only_members_go_on_claiming(partitions: int) -> None:
    """No step is applied under a former claim, and a former member claims once more at the most."""
    assert breaches("claims", partitions) == []
    assert breaches("membership", partitions) == []


def test_the_runs_meet_all_that_can_go_wrong() -> None:
    """Every kind of fault and every kind of record occurs in the runs, or they would show nothing."""
    happened, counts = Counter[str](), Counter[str]()
    for each in (*results(1), *results(2)):
        happened.update(each.notes.happened)
        counts.update(each.counts)
    calls = ("claim", "committed", "load", "apply", "publish", "bury", "commit")
    fates = ("failed", "silent", "lost", "late", "twice")
    expected = {f"{call} {fate}" for call in calls for fate in fates}
    expected |= {"crash", "taken away", "left", "time-out", "fall-back", "emptied", "C gone"}
    expected.add("commit of a former member")
    assert sorted(expected - happened.keys()) == []
    counted = (
        "scored",
        "silence_scorings",
        "duplicates",
        "rejected",
        "forwarded",
        "control",
        "adoptions_purchase",
        "adoptions_churn",
    )
    moved = ("band_changes_event", "band_changes_silence", "triggers", "rejected_unknown_type")
    assert sorted({*counted, *moved} - counts.keys()) == []


def test_a_seed_always_gives_the_same_run() -> None:
    """Two runs of a seed meet the same faults and end with the same logs, so a failing one can be looked at."""
    first, second = result(3, 2), result(3, 2)
    assert first == second


# -- by hand: what chance would hardly ever find -------------------------------------------------------------


def by_hand(mutation: Mutation = SOUND) -> ByHand:
    """One partition with purchases of ann, ben and again ann, a second apart, and nobody at work."""
    world = World()
    for number, customer in enumerate(("ann", "ben", "ann")):
        at = START + number
        world.send(customer, touchpoint(number, customer, "purchase", at), at)
    return ByHand([deque(world.log.topics[TOUCHPOINTS, 0])], mutation)


async def take_in(schedule: ByHand, worker: Worker, records: int) -> None:
    """Take over where needed, and take in so many records one by one, outputs acknowledged."""
    if not worker.owner.ready:
        await schedule.lead(worker, worker.turn(1))
    for _ in range(records):
        await schedule.lead(worker, worker.turn(1))
        await schedule.lead(worker, worker.owner.acknowledged())


@pytest.mark.parametrize(
    ("mutation", "holds"), [(SOUND, True), (Mutation(kept=ChecksNoReads), False)]
)
async def test_states_are_read_only_under_claim_and_position(
    mutation: Mutation, holds: bool
) -> None:
    """A former owner that reads its successor's state cannot store it after the store has fallen back."""
    schedule = by_hand(mutation)
    await take_in(schedule, schedule.appoint(0), 1)
    former = schedule.appoint(0)
    await take_in(schedule, former, 1)
    before = len(schedule.kept.versions[0])
    successor = schedule.appoint(0)
    await take_in(schedule, successor, 1)
    reading = await schedule.lead(former, former.turn(1), to="load")
    await schedule.answer(former, "load")
    schedule.fall_back(0, len(schedule.kept.versions[0]) - before)
    await schedule.lead_on(former, reading)
    await schedule.finish(successor)
    assert (await broken(schedule) == []) is holds


@pytest.mark.parametrize(
    ("mutation", "holds"), [(SOUND, True), (Mutation(kept=HoldsAnything), False)]
)
async def test_an_owner_without_work_notices_that_the_store_fell_back(
    mutation: Mutation, holds: bool
) -> None:
    """At the end of the log, too, an emptied store is filled again without any new record."""
    schedule = by_hand(mutation)
    worker = schedule.appoint(0)
    await schedule.finish(worker)
    schedule.fall_back(0, 1 << 30)
    await schedule.finish(worker)
    assert (await broken(schedule) == []) is holds


@pytest.mark.parametrize("fate", [Fate.FAILED, Fate.LOST])
@pytest.mark.parametrize("call", ["claim", "committed", "beginning", "end", "publish"])
async def test_c_never_goes_backwards_after_a_failed_first_take_over(call: str, fate: Fate) -> None:
    """Whichever call of a new owner's first take-over fails, C stays where it is until there is more to commit."""
    schedule = by_hand()
    former = schedule.appoint(0)
    await take_in(schedule, former, 1)
    await schedule.lead(former, former.commit())
    await take_in(schedule, former, 1)
    worker = schedule.appoint(0)
    task = await schedule.lead(worker, worker.turn(1), to=call)
    await schedule.answer(worker, call, fate)
    await schedule.lead_on(worker, task)
    assert not worker.owner.ready
    assert schedule.journal.offsets == {0: 1}
    await take_in(schedule, worker, 0)
    assert schedule.journal.offsets == {0: 1}
    await schedule.finish(worker)
    assert await broken(schedule) == []


async def test_a_take_over_waits_for_outputs_on_their_way() -> None:
    """Nothing is committed or claimed anew while outputs of the step before are still to be acknowledged."""
    schedule = by_hand()
    worker = schedule.appoint(0)
    await take_in(schedule, worker, 0)
    await (await schedule.lead(worker, worker.turn(1), to="publish"))
    worker.owner.ready = False
    taking_over = await schedule.lead(worker, worker.turn(1), to="publish")
    assert [call.what for call in schedule.calls.waiting] == ["publish"]
    await schedule.answer(worker, "publish")
    await schedule.lead_on(worker, taking_over)
    assert schedule.journal.offsets == {0: 1}
    await schedule.finish(worker)
    assert await broken(schedule) == []


async def test_records_read_before_a_take_over_are_not_taken_in() -> None:
    """They may not be the next ones: the owner reads on from where the store stands."""
    schedule = by_hand()
    await take_in(schedule, schedule.appoint(0), 2)
    worker = schedule.appoint(0)
    await schedule.lead(worker, worker.owner.work(worker.log.read(0, 2)))
    await schedule.finish(worker)
    assert await broken(schedule) == []

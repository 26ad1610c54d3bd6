"""A log copied into another namespace gives the same states: each touchpoint once, at home, at its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schemas.decisions import Decisions
from schemas.home import home
from schemas.types import TouchpointType, TypeRegistry
from stream.broker.copier import Copied, Copier
from stream.broker.memory import MemoryLog, MemoryRecord
from stream.broker.merging import Merge, Placed
from stream.partition.control import CONTROL, ORIGIN, REPLAY, SIGNATURE, Kind, Signer
from stream.partition.outputs import TOUCHPOINTS, TRIGGERS
from stream.pipeline import MODEL, SETTINGS, Pipelines
from tests.support.poison import POISON
from tests.support.world import KEY, START, World, touchpoint

NEXT = Signer(KEY, "next.touchpoints")
HOUR = 3600
CUSTOMERS = [f"c{number}" for number in range(12)]


def world(partitions: int = 3, signer: Signer | None = None, **more: Any) -> World:
    """A deployment over a log of its own, signed for that topic."""
    made = World(partitions=partitions, **more)
    if signer is not None:
        own = made.pipelines.own
        made.signer = signer
        made.pipelines = Pipelines(own, signer, partitions)
        made.log = MemoryLog(signer, lambda: int(made.wall * 1000))
        made.owners = made.make_owners()
    return made


async def lived(partitions: int = 3, *, last: bool = True, live: bool = False) -> World:
    """Some weeks of touchpoints, some of which arrive elsewhere, with ticks, poison and a worker all the while."""
    made, at = world(partitions), START
    made.control(Kind.ADOPT, 0, SETTINGS, 1, made.pipelines.own.text)
    for number in range(400):
        customer, at = CUSTOMERS[number % 12], START + number * HOUR
        value = touchpoint(number, customer, ("email_open", "purchase")[number % 3 == 0], at)
        elsewhere = (home(customer, partitions) + 1) % partitions if number % 5 == 0 else None
        made.send(customer, value, at, elsewhere)
        if number % 24 == 0:
            made.control(Kind.TICK, at)
        if number % 50 == 0:
            name, poison, headers, _, _ = POISON[number // 50 % len(POISON)]
            made.log.add(TOUCHPOINTS, 0, name.encode(), poison, headers, at * 1000)
            await made.work(7)
        if live and number == 200:
            made.control(Kind.LIVE, at)
    await made.work(7)
    if last:
        made.control(Kind.TICK, at + 10 * 24 * HOUR)
        await made.work()
    return made


def copier(old: World, into: int, **more: Any) -> Copier:
    """A copier of this world's log."""
    committed = [old.log.offsets.get(number) for number in range(old.partitions)]
    return Copier(old.signer, NEXT, TypeRegistry(), committed, into=into, **more)


def copied(old: World, made: Copier) -> Iterator[Copied]:
    """All of a log, in order: merged where it must be."""
    logs = {number: old.log.topics[TOUCHPOINTS, number] for number in range(old.partitions)}
    if not made.spread:
        for number, records in logs.items():
            for record in records:
                yield from made.take(number, record, made.turn(number, record))
    else:
        merge = Merge(list(logs))
        for number, records in logs.items():
            for record in records:
                merge.put(Placed(made.turn(number, record), number, record))
        merge.open.clear()
        for clock, number, placed in merge.take():
            yield from made.take(number, placed, clock)
    yield from made.finish()


def written(old: World, made: Copier, into: int) -> World:
    """The copy, in a deployment of its own that has not worked yet."""
    new = world(into, NEXT)
    for partition, key, value, headers, timestamp in copied(old, made):
        new.log.add(TOUCHPOINTS, partition, key, value, headers, timestamp)
    return new


@pytest.mark.parametrize("into", [3, 2, 7])
async def test_a_copy_gives_the_same_states(into: int) -> None:
    """Same digest over the same or another number of partitions; nothing is forwarded or forged any more."""
    old = await lived()
    made = copier(old, into)
    new = written(old, made, into)
    await new.work()
    assert await new.digest() == await old.digest()
    before, after = old.counts(), new.counts()
    assert before["forwarded"] == made.tally.misrouted == made.tally.forwards > 0
    assert "forwarded" not in after
    assert after["scored"] == before["scored"]
    assert made.tally.missing == 0


async def test_with_as_many_partitions_every_record_keeps_its_place() -> None:
    """Offsets, times, keys and values stay; what is not copied leaves a tick behind."""
    old = await lived()
    new = written(old, copier(old, 3), 3)
    for number in range(3):
        before, after = old.log.topics[TOUCHPOINTS, number], new.log.topics[TOUCHPOINTS, number]
        assert [each.timestamp for each in after] == [each.timestamp for each in before]
        for one, other in zip(before, after, strict=True):
            assert (other.key, other.value) in {(one.key, one.value), (b"", None)}
            assert ORIGIN not in dict(other.headers)


async def test_what_is_not_forwarded_yet_is_copied_home() -> None:
    """A touchpoint beyond what was committed goes home; its forward, should it come, is left out."""
    old = await lived(last=False)
    customer, at = CUSTOMERS[0], START + 500 * HOUR
    wrong = (home(customer, 3) + 1) % 3
    old.send(customer, touchpoint(9_001, customer, "purchase", at), at, wrong)
    before = copier(old, 3)
    await old.work()  # it forwards; the copy goes by what was committed when it began
    old.control(Kind.TICK, at)
    await old.work()
    new = written(old, before, 3)
    await new.work()
    assert before.tally.repeated == 1
    values = [each.value for each in new.log.topics[TOUCHPOINTS, home(customer, 3)]]
    assert sum(b"e9001" in (value or b"") for value in values) == 1
    assert await new.digest() == await old.digest()


async def test_a_repeated_forward_is_copied_once() -> None:
    """What a worker sent twice before it died is one touchpoint."""
    old = await lived(last=False)
    number, again = next(
        (number, each)
        for number in range(3)
        for each in old.log.topics[TOUCHPOINTS, number]
        if ORIGIN in dict(each.headers)
    )
    old.log.add(TOUCHPOINTS, number, again.key, again.value, again.headers, again.timestamp)
    await old.work()
    made = copier(old, 3)
    new = written(old, made, 3)
    await new.work()
    assert made.tally.repeated == 1
    assert await new.digest() == await old.digest()


async def test_a_forward_that_is_missing_is_noticed() -> None:
    """A touchpoint that is nowhere in the copy is told, never passed over."""
    old = await lived()
    for number in range(3):
        old.log.topics[TOUCHPOINTS, number] = [
            each for each in old.log.topics[TOUCHPOINTS, number] if ORIGIN not in dict(each.headers)
        ]
    made = copier(old, 3)
    written(old, made, 3)
    assert made.tally.missing == made.tally.misrouted > 0


async def test_a_live_log_stays_live_from_the_same_place_on() -> None:
    """The same triggers with the same ids, and none before."""
    old = await lived(live=True)
    new = written(old, copier(old, 3), 3)
    await new.work()
    triggers = [sorted(each.value or b"" for each in one.outputs(TRIGGERS)) for one in (old, new)]
    assert triggers[0] == triggers[1]
    assert await new.digest() == await old.digest()


async def test_a_log_goes_live_elsewhere_once_all_of_it_is() -> None:
    """With another number of partitions there is one live record each, after the last of the old ones."""
    old = await lived(live=True)
    found = [
        each for each in copied(old, copier(old, 2)) if dict(each.headers).get(CONTROL) == b"live"
    ]
    assert sorted(each.partition for each in found) == [0, 1]


async def test_partitions_added_after_the_states_move_nobody() -> None:
    """Where the old topic got more partitions, its records count as at home where the workers left them."""
    old = await lived(2)
    made = Copier(
        old.signer, NEXT, TypeRegistry(), [*old.log.offsets.values(), None, None], into=4, made=2
    )
    old.partitions = 4
    new = written(old, made, 4)
    old.partitions = 2
    await new.work()
    assert made.tally.missing == 0
    assert await new.digest() == await old.digest()
    assert new.counts()["scored"] == old.counts()["scored"]


def records(old: World, *, headers: tuple[tuple[str, bytes | None], ...]) -> list[MemoryRecord]:
    """One record in a world's first partition."""
    old.log.add(
        TOUCHPOINTS, 0, b"c1", touchpoint(1, "c1", "purchase", START), headers, START * 1000
    )
    return old.log.topics[TOUCHPOINTS, 0]


def test_a_forgery_stays_one() -> None:
    """A control record that is signed for the new topic already is not taken up by copying it."""
    old = world(1)
    value, headers = NEXT.control(0, Kind.LIVE)
    old.log.add(TOUCHPOINTS, 0, b"", value, headers, START * 1000)
    (found,) = copied(old, copier(old, 1))
    assert dict(found.headers) == {CONTROL: b"live", SIGNATURE: b""}
    assert NEXT.read_control(0, [(n, t or b"") for n, t in found.headers], found.value) is None


def test_a_producers_headers_are_kept() -> None:
    """Also those without a value, and those whose name is no UTF-8 as far as they can be sent."""
    old = world(1)
    records(old, headers=(("trace", b"1"), ("empty", None), ("\udcff", b"2")))
    (found,) = copied(old, copier(old, 1))
    assert found.headers == (("trace", b"1"), ("empty", None), ("?", b"2"))


def test_what_is_too_large_leaves_a_tick() -> None:
    """A record that came compressed and could never be scored does not stop the copy."""
    old = world(1)
    old.log.add(TOUCHPOINTS, 0, b"c1", b"x" * 300_000, (), START * 1000)
    made = copier(old, 1)
    (found,) = copied(old, made)
    assert dict(found.headers)[CONTROL] == b"tick"
    assert found.timestamp == START * 1000
    assert made.tally.large == 1


@pytest.mark.parametrize("into", [2, 3])
def test_models_are_left_out_where_they_do_not_fit(into: int) -> None:
    """No worker would ever get a version that is not there: nobody may wait for it."""
    old = world(2)
    old.control(Kind.ADOPT, START, f"{MODEL}purchase", 7)
    made = copier(old, into, models=False)
    assert not [each for each in copied(old, made) if each.value]
    assert made.tally.adoptions == 2
    kept = [each for each in copied(old, copier(old, into)) if each.value]
    assert len(kept) == into


@pytest.mark.parametrize("into", [2, 3])
def test_own_decisions_decide_from_the_beginning(into: int) -> None:
    """In place of those that the log adopted, in every partition, behind what makes a log a replay."""
    old = world(2)
    old.control(Kind.ADOPT, 0, REPLAY, 1)
    old.control(Kind.ADOPT, 0, SETTINGS, 5, old.pipelines.own.text)
    old.control(Kind.TICK, START)
    more = TouchpointType(name="visit", family="visits")
    own = Decisions(types=(more,), outcomes=tuple(old.outcomes))
    found = list(copied(old, copier(old, into, own=own, version=9)))
    for number in range(into):
        adopted = [
            NEXT.read_control(number, [(n, t or b"") for n, t in each.headers], each.value)
            for each in found
            if each.partition == number and each.value
        ]
        assert [(each.what, each.version) for each in adopted if each] == [
            (REPLAY, 1),
            (SETTINGS, 9),
        ]


def test_a_merge_waits_for_who_might_come_first() -> None:
    """No record's turn is certain before every partition that has more has shown its next."""
    merge, record = Merge([0, 1]), MemoryRecord(0, 0, None, None, ())
    merge.put(Placed(5, 0, record))
    assert merge.hungry == [1]
    assert merge.take() == []
    merge.put(Placed(3, 1, record))
    merge.put(Placed(9, 1, record))
    assert [each.clock for each in merge.take()] == [3, 5]
    merge.open.discard(0)
    assert [each.clock for each in merge.take()] == [9]
    merge.open.discard(1)
    assert merge.take() == []

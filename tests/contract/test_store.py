"""What every store promises: the one in memory and the one in Redis, held to the same tests."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest

from stream.errors import RefusedError
from stream.partition.ledger import Position
from stream.store.memory import MemoryStore
from stream.store.port import Change, Standing, Store, Write
from stream.store.redis import RedisStore

_spaces = itertools.count()


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Each store that there is, empty."""
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    else:
        made = RedisStore(request.getfixturevalue("redis_url"), f"contract-{next(_spaces)}")
    yield made
    await made.close()


def step(offset: int, *changes: tuple[str, bytes, int], cursor: int = 0) -> Write:
    """A step up to an offset, with these changes of states."""
    listed = [Change(*change) for change in changes]
    return Write(Position(offset, cursor), b"ledger %d" % offset, b"outbox %d" % offset, listed)


async def test_knows_nothing_at_first(store: Store) -> None:
    """A partition never touched stands nowhere and has no customers."""
    assert await store.claim(0, "a") == Standing(None, None, None)
    assert await store.load(0, "a", None, ["x", "y"]) == [None, None]
    assert await store.read(0, "x") is None
    assert [part async for part in store.customers(0) if part] == []


async def test_applies_everything_of_a_step(store: Store) -> None:
    """After a step the position, ledger, outbox, states and due times are those of the step."""
    await store.claim(3, "a")
    await store.apply(3, "a", None, step(5, ("x", b"\x00state", 100), ("käse", b"s2", 90)))
    assert await store.load(3, "a", Position(5), ["käse", "x"]) == [b"s2", b"\x00state"]
    assert await store.due(3, "a", Position(5), 0, 1000, 10) == ([("käse", 90), ("x", 100)], 1000)
    assert await store.claim(3, "b") == Standing(Position(5), b"ledger 5", b"outbox 5")
    assert await store.standings([3]) == [Standing(Position(5), b"ledger 5", None)]
    found = [pair async for part in store.customers(3) for pair in part]
    assert sorted(found) == [("käse", b"s2"), ("x", b"\x00state")]


async def test_a_later_step_replaces_what_it_touches_only(store: Store) -> None:
    """Customers whom a step does not touch keep their state and due time."""
    await store.claim(0, "a")
    await store.apply(0, "a", None, step(1, ("x", b"1", 100), ("y", b"1", 200)))
    await store.apply(0, "a", Position(1), step(1, ("x", b"2", 300), cursor=4))
    assert await store.load(0, "a", Position(1, 4), ["x", "y"]) == [b"2", b"1"]
    found, _ = await store.due(0, "a", Position(1, 4), 0, 1000, 10)
    assert found == [("y", 200), ("x", 300)]


async def test_refuses_a_former_owner(store: Store) -> None:
    """Once somebody else has claimed a partition, nothing of the former owner is applied or answered."""
    await store.claim(0, "a")
    await store.apply(0, "a", None, step(1, ("x", b"1", 100)))
    await store.claim(0, "b")
    with pytest.raises(RefusedError):
        await store.apply(0, "a", Position(1), step(2, ("x", b"2", 100)))
    with pytest.raises(RefusedError):
        await store.load(0, "a", Position(1), ["x"])
    with pytest.raises(RefusedError):
        await store.due(0, "a", Position(1), 0, 10, 10)
    with pytest.raises(RefusedError):
        await store.hold(0, "a", Position(1))
    assert await store.load(0, "b", Position(1), ["x"]) == [b"1"]


@pytest.mark.parametrize("base", [None, Position(0), Position(1, 1), Position(2)])
async def test_refuses_a_step_from_another_position(store: Store, base: Position | None) -> None:
    """A step computed from any other position than the stored one changes nothing."""
    await store.claim(0, "a")
    await store.apply(0, "a", None, step(1, ("x", b"1", 100)))
    with pytest.raises(RefusedError):
        await store.apply(0, "a", base, step(9, ("x", b"9", 100)))
    assert await store.claim(0, "a") == Standing(Position(1), b"ledger 1", b"outbox 1")
    assert await store.read(0, "x") == b"1"


async def test_reads_the_due_ones_in_parts_with_ties_whole(store: Store) -> None:
    """Parts of the due customers follow each other without gap or repetition, however they are cut."""
    await store.claim(0, "a")
    everyone = [(f"c{number:02}", b"s", number // 7) for number in range(40)]
    await store.apply(0, "a", None, step(1, *everyone))
    read: list[tuple[str, int]] = []
    low = 0
    while low < 6:
        found, high = await store.due(0, "a", Position(1), low, 6, 5)
        assert high > low
        assert all(low <= due < high for _, due in found)
        read, low = read + found, high
    assert read == [(customer, due) for customer, _, due in everyone]


async def test_partitions_are_strangers(store: Store) -> None:
    """What is claimed and applied in one partition shows in no other."""
    await store.claim(0, "a")
    await store.claim(1, "b")
    await store.apply(0, "a", None, step(1, ("x", b"1", 100)))
    assert await store.load(1, "b", None, ["x"]) == [None]
    assert await store.read(0, "x") == b"1"


async def test_takes_a_step_of_five_hundred_customers_and_a_large_outbox(store: Store) -> None:
    """The largest step allowed fits into one call."""
    await store.claim(0, "a")
    changes = [Change(f"customer-{number}", b"s" * 700, number) for number in range(500)]
    await store.apply(0, "a", None, Write(Position(1), b"{}", b"o" * (4 << 20), changes))
    assert len([pair async for part in store.customers(0) for pair in part]) == 500

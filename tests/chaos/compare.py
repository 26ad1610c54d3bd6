"""What differs between the run that was disturbed and the one that was not: nothing should."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

from stream.broker.memory import DEAD_LETTERS, MemoryRecord
from stream.partition.control import CONTROL, ORIGIN
from stream.partition.ledger import decode_ledger
from stream.partition.outputs import TOUCHPOINTS
from stream.store.digest import digest
from stream.store.port import Store
from tests.chaos.undisturbed import RecordedLog, Records
from tests.chaos.watch import OUTPUTS
from tests.support.world import World

_TOLD = 5


class Body(NamedTuple):
    """What must be the same under the same id."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass
class Differences:
    """By what differs: how many, and the first of them in words."""

    counts: dict[str, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, found: Sequence[Any], among: int) -> None:
        """Note what was compared, and what of it differs."""
        self.counts[what] = self.counts.get(what, 0) + len(found)
        self.compared[what] = self.compared.get(what, 0) + among
        self.words += [f"{what}: {each}" for each in found[:_TOLD]]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def output_ids(records: Iterable[MemoryRecord]) -> list[str]:
    """The ids of an output topic's records, in order."""
    return [json.loads(each.value or b"")["id"] for each in records]


def _letters(records: Iterable[MemoryRecord]) -> list[str]:
    return [dict(each.headers)["bandshift-dead-id"].decode() for each in records]  # type: ignore[union-attr]


def _forwards(records: Iterable[MemoryRecord]) -> list[str]:
    return [
        (dict(each.headers)[ORIGIN] or b"").decode()
        for each in records
        if any(name == ORIGIN for name, _ in each.headers)
    ]


def _by_id(
    ids: Sequence[str], records: Sequence[MemoryRecord]
) -> tuple[dict[str, Body], list[str]]:
    """Id -> body, and those that have two."""
    found: dict[str, Body] = {}
    double = []
    for name, record in zip(ids, records, strict=True):
        body = Body(record.key, record.value, tuple(record.headers))
        if found.setdefault(name, body) != body:
            double.append(name)
    return found, double


def _compare(
    differences: Differences,
    what: str,
    ids: Any,
    here: Sequence[MemoryRecord],
    there: Sequence[MemoryRecord],
) -> None:
    ours, double = _by_id(ids(here), here)
    theirs, _ = _by_id(ids(there), there)
    differences.add(f"{what} with two bodies", double, len(here))
    wrong = [f"missing {name}" for name in theirs.keys() - ours.keys()]
    wrong += [f"extra {name}" for name in ours.keys() - theirs.keys()]
    wrong += [
        f"other body {name}: {ours[name]} instead of {theirs[name]}"
        for name in ours.keys() & theirs.keys()
        if ours[name] != theirs[name]
    ]
    differences.add(what, wrong, len(theirs))


def compare_outputs(
    differences: Differences,
    topics: Mapping[str, Records],
    world: World,
    log: RecordedLog,
) -> None:
    """Outputs, dead letters and forwards, repeated ids removed."""
    for kind in OUTPUTS:
        here = [each for records in topics[kind].values() for each in records]
        _compare(differences, kind, output_ids, here, world.outputs(kind))
    here = [each for records in topics[DEAD_LETTERS].values() for each in records]
    _compare(differences, "dead letters", _letters, here, world.outputs(DEAD_LETTERS))
    for number, records in topics[TOUCHPOINTS].items():
        forwarded = [each for each in records if any(name == ORIGIN for name, _ in each.headers)]
        made = [
            MemoryRecord(0, 0, each.key, each.value, each.headers)
            for each in log.forwards
            if each.partition == number
        ]
        _compare(differences, "forwards", _forwards, forwarded, made)


async def compare_states(
    differences: Differences, store: Store, world: World, partitions: int
) -> dict[str, str]:
    """States customer by customer, their digests, and what each partition keeps besides."""
    numbers = range(partitions)
    ours, theirs = await _states(store, partitions), await _states(world.store, partitions)
    wrong = [
        f"customer {name}"
        for name in ours.keys() | theirs.keys()
        if ours.get(name) != theirs.get(name)
    ]
    differences.add("states", wrong, len(theirs))
    digests = {
        "disturbed": (await digest(store, numbers)).text,
        "undisturbed": (await digest(world.store, numbers)).text,
    }
    differences.add("digests", [digests] if len(set(digests.values())) > 1 else [], 1)
    standings = await store.standings(numbers)
    others = await world.store.standings(numbers)
    wrong = [
        f"partition {number}: {decode_ledger(one.ledger)} at {one.position} instead of "
        f"{decode_ledger(other.ledger)} at {other.position}"
        for number, (one, other) in enumerate(zip(standings, others, strict=True))
        if (one.ledger, one.position) != (other.ledger, other.position)
    ]
    differences.add("ledgers", wrong, partitions)
    return digests


async def _states(store: Store, partitions: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for number in range(partitions):
        async for part in store.customers(number):
            found.update(part)
    return found


def compare_sent(
    differences: Differences, taken: Mapping[tuple[int, int], int], touchpoints: Records
) -> None:
    """What the broker has acknowledged to the producers is in the log, where it said."""
    held = {
        (number, each.offset): crc32(each.value or b"")
        for number, records in touchpoints.items()
        for each in records
    }
    wrong = [place for place, checksum in taken.items() if held.get(place) != checksum]
    differences.add("acknowledged touchpoints", wrong, len(taken))


def compare_ends(differences: Differences, touchpoints: Records, done: Mapping[int, int]) -> None:
    """All was taken in but control records, which may have come while the workers stopped. `done`: N."""
    left = [
        f"partition {number}, offset {each.offset}"
        for number, records in touchpoints.items()
        for each in records
        if each.offset >= done[number] and all(name != CONTROL for name, _ in each.headers)
    ]
    differences.add(
        "touchpoints not taken in", left, sum(len(each) for each in touchpoints.values())
    )

"""What must hold after a run whatever went wrong: all is as if nothing had.

The measure is an undisturbed owner over the log of each partition as it came to be: what producers and
programs wrote, the owners' own ticks, and forwards in the order in which they arrived, repeated ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from stream.agents.owner import Owner, Parts
from stream.broker.memory import DEAD_LETTERS, MemoryLog, MemoryRecord
from stream.partition.control import Signer
from stream.partition.ledger import decode_ledger, totals
from stream.partition.outputs import BAND_CHANGES, SCORES, TOUCHPOINTS, TRIGGERS
from stream.store.digest import Digest, digest
from stream.store.memory import MemoryStore
from tests.support.faults.calls import Notes
from tests.support.faults.log import visible
from tests.support.faults.loop import run
from tests.support.faults.run import SOUND, Mutation, Run
from tests.support.faults.scenario import pipelines
from tests.support.faults.schedule import Schedule
from tests.support.faults.sent import Sent, sent
from tests.support.world import KEY

_OUTPUTS: Final = (SCORES, BAND_CHANGES, TRIGGERS, DEAD_LETTERS)


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    notes: Notes
    counts: Mapping[str, int]
    """Of all partitions."""
    broken: Sequence[str]
    """Promises that were broken: each line begins with the promise's name, and ends with what replays the run."""

    def of(self, promise: str) -> list[str]:
        """How one promise was broken."""
        return [each for each in self.broken if each.startswith(promise + ":")]


def result(seed: int, partitions: int = 1, mutation: Mutation = SOUND, records: int = 60) -> Result:
    """The run of a seed, and what it broke."""
    return result_of(Schedule(seed, partitions, mutation, records))


def result_of(schedule: Run) -> Result:
    """A run, and what it broke."""

    async def whole() -> list[str]:
        await schedule.run()
        return await broken(schedule)

    found = run(whole())
    kept = schedule.kept.partitions.values()
    counts = totals([decode_ledger(each.ledger) for each in kept])
    delivery = " --delivery exactly_once" if schedule.exactly_once else ""
    replay = f"  (python -m tests.support.faults {schedule.name}{delivery})"
    return Result(schedule.notes, counts, [each + replay for each in found])


async def broken(schedule: Run) -> list[str]:
    """The promises that a run has broken, in words."""
    found = list(schedule.notes.broken)
    if any(each.startswith("end:") for each in found):
        return found  # there is nothing to compare yet
    topics, partitions = schedule.journal.topics, schedule.partitions
    logs = [tuple(topics[TOUCHPOINTS, each]) for each in range(partitions)]
    references = [await _undisturbed(partitions, each, log) for each, log in enumerate(logs)]
    for partition, reference in enumerate(references):
        found += await _states(schedule, partition, reference)
    ours, theirs = _Topics(schedule.journal), [each.topics for each in references]
    found += ours.doubled
    if schedule.exactly_once:
        found += ours.repeated
    found += _outputs(ours, theirs)
    found += _forwards(ours, theirs)
    found += _commits(schedule, ours, theirs)
    return found


@dataclass(frozen=True)
class _Reference:
    """What an undisturbed owner makes of a partition's log."""

    store: MemoryStore
    digest: Digest
    topics: _Topics


_known: dict[tuple[int, int, tuple[MemoryRecord, ...]], _Reference] = {}
_MOST_KNOWN: Final = 1_000
"""Many runs are over the same log: what comes of it is found out once."""


async def _undisturbed(
    partitions: int, partition: int, records: tuple[MemoryRecord, ...]
) -> _Reference:
    """What one owner makes of a partition's log, all at once and nothing going wrong."""
    found = _known.get((partitions, partition, records))
    if found is not None:
        return found
    store, log = MemoryStore(), MemoryLog(Signer(KEY, TOUCHPOINTS))
    log.topics[TOUCHPOINTS, partition] += records
    owner = Owner(partition, Parts(pipelines(partitions), store, log, lambda: 0))
    await owner.work(())
    await owner.work(visible(records))
    while owner.busy:
        await owner.work(())
    await owner.acknowledged()
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    found = _Reference(store, await digest(store, [partition]), _Topics(log))
    _known[partitions, partition, records] = found
    return found


async def _states(schedule: Run, partition: int, reference: _Reference) -> list[str]:
    ours, theirs = schedule.kept.partitions[partition], reference.store.partitions[partition]
    found = []
    if (await digest(schedule.kept, [partition])) != reference.digest:
        found.append(f"states: the digest of {partition} is another")
    if ours.due != theirs.due:
        found.append(f"states: customers of {partition} are due at other times")
    got, right = decode_ledger(ours.ledger), decode_ledger(theirs.ledger)
    if got != right:
        found.append(
            f"states: the ledger of {partition} counts {got.counts}, expected {right.counts}"
        )
    return found


class _Topics:
    """All that was sent, by topic and id, and when each arrived for the first time."""

    def __init__(self, log: MemoryLog) -> None:
        self.bodies: dict[str, dict[str, bytes]] = {topic: {} for topic in (*_OUTPUTS, TOUCHPOINTS)}
        self.first: dict[str, tuple[str, int, int]] = {}
        """Id -> topic, partition and offset."""
        self.sent: list[Sent] = []
        """First arrivals."""
        self.doubled: list[str] = []
        self.repeated: list[str] = []
        for (topic, partition), records in sorted(log.topics.items()):
            for record in records:
                found = sent(topic, record.key, record.value, record.headers)
                if found is None:
                    continue
                before = self.bodies[topic].setdefault(found.identity, found.body)
                if before != found.body:
                    self.doubled.append(f"bodies: {topic} {found.identity} has two")
                if found.identity in self.first:
                    self.repeated.append(f"twice: {topic} {found.identity}")
                else:
                    self.first[found.identity] = (topic, partition, record.offset)
                    self.sent.append(found)

    def forwards(self, origin: int) -> list[tuple[int, int, bytes]]:
        """First arrivals of what a partition has forwarded: per home in their order."""
        return [
            (self.first[each.identity][1], each.offset, each.body)
            for each in self.sent
            if each.partition == origin and self.first[each.identity][0] == TOUCHPOINTS
        ]


def _outputs(ours: _Topics, theirs: Sequence[_Topics]) -> Iterator[str]:
    for topic in _OUTPUTS:
        got = ours.bodies[topic]
        right = {name: body for each in theirs for name, body in each.bodies[topic].items()}
        if got != right:
            lost, added = len(right.keys() - got.keys()), len(got.keys() - right.keys())
            other = sum(got[name] != right[name] for name in got.keys() & right.keys())
            yield f"outputs: of {topic} {lost} are lost, {added} are too many, {other} are others"


def _forwards(ours: _Topics, theirs: Sequence[_Topics]) -> Iterator[str]:
    for origin, reference in enumerate(theirs):
        if ours.forwards(origin) != reference.forwards(origin):
            yield f"forwards: those of {origin} are others, or came in another order"


def _commits(schedule: Run, ours: _Topics, theirs: Sequence[_Topics]) -> Iterator[str]:
    """C only rises, and all that records before it cause had arrived by then."""
    arrived, never = schedule.journal.arrived, len(schedule.journal.arrived)
    for partition, reference in enumerate(theirs):
        end = len(schedule.journal.topics[TOUCHPOINTS, partition])
        last = [-1] * (end + 1)
        for each in reference.sent:
            if each.partition == partition:
                at = ours.first.get(each.identity)
                place = never if at is None else arrived[at]
                last[each.offset + 1] = max(last[each.offset + 1], place)
        needed = list(accumulate(last, max))
        for commit in schedule.journal.commits:
            if commit.partition != partition:
                continue
            if commit.offset < commit.before:
                yield f"commits: C of {partition} went from {commit.before} to {commit.offset}"
            if needed[commit.offset] >= commit.arrived:
                yield f"commits: C={commit.offset} of {partition} passed what was not published"

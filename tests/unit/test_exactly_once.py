"""Exactly once: however often owners fail, change or meet, and the store falls back, nothing is published twice."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from unittest.mock import patch

import pytest
from pydantic import ValidationError

from stream.agents.exactly import ExactlyOnceOwner
from stream.agents.owner import Owner, Parts
from stream.broker.deadletters import PREFIX
from stream.broker.memory import DEAD_LETTERS, MemoryLog, MemoryTransactions
from stream.broker.port import Committed, Transactor
from stream.broker.transactions import parse, write
from stream.errors import BandshiftError, BrokerError, RefusedError
from stream.partition import step as steps
from stream.partition.control import ORIGIN, Headers, Kind, Signer
from stream.partition.ledger import Position
from stream.partition.outbox import decode_outbox
from stream.partition.outputs import BAND_CHANGES, SCORES, TOUCHPOINTS, TRIGGERS, Output
from stream.partition.step import DeadLetter, Step
from stream.settings import WorkerSettings
from stream.store.digest import digest
from stream.store.memory import MemoryStore, _Partition
from stream.store.port import Write
from tests.support.faults.scenario import pipelines, scenario
from tests.support.world import KEY, START, World, touchpoint

SEEDS = range(25)
PARTITIONS = 2
OUTPUTS = (SCORES, BAND_CHANGES, TRIGGERS, DEAD_LETTERS)
MOST_SCORINGS = 9
"""Of a step: so that many a step ends amid the due scorings of a record."""


def identity(topic: str, value: bytes | None, headers: Headers) -> str | None:
    """What tells an output, a dead letter or a forward from all others; None for what producers write."""
    found = dict(headers)
    if topic == TOUCHPOINTS:
        origin = found.get(ORIGIN)
        return None if origin is None else f"forward {origin!r}"
    if topic == DEAD_LETTERS:
        return repr(found[PREFIX + "id"])
    return str(json.loads(value or b"")["id"])


def published(log: MemoryLog) -> Counter[tuple[str, str, bytes | None]]:
    """Everything that owners have published, and how often."""
    return Counter(
        (topic, name, record.value)
        for (topic, _), records in log.topics.items()
        for record in records
        if (name := identity(topic, record.value, record.headers)) is not None
    )


class Kept(MemoryStore):
    """A store that remembers all that it ever held."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[int, list[_Partition]] = defaultdict(lambda: [_Partition()])

    async def apply(self, partition: int, claim: str, base: Position | None, write: Write) -> None:
        await super().apply(partition, claim, base, write)
        self.versions[partition].append(_copy(self.partitions[partition]))


def _copy(kept: _Partition) -> _Partition:
    return replace(kept, states=dict(kept.states), due=dict(kept.due))


class Faulty(MemoryTransactions):
    """Transactions of which some fail, and some succeed without an answer."""

    def __init__(self, log: MemoryLog, run: Run) -> None:
        super().__init__(log)
        self._run = run

    async def fence(self, partition: int) -> Transactor:
        return Sender(await super().fence(partition), self._run)


class Sender:
    """One partition's, until the first error."""

    def __init__(self, inner: Transactor, run: Run) -> None:
        self._inner, self._run, self._spent = inner, run, False

    async def send(
        self,
        reached: Committed,
        outputs: Sequence[Output] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        assert not self._spent, "sent by one that had failed"
        fate = self._run.chance.random() if self._run.faults else 1.0
        if fate > 0.08:
            await self._inner.send(reached, outputs, dead)
        if fate < 0.16:
            self._spent = True
            raise BrokerError("no answer")


class Run:
    """Owners over one log and one store, by seed; some are not aware that they were replaced."""

    def __init__(self, seed: int, kind: type[ExactlyOnceOwner] = ExactlyOnceOwner) -> None:
        self.chance = Random(seed)
        self.kind = kind
        self.faults = True
        self.log = MemoryLog(Signer(KEY, TOUCHPOINTS))
        self.store = Kept()
        self.feed = scenario(seed, PARTITIONS, 60)
        self.owners: dict[int, list[tuple[ExactlyOnceOwner, MemoryLog]]] = defaultdict(list)
        for partition in range(PARTITIONS):
            self.appoint(partition)

    def appoint(self, partition: int) -> None:
        """A new owner; the latest three go on as if nothing had happened."""
        view = MemoryLog(Signer(KEY, TOUCHPOINTS))  # reads at a place of its own
        view.topics, view.offsets = self.log.topics, self.log.offsets
        view.reached, view.epochs = self.log.reached, self.log.epochs
        records = self.chance.choice((1, 2, 7, 100))
        parts = Parts(
            pipelines(PARTITIONS), self.store, view, lambda: 0, cached=3, step_records=records
        )
        owner = self.kind(partition, parts, Faulty(view, self))
        self.owners[partition] = [*self.owners[partition][-2:], (owner, view)]

    async def turn(self, partition: int, which: int = -1) -> None:
        """Let an owner work a little; after a failure it must take over."""
        owner, view = self.owners[partition][which]
        try:
            hungry = owner.ready and not owner.busy
            await owner.work(view.read(partition, 20) if hungry else ())
            if self.chance.random() < 0.3:
                await owner.acknowledged()
        except BandshiftError:
            owner.ready = False

    async def go(self) -> None:
        """With faults for a while, then to the end without."""
        chance = self.chance
        for _ in range(150):
            partition = chance.randrange(PARTITIONS)
            if chance.random() < 0.5:
                self.arrive(partition, 1)
            if chance.random() < 0.05:
                self.appoint(partition)
            if chance.random() < 0.05:
                versions = self.store.versions[partition]
                back = chance.choice((1, 2, 5, len(versions)))
                self.store.partitions[partition] = _copy(versions[-min(back, len(versions))])
            await self.turn(partition, -1 - chance.randrange(len(self.owners[partition])) // 2)
        self.faults = False
        for partition in range(PARTITIONS):
            self.arrive(partition, len(self.feed[partition]))
            self.appoint(partition)
        for _ in range(200):
            for partition in range(PARTITIONS):
                await self.turn(partition)
        for partition in range(PARTITIONS):
            end = len(self.log.topics[TOUCHPOINTS, partition])
            assert self.store.partitions[partition].position == Position(end)
            assert self.log.reached[partition].position == Position(end)

    def arrive(self, partition: int, records: int) -> None:
        """The next records are appended to the log."""
        for _ in range(min(records, len(self.feed[partition]))):
            _, timestamp, key, value, headers = self.feed[partition].popleft()
            self.log.add(TOUCHPOINTS, partition, key, value, headers, timestamp)

    async def wrong(self) -> list[str]:
        """What is not as an undisturbed owner of the same log would have it."""
        expected: set[tuple[str, str, bytes | None]] = set()
        store, found = MemoryStore(), published(self.log)
        for partition in range(PARTITIONS):
            log = MemoryLog(Signer(KEY, TOUCHPOINTS))
            records = list(self.log.topics[TOUCHPOINTS, partition])
            log.topics[TOUCHPOINTS, partition] += records
            owner = Owner(partition, Parts(pipelines(PARTITIONS), store, log, lambda: 0))
            await owner.work(())
            await owner.work(records)
            while owner.busy:
                await owner.work(())
            await owner.acknowledged()
            del log.topics[TOUCHPOINTS, partition]  # what came in; forwards are in the others
            expected |= set(published(log))
        told = [f"twice: {each[:2]}" for each, times in found.items() if times > 1]
        told += [f"lost: {each[:2]}" for each in expected - set(found)]
        told += [f"too many: {each[:2]}" for each in set(found) - expected]
        if (await digest(self.store, range(PARTITIONS))) != (
            await digest(store, range(PARTITIONS))
        ):
            told.append("states differ")
        return told


async def run(seed: int, kind: type[ExactlyOnceOwner] = ExactlyOnceOwner) -> list[str]:
    """What is wrong after the run of a seed."""
    with patch.object(steps, "MOST_SCORINGS", MOST_SCORINGS):
        made = Run(seed, kind)
        await made.go()
        return await made.wrong()


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_published_twice_or_lost(seed: int) -> None:
    """Lost answers, new owners beside old ones, a store that falls back: each id once, and the undisturbed states."""
    assert await run(seed) == []


class _ForgetsTheCursor(ExactlyOnceOwner):
    """C is whole records only."""

    async def _read_committed(self) -> Position | None:
        found = await super()._read_committed()
        return found and Position(found.offset)


class _ForgetsWhatIsBuried(ExactlyOnceOwner):
    """Dead letters of a step that is worked out again are published again."""

    async def _bury(self, step: Step) -> None:
        self._buried = 0
        await super()._bury(step)


class _SkipsTheOutbox(ExactlyOnceOwner):
    """A step whose transaction was never committed counts as published."""

    async def take_over(self) -> None:
        with patch.object(self, "_publish", self._nothing):
            await super().take_over()

    async def _nothing(self, outputs: Sequence[Output], position: Position) -> None:
        del outputs
        self._committed, self._cursor = position


class _PublishesTheWholeOutbox(ExactlyOnceOwner):
    """A step that a former owner made across C, in a store that fell back, is published from its beginning."""

    def _unpublished(self, outbox: bytes) -> Sequence[Output]:
        return decode_outbox(outbox)


@pytest.mark.parametrize(
    "mutant", [_ForgetsTheCursor, _ForgetsWhatIsBuried, _SkipsTheOutbox, _PublishesTheWholeOutbox]
)
async def test_an_owner_without_a_safeguard_is_found_out(mutant: type[ExactlyOnceOwner]) -> None:
    """Whichever safeguard is left out, some seed shows it."""
    for seed in SEEDS:
        try:
            if await run(seed, mutant):
                return
        except AssertionError:
            return
    pytest.fail("nothing was wrong")


# -- piece by piece ------------------------------------------------------------------------------------------


async def test_a_former_owner_publishes_nothing_more() -> None:
    """From the moment another one begins, it is refused, and C is as the other one finds it."""
    log = MemoryLog(Signer(KEY, TOUCHPOINTS))
    transactions = MemoryTransactions(log)
    former = await transactions.fence(0)
    output = Output(SCORES, 0, b"k", b"{}", ())
    await former.send(Committed(Position(3, 2), 1), [output])
    await transactions.fence(0)
    with pytest.raises(RefusedError):
        await former.send(Committed(Position(4)), [output])
    assert await transactions.committed(0) == Committed(Position(3, 2), 1)
    assert len(log.topics[SCORES, 0]) == 1


async def test_steps_without_outputs_need_no_transaction() -> None:
    """C stays behind while nothing goes out, and follows when there is nothing to do."""
    world = World()
    world.control(Kind.TICK, START)
    world.control(Kind.TICK, START + 1)
    parts = Parts(world.pipelines, world.store, world.log, lambda: START)
    owner = ExactlyOnceOwner(0, parts, MemoryTransactions(world.log))
    await owner.work(())
    await owner.work(world.log.read(0, 10))
    assert world.log.offsets == {}
    assert owner.to_commit() is None
    await owner.work(())
    assert world.log.reached[0] == Committed(Position(2))


async def test_ends_of_transactions_are_left_behind() -> None:
    """Where the log ends in offsets that no record has, owner and C move on past them."""
    world = World()
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    parts = Parts(world.pipelines, world.store, world.log, lambda: START)
    owner = ExactlyOnceOwner(0, parts, MemoryTransactions(world.log))
    await owner.work(())
    await owner.work(world.log.read(0, 10))
    world.log.positions[0] = 4
    await owner.work(())
    assert world.store.partitions[0].position == Position(4)
    assert world.log.reached[0].position == Position(4)


@pytest.mark.parametrize(
    ("metadata", "cursor", "buried"), [("7:12", 7, 12), ("", 0, 0), ("somebody's", 0, 0)]
)
def test_what_stands_beside_an_offset(metadata: str, cursor: int, buried: int) -> None:
    """Cursor and buried are read back as written; an offset of somebody else's is whole records."""
    found = parse(5, metadata)
    assert found == Committed(Position(5, cursor), buried)
    assert parse(5, write(found)) == found


def test_delivery_is_a_setting() -> None:
    """At least once unless told otherwise; another word is refused."""
    assert WorkerSettings().delivery == "at_least_once"
    assert WorkerSettings(delivery="exactly_once").delivery == "exactly_once"
    with pytest.raises(ValidationError, match="exactly_once"):
        WorkerSettings(delivery="once")  # type: ignore[arg-type]

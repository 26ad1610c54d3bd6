"""The log with faults: what Kafka holds, and a worker's connections to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple, TypeVar

from stream.broker import deadletters
from stream.broker.memory import DEAD_LETTERS, MemoryLog, MemoryRecord
from stream.broker.port import Committed
from stream.errors import BrokerError, NotAMemberError
from stream.partition.control import Headers, Kind, Signer
from stream.partition.ledger import Position
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.partition.step import DeadLetter
from tests.support.faults.calls import Calls, Effect, Notes
from tests.support.faults.sent import sent

_T = TypeVar("_T")
_GAP: Final = (("gap", b""),)


class Commit(NamedTuple):
    """A commit that Kafka took: from where to where, and how many records had arrived by then."""

    partition: int
    before: int
    offset: int
    arrived: int


def visible(records: Sequence[MemoryRecord]) -> Sequence[MemoryRecord]:
    """What consumers see: ends of transactions, and records taken back, only take up offsets."""
    return [each for each in records if each.headers != _GAP]


class Journal(MemoryLog):
    """What Kafka holds, in which order it arrived, every commit, and which worker is the member."""

    def __init__(self, signer: Signer, notes: Notes) -> None:
        super().__init__(signer, lambda: int(self.wall * 1000))
        self.wall = 0.0
        self.notes = notes
        self.arrived: dict[tuple[str, int, int], int] = {}
        """(topic, partition, offset) -> place among all records."""
        self.commits: list[Commit] = []
        self.members: dict[int, str] = {}

    def add(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp: int | None = None,
    ) -> int:
        offset = super().add(topic, partition, key, value, headers, timestamp)
        self.arrived[topic, partition, offset] = len(self.arrived)
        return offset

    async def commit_of(self, who: str, offsets: Mapping[int, int]) -> None:
        """A commit of one worker; refused if it is no member any more."""
        for partition, offset in offsets.items():
            if self.members.get(partition) != who:
                self.notes.happened["commit of a former member"] += 1
                raise NotAMemberError(f"partition {partition} went to another worker")
            before = self.offsets.get(partition, 0)
            self.commits.append(Commit(partition, before, offset, len(self.arrived)))
        await self.commit(offsets)

    async def transact(
        self,
        partition: int,
        reached: Committed,
        outputs: Sequence[Output],
        dead: Sequence[DeadLetter],
    ) -> None:
        """A transaction that is committed: all of it at once, and an offset for its end where it forwards."""
        before = self.c_of(partition).position
        await self.publish(outputs)
        await self.bury(partition, dead)
        for home in sorted({each.partition for each in outputs if each.topic == TOUCHPOINTS}):
            self.skip(home, 1)
        position = reached.position
        self.offsets[partition], self.reached[partition] = position.offset, reached
        self.commits.append(Commit(partition, before.offset, position.offset, len(self.arrived)))
        if position < before:
            self.notes.broken.append(f"commits: C of {partition} went from {before} to {position}")

    def c_of(self, partition: int) -> Committed:
        """C with what stands beside it."""
        offset = self.offsets.get(partition, 0)
        found = self.reached.get(partition)
        return found if found and found.position.offset == offset else Committed(Position(offset))

    def skip(self, partition: int, offsets: int) -> None:
        """So many offsets of touchpoints are taken up by what nobody sees."""
        for _ in range(offsets):
            self.add(TOUCHPOINTS, partition, None, None, _GAP)


class FaultyLog:
    """One worker's connections to the log."""

    def __init__(self, who: str, journal: Journal, calls: Calls, chance: Random) -> None:
        self._who = who
        self._journal = journal
        self._calls = calls
        self._chance = chance
        self.position = 0
        self.outbox: Callable[[], frozenset[bytes]] = frozenset
        self.floor = 0
        """The C that the last take-over has read."""

    async def _ask(
        self, what: str, effect: Callable[[], Awaitable[_T]], later: Effect | None = None
    ) -> _T:
        return await self._calls.ask(self._who, what, effect, BrokerError, later)

    def read(self, partition: int, most: int) -> Sequence[MemoryRecord]:
        """The next touchpoints, up to `most`; reading moves on."""
        found = self._journal.topics[TOUCHPOINTS, partition][self.position : self.position + most]
        self.position += len(found)
        return visible(found)

    def seek(self, partition: int, offset: int) -> None:
        del partition
        self.position = offset

    async def committed(self, partition: int) -> int | None:
        found = await self._ask("committed", lambda: self._journal.committed(partition))
        self.floor = found or 0
        return found

    async def beginning(self, partition: int) -> int:
        return await self._ask("beginning", lambda: self._journal.beginning(partition))

    async def end(self, partition: int) -> int:
        return await self._ask("end", lambda: self._journal.end(partition))

    async def commit(self, offsets: Mapping[int, int]) -> None:
        # Never late: one connection carries them in their order, and a new member ends the old one's.
        await self._ask("commit", lambda: self._journal.commit_of(self._who, offsets))

    async def publish(self, outputs: Sequence[Output]) -> None:
        for topic, _, key, value, headers, _ in outputs:
            self.look(topic, key, value, headers)

        async def part() -> None:
            await self._journal.publish(self._part(outputs))

        await self._ask("publish", lambda: self._journal.publish(outputs), part)

    def _part(self, outputs: Sequence[Output]) -> list[Output]:
        """Some of them: of forwards the first ones, of all others any, in any order."""
        forwards = [each for each in outputs if each.topic == TOUCHPOINTS]
        others = [each for each in outputs if each.topic != TOUCHPOINTS]
        chance = self._chance
        return [
            *forwards[: chance.randint(0, len(forwards))],
            *chance.sample(others, chance.randint(0, len(others))),
        ]

    async def bury(self, partition: int, dead: Sequence[DeadLetter]) -> None:
        for each in dead:
            key, value, headers, _ = deadletters.row(TOUCHPOINTS, partition, each)
            self.look(DEAD_LETTERS, key, value, headers)

        async def some() -> None:
            await self._journal.bury(partition, dead[: self._chance.randint(0, len(dead))])

        await self._ask("bury", lambda: self._journal.bury(partition, dead), some)

    async def append(self, partition: int, kind: Kind, what: str = "", version: int = 0) -> None:
        async def one() -> None:
            await self._journal.append(partition, kind, what, version)

        await self._ask("append", one, one)

    def look(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Note what is sent again from before the C that the last take-over has read."""
        found = sent(topic, key, value, headers)
        if found and found.offset < self.floor and found.body not in self.outbox():
            self._journal.notes.broken.append(
                f"silence: after a take-over at C={self.floor}, sent again: {topic} of "
                f"{found.partition}/{found.offset}"
            )

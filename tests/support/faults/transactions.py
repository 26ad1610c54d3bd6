"""Transactions with faults: what Kafka holds, and a worker's producers, one after each take-over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TypeVar

from stream.broker import deadletters
from stream.broker.memory import DEAD_LETTERS
from stream.broker.port import Committed, Transactor
from stream.errors import BrokerError, NotAMemberError, RefusedError
from stream.partition.outputs import TOUCHPOINTS, Output
from stream.partition.step import DeadLetter
from tests.support.faults.calls import Calls, Effect
from tests.support.faults.log import FaultyLog, Journal

_T = TypeVar("_T")


class FaultyTransactions:
    """One worker's connections, those of its log besides."""

    def __init__(
        self, who: str, journal: Journal, calls: Calls, log: FaultyLog, chance: Random
    ) -> None:
        self.journal = journal
        self.log = log
        self.chance = chance
        self._who = who
        self._calls = calls

    async def ask(
        self,
        what: str,
        effect: Callable[[], Awaitable[_T]],
        later: Effect | None = None,
        lost: Effect | None = None,
    ) -> _T:
        """One call, which ends as the schedule has it."""
        return await self._calls.ask(self._who, what, effect, BrokerError, later, lost)

    async def confirm(self, partition: int) -> None:
        async def look() -> None:
            if self.journal.members.get(partition) != self._who:
                self.journal.notes.happened["former member not confirmed"] += 1
                raise NotAMemberError(f"partition {partition} went to another worker")

        await self.ask("confirm", look)

    async def fence(self, partition: int) -> Transactor:
        async def begin() -> int:
            self.journal.epochs[partition] += 1
            return self.journal.epochs[partition]

        return FaultyTransactor(self, partition, await self.ask("fence", begin, begin))

    async def committed(self, partition: int) -> Committed | None:
        async def look() -> Committed | None:
            known = partition in self.journal.offsets
            return self.journal.c_of(partition) if known else None

        found = await self.ask("committed", look)
        self.log.floor = found.position.offset if found else 0
        return found

    async def next(self, partition: int) -> int:
        """Known to the client: there is nothing that could go wrong."""
        del partition
        return self.log.position


class FaultyTransactor:
    """A producer of one partition, until its first error or a newer one."""

    def __init__(self, transactions: FaultyTransactions, partition: int, epoch: int) -> None:
        self._transactions = transactions
        self._partition = partition
        self._epoch = epoch
        self._spent = self._sending = False

    async def send(
        self,
        reached: Committed,
        outputs: Sequence[Output] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        assert not self._spent, "an error was this one's last word"
        assert not self._sending, "one transaction at a time"
        self._look(outputs, dead)
        done = False

        async def whole() -> None:
            nonlocal done
            self._check()
            if not done:  # the broker knows a request that comes twice
                done = True
                await journal.transact(self._partition, reached, outputs, dead)

        async def taken_back() -> None:
            self._check()
            homes = Counter(each.partition for each in outputs if each.topic == TOUCHPOINTS)
            for home, most in sorted(homes.items()):
                journal.skip(home, 1 + self._transactions.chance.randint(1, most))

        journal = self._transactions.journal
        self._sending = True
        try:
            await self._transactions.ask("send", whole, whole, taken_back)
        except BaseException:
            self._spent = True
            raise
        finally:
            self._sending = False

    def _check(self) -> None:
        journal = self._transactions.journal
        if journal.epochs[self._partition] != self._epoch:
            journal.notes.happened["transaction of a former owner"] += 1
            raise RefusedError(f"partition {self._partition}: another worker publishes for it")

    def _look(self, outputs: Sequence[Output], dead: Sequence[DeadLetter]) -> None:
        look = self._transactions.log.look
        for each in outputs:
            look(each.topic, each.key, each.value, each.headers)
        for letter in dead:
            key, value, headers, _ = deadletters.row(TOUCHPOINTS, self._partition, letter)
            look(DEAD_LETTERS, key, value, headers)

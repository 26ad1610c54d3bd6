"""The store with faults: what Redis holds, and a worker's connection to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from stream.errors import StoreError
from stream.partition.ledger import Position
from stream.partition.outbox import decode_outbox
from stream.store.memory import MemoryStore, _Partition
from stream.store.port import Standing, Write
from tests.support.faults.calls import Calls, Effect, Notes
from tests.support.faults.sent import sent

_T = TypeVar("_T")


@dataclass
class Version(_Partition):
    """A partition at some time; `holder` made the newest claim that survives, however claims are checked."""

    holder: str = ""


class Kept(MemoryStore):
    """What Redis holds, and every version that it ever held."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes
        self.versions: dict[int, list[Version]] = defaultdict(lambda: [Version()])

    def _at(self, partition: int) -> Version:
        found = self.partitions.setdefault(partition, Version())
        assert isinstance(found, Version)
        return found

    def fall_back(self, partition: int, back: int) -> None:
        """Be again as it was so many versions ago; as at the very beginning where there are not so many."""
        versions = self.versions[partition]
        self.partitions[partition] = _copy(versions[max(0, len(versions) - 1 - back)])

    async def claim(self, partition: int, claim: str) -> Standing:
        standing = await super().claim(partition, claim)
        found = self._at(partition)
        found.holder = claim
        self.versions[partition].append(_copy(found))
        return standing

    async def apply(self, partition: int, claim: str, base: Position | None, write: Write) -> None:
        holder = self._at(partition).holder
        await super().apply(partition, claim, base, write)
        self.versions[partition].append(_copy(self._at(partition)))
        if claim != holder:
            self._notes.broken.append(
                f"claims: a step to {partition}/{write.position} was applied under a former claim"
            )


def _copy(partition: Version) -> Version:
    return replace(partition, states=dict(partition.states), due=dict(partition.due))


class FaultyStore:
    """One worker's connection to the store."""

    def __init__(self, who: str, kept: Kept, calls: Calls) -> None:
        self._who = who
        self._kept = kept
        self._calls = calls
        self.claims = 0
        self.outbox: frozenset[bytes] = frozenset()
        """Bodies in the outbox, as the last claim found it."""

    async def _ask(
        self, what: str, effect: Callable[[], Awaitable[_T]], later: Effect | None = None
    ) -> _T:
        return await self._calls.ask(self._who, what, effect, StoreError, later)

    async def claim(self, partition: int, claim: str) -> Standing:
        async def take() -> Standing:
            return await self._kept.claim(partition, claim)

        standing = await self._ask("claim", take, take)
        self.claims += 1
        found = decode_outbox(standing.outbox) if standing.outbox else []
        known = (sent(each.topic, each.key, each.value, each.headers) for each in found)
        self.outbox = frozenset(each.body for each in known if each)
        return standing

    async def hold(self, partition: int, claim: str, position: Position | None) -> None:
        await self._ask("hold", lambda: self._kept.hold(partition, claim, position))

    async def load(
        self, partition: int, claim: str, position: Position | None, customers: Sequence[str]
    ) -> list[bytes | None]:
        return await self._ask(
            "load", lambda: self._kept.load(partition, claim, position, customers)
        )

    async def due(
        self, partition: int, claim: str, position: Position | None, low: int, high: int, most: int
    ) -> tuple[list[tuple[str, int]], int]:
        return await self._ask(
            "due", lambda: self._kept.due(partition, claim, position, low, high, most)
        )

    async def apply(self, partition: int, claim: str, base: Position | None, write: Write) -> None:
        async def step() -> None:
            await self._kept.apply(partition, claim, base, write)

        await self._ask("apply", step, step)

    async def read(self, partition: int, customer_id: str) -> bytes | None:
        return await self._kept.read(partition, customer_id)

    async def standings(self, partitions: Sequence[int]) -> list[Standing]:
        return await self._kept.standings(partitions)

    def customers(self, partition: int) -> AsyncIterator[list[tuple[str, bytes]]]:
        return self._kept.customers(partition)

    async def close(self) -> None:
        return

"""The store's in-memory twin, for unit tests and simulations: the same port, the same contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from stream.errors import RefusedError
from stream.partition.ledger import Position
from stream.store.port import Standing, Write


@dataclass
class _Partition:
    claim: str | None = None
    position: Position | None = None
    ledger: bytes | None = None
    outbox: bytes | None = None
    states: dict[str, bytes] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)


class MemoryStore:
    """A `Store` in this process's memory."""

    def __init__(self) -> None:
        self.partitions: dict[int, _Partition] = {}

    def _at(self, partition: int) -> _Partition:
        return self.partitions.setdefault(partition, _Partition())

    def _held(self, partition: int, claim: str, position: Position | None) -> _Partition:
        found = self._at(partition)
        if found.claim != claim or found.position != position:
            raise RefusedError(f"partition {partition} was taken over")
        return found

    async def claim(self, partition: int, claim: str) -> Standing:
        found = self._at(partition)
        found.claim = claim
        return Standing(found.position, found.ledger, found.outbox)

    async def hold(self, partition: int, claim: str, position: Position | None) -> None:
        self._held(partition, claim, position)

    async def load(
        self, partition: int, claim: str, position: Position | None, customers: Sequence[str]
    ) -> list[bytes | None]:
        states = self._held(partition, claim, position).states
        return [states.get(customer_id) for customer_id in customers]

    async def due(
        self, partition: int, claim: str, position: Position | None, low: int, high: int, most: int
    ) -> tuple[list[tuple[str, int]], int]:
        found = self._held(partition, claim, position).due.items()
        inside = sorted((due, customer_id) for customer_id, due in found if low <= due < high)
        if len(inside) > most:
            high = inside[most - 1][0] + 1
        return [(customer_id, due) for due, customer_id in inside if due < high], high

    async def apply(self, partition: int, claim: str, base: Position | None, write: Write) -> None:
        found = self._held(partition, claim, base)
        found.position, found.ledger, found.outbox = write.position, write.ledger, write.outbox
        for customer_id, state, due in write.changes:
            found.states[customer_id] = state
            found.due[customer_id] = due

    async def read(self, partition: int, customer_id: str) -> bytes | None:
        return self._at(partition).states.get(customer_id)

    async def standings(self, partitions: Sequence[int]) -> list[Standing]:
        found = (self._at(partition) for partition in partitions)
        return [Standing(each.position, each.ledger, None) for each in found]

    async def customers(self, partition: int) -> AsyncIterator[list[tuple[str, bytes]]]:
        yield list(self._at(partition).states.items())

    async def close(self) -> None:
        return

"""What the owner of a partition asks of a store, and what readers ask of it.

Everything of one partition is written in one atomic step. A step is applied only under the claim last set,
and only at the position it was computed from; so a former owner is refused, and nothing is applied twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from stream.partition.ledger import Position


class Standing(NamedTuple):
    """Where a partition stands. All None in a store that knows nothing of it."""

    position: Position | None
    ledger: bytes | None
    outbox: bytes | None


class Change(NamedTuple):
    """A customer's new state, and when it is due next (seconds since 1970)."""

    customer_id: str
    state: bytes
    due: int


class Write(NamedTuple):
    """What one step stores."""

    position: Position
    ledger: bytes
    outbox: bytes
    changes: Sequence[Change]


class Store(Protocol):
    """All methods raise StoreError where the store does not answer.

    Those that take a claim and a position raise RefusedError where the store has others.
    """

    async def claim(self, partition: int, claim: str) -> Standing:
        """Make `claim` the one claim of the partition, and say where it stands."""

    async def hold(self, partition: int, claim: str, position: Position | None) -> None:
        """Return if claim and position are still these."""

    async def load(
        self, partition: int, claim: str, position: Position | None, customers: Sequence[str]
    ) -> list[bytes | None]:
        """The states of these customers, None where there is none."""

    async def due(
        self, partition: int, claim: str, position: Position | None, low: int, high: int, most: int
    ) -> tuple[list[tuple[str, int]], int]:
        """Customers due from `low` up to `high` (excluded), about `most` of them, and up to where that is all."""

    async def apply(self, partition: int, claim: str, base: Position | None, write: Write) -> None:
        """Apply a step computed at `base`: all of it or nothing."""

    async def read(self, partition: int, customer_id: str) -> bytes | None:
        """One customer's state, for a reader."""

    async def standings(self, partitions: Sequence[int]) -> list[Standing]:
        """Where partitions stand (outboxes left out), for a reader."""

    def customers(self, partition: int) -> AsyncIterator[list[tuple[str, bytes]]]:
        """All states of a partition, in parts, in no order, for a reader."""

    async def close(self) -> None:
        """Let go of connections."""

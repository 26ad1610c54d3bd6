"""The owner of a partition whose outputs and offsets are one transaction per step: nothing is published twice.

C is a full position: a step may end amid the due scorings of a record. It moves in the transaction that holds the
step's outputs, never by itself: a commit of a former owner could put it back. So after a loss of the store the
silent part ends exactly where publishing has got to. Dead letters are published before their step, in a
transaction that notes up to where; so a step that is worked out again leaves them out. docs/adr/0012.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from stream.agents.owner import Owner, Parts
from stream.broker.port import Committed, Transactions, Transactor
from stream.partition.intake import Record
from stream.partition.ledger import Position, encode_ledger
from stream.partition.outbox import encode_placed, outputs_from
from stream.partition.outputs import Output
from stream.partition.step import Step
from stream.store.port import Write

_FEW: Final = 100
"""After fewer records an owner waits for its transaction: each costs the broker some 5 ms, whatever is in it."""
_NO_OUTPUTS: Final = msgspec.msgpack.encode([])


class ExactlyOnceOwner(Owner):
    """An owner who publishes each step in a transaction."""

    _transactor: Transactor

    def __init__(self, partition: int, parts: Parts, transactions: Transactions) -> None:
        super().__init__(partition, parts)
        self._transactions = transactions
        self._buried = 0
        """Dead letters of records before this offset are published."""

    # -- taking over -----------------------------------------------------------------------------------

    async def _enter(self) -> None:
        """Make sure of membership, and that no former owner publishes any more: only then C stands still."""
        await self._transactions.confirm(self.partition)
        self._transactor = await self._transactions.fence(self.partition)

    async def _read_committed(self) -> Position | None:
        found = await self._transactions.committed(self.partition)
        self._buried = found.buried if found else 0
        return found.position if found else None

    # -- work ------------------------------------------------------------------------------------------

    async def work(self, records: Sequence[Record]) -> None:
        """As any owner; after few records wait for the transaction, so that what comes meanwhile is one step."""
        await super().work(records)
        if not self.busy and len(records) < _FEW:
            await self.acknowledged()

    async def _idle(self) -> None:
        await super()._idle()
        position = self._position
        if position is None:
            return
        following = await self._transactions.next(self.partition)
        if following > position.offset:
            position = await self._pass(Position(following))
        if position > self._stop:
            await self._publish((), position)

    async def _pass(self, position: Position) -> Position:
        """Leave the ends of transactions behind: they take up offsets, and records would seem to wait for ever."""
        write = Write(position, encode_ledger(self._ledger), _NO_OUTPUTS, [])
        await self._parts.store.apply(self.partition, self._claim, self._position, write)
        self._position = position
        return position

    # -- outputs ---------------------------------------------------------------------------------------

    def _encode_outbox(self, step: Step) -> bytes:
        return encode_placed(step)

    def _unpublished(self, outbox: bytes) -> Sequence[Output]:
        """What lies beyond C: in a store that fell back a former owner may have made a step across it."""
        return outputs_from(outbox, self._stop)

    async def _publish(self, outputs: Sequence[Output], position: Position) -> None:
        await self._transactor.send(Committed(position, self._buried), outputs)
        self._committed, self._cursor = position

    async def _bury(self, step: Step) -> None:
        """C stays: the step that these belong to is not stored yet."""
        await self.acknowledged()
        dead = [each for each in step.dead if each.record.offset >= self._buried]
        if not dead:
            return
        buried = step.position.offset
        await self._transactor.send(Committed(self._stop, buried), dead=dead)
        self._buried = buried

    def to_commit(self) -> int | None:
        """Nothing: C moves with the outputs."""
        return None

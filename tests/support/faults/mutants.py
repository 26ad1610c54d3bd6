"""The protocol with one safeguard left out at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from stream.agents.owner import Owner
from stream.errors import RefusedError
from stream.partition.ledger import Position
from stream.partition.step import Entry
from stream.store.memory import _Partition
from stream.store.port import Standing, Write
from tests.support.faults.schedule import Mutation
from tests.support.faults.store import Kept

_NO_OUTPUTS: Final = msgspec.msgpack.encode([])


class _CommitsEarly(Owner):
    """C follows N, whether or not the outputs before it are acknowledged."""

    def to_commit(self) -> int | None:
        position = self._position
        if not self.ready or position is None or position.offset <= self._committed:
            return None
        return position.offset


class _ChecksNoClaim(Kept):
    """The exact position is enough."""

    def _held(self, partition: int, claim: str, position: Position | None) -> _Partition:
        del claim
        found = self._at(partition)
        if found.position != position:
            raise RefusedError("the store is elsewhere")
        return found


class _ChecksNothing(Kept):
    """No claim, and any position up to that of the step will do."""

    def _held(self, partition: int, claim: str, position: Position | None) -> _Partition:
        del claim, position
        return self._at(partition)


class ChecksNoReads(Kept):
    """States are read whoever asks, wherever the store is."""

    async def load(
        self, partition: int, claim: str, position: Position | None, customers: Sequence[str]
    ) -> list[bytes | None]:
        del claim, position
        states = self._at(partition).states
        return [states.get(customer_id) for customer_id in customers]


class HoldsAnything(Kept):
    """An owner without work never hears that the store is elsewhere."""

    async def hold(self, partition: int, claim: str, position: Position | None) -> None:
        del partition, claim, position


class _StoresNoOutbox(Kept):
    """A step is stored without its outputs."""

    async def apply(self, partition: int, claim: str, base: Position | None, write: Write) -> None:
        await super().apply(partition, claim, base, write._replace(outbox=_NO_OUTPUTS))


class _HandsOutNoOutbox(Kept):
    """Whoever takes over finds no outbox, and so does not send it again."""

    async def claim(self, partition: int, claim: str) -> Standing:
        return (await super().claim(partition, claim))._replace(outbox=None)


class _ComparesOffsets(Owner):
    """The outbox counts as sent where N and C are at the same record, even amid its due scorings."""

    _same = False

    def _check_states(self) -> None:
        super()._check_states()
        self._same = self._position is not None and self._position.offset == self._committed
        self._committed += self._same

    async def take_over(self) -> None:
        self._same = False
        await super().take_over()
        self._committed -= self._same
        self._published = max(self._committed, self._position.offset if self._position else 0)


class _PublishesSilentSteps(Owner):
    """What lies before C is published again."""

    async def _step(self, entries: Sequence[Entry]) -> tuple[int, bool]:
        committed, self._committed = self._committed, 0
        try:
            return await super()._step(entries)
        finally:
            self._committed = committed


class _StepsSilentlyPastC(Owner):
    """A step that begins before C is silent to its end."""

    async def _step(self, entries: Sequence[Entry]) -> tuple[int, bool]:
        committed, last = self._committed, entries[-1].record.offset
        if entries[0].record.offset >= committed:
            return await super()._step(entries)
        self._committed = max(committed, last + 1)
        try:
            return await super()._step(entries)
        finally:
            self._committed = committed
            reached = self._position.offset if self._position else 0
            self._published = max(committed, reached)


class _StepsEarly(Owner):
    """A step is applied though the outputs of the one before are not acknowledged."""

    _stepping = False

    async def _step(self, entries: Sequence[Entry]) -> tuple[int, bool]:
        self._stepping = True
        try:
            return await super()._step(entries)
        finally:
            self._stepping = False

    async def acknowledged(self) -> None:
        if not self._stepping:
            await super().acknowledged()


class _ProvesNoMembership(Owner):
    """A former member claims as if it still were one."""

    async def take_over(self) -> None:
        self._was_member = False
        await super().take_over()


class _CommitsN(Owner):
    """Membership is proved by a commit of N."""

    async def _drop(self) -> None:
        await super()._drop()
        if self._position is not None:
            self._published = self._position.offset


class _CommitsNought(Owner):
    """A first take-over that fails leaves behind that nothing was published."""

    async def take_over(self) -> None:
        first = not self._was_member
        try:
            await super().take_over()
        finally:
            if first and not self.ready:
                self._published = 0


class _KeepsStates(Owner):
    """States in memory are kept over a take-over."""

    async def take_over(self) -> None:
        self._known = self._states or getattr(self, "_known", {})
        await super().take_over()
        self._states = self._known


MUTATIONS: Final = (
    ("offsets committed before publishing", "commits", Mutation(owner=_CommitsEarly)),
    ("claim not checked", "claims", Mutation(kept=_ChecksNoClaim)),
    ("neither claim nor position checked", "states", Mutation(kept=_ChecksNothing)),
    ("outbox not stored", "outputs", Mutation(kept=_StoresNoOutbox)),
    ("outbox not sent again", "outputs", Mutation(kept=_HandsOutNoOutbox)),
    ("N compared with C by offset alone", "outputs", Mutation(owner=_ComparesOffsets)),
    ("silent part published", "silence", Mutation(owner=_PublishesSilentSteps)),
    ("silent step not cut at C", "outputs", Mutation(owner=_StepsSilentlyPastC)),
    ("next step before acknowledgement", "outputs", Mutation(owner=_StepsEarly)),
    ("membership not proved", "membership", Mutation(owner=_ProvesNoMembership)),
    ("membership proved by committing N", "commits", Mutation(owner=_CommitsN)),
    ("failed first take-over commits nought", "commits", Mutation(owner=_CommitsNought)),
    ("states kept over a take-over", "states", Mutation(owner=_KeepsStates)),
)
"""What is left out, the promise that this must break, and the protocol without it."""

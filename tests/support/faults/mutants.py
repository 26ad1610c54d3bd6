"""The protocol with one safeguard left out at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from stream.agents.owner import Owner
from stream.errors import RefusedError
from stream.partition.ledger import Position, decode_ledger, encode_ledger
from stream.partition.step import Entry
from stream.store.port import Standing, Write
from tests.support.faults.calls import Notes
from tests.support.faults.run import Mutation
from tests.support.faults.store import Kept, Version

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

    def _held(self, partition: int, claim: str, position: Position | None) -> Version:
        del claim
        found = self._at(partition)
        if found.position != position:
            raise RefusedError("the store is elsewhere")
        return found


class _ChecksNothing(Kept):
    """No claim, and any position up to that of the step will do."""

    def _held(self, partition: int, claim: str, position: Position | None) -> Version:
        del claim, position
        return self._at(partition)


class _CountsClaims(Kept):
    """The claim is a number one greater than the one before: it falls back with the store."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._numbers: dict[str, str] = {}

    async def claim(self, partition: int, claim: str) -> Standing:
        number = str(int(self._at(partition).claim or "0") + 1)
        standing = await super().claim(partition, claim)
        self._numbers[claim] = self._at(partition).claim = number
        self.versions[partition][-1].claim = number
        return standing

    def _held(self, partition: int, claim: str, position: Position | None) -> Version:
        super()._held(partition, self._numbers[claim], position)
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


class _StoresVersionsLate(Kept):
    """What a step adopts is stored with the step after it."""

    async def apply(self, partition: int, claim: str, base: Position | None, write: Write) -> None:
        before = decode_ledger(self._at(partition).ledger)
        ledger = decode_ledger(write.ledger)
        if ledger.versions != before.versions and before.clock:
            ledger.versions = before.versions
            ledger.settings = before.settings
            ledger.types, ledger.states = before.types, before.states
            write = write._replace(ledger=encode_ledger(ledger))
        await super().apply(partition, claim, base, write)


class _ComparesOffsets(Owner):
    """The outbox counts as sent where N and C are at the same record, even amid its due scorings."""

    def _is_beyond_c(self, position: Position) -> bool:
        return position.offset > self._committed


class _ComparesNothing(Owner):
    """Whoever takes over goes on from N, as if C were there too."""

    async def take_over(self) -> None:
        await super().take_over()
        if self._position is not None:
            self._committed = self._published = self._position.offset


class _CommitsHalfDone(Owner):
    """C passes a record as soon as some of its due scorings are published."""

    def to_commit(self) -> int | None:
        position, found = self._position, super().to_commit()
        half = self.ready and position is not None and position.cursor > 0
        if half and position is not None and self._published == position.offset:
            return max(position.offset + 1, self._committed)
        return found


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


READS_UNCHECKED: Final = "states read without claim and position"
MUTATIONS: Final = (
    ("offsets committed before publishing", "commits", Mutation(owner=_CommitsEarly)),
    ("claim not checked", "claims", Mutation(kept=_ChecksNoClaim)),
    ("neither claim nor position checked", "states", Mutation(kept=_ChecksNothing)),
    ("claim a counter", "claims", Mutation(kept=_CountsClaims)),
    (READS_UNCHECKED, "states", Mutation(kept=ChecksNoReads)),
    ("offsets committed past a record half done", "commits", Mutation(owner=_CommitsHalfDone)),
    ("adopted version not stored with its step", "outputs", Mutation(kept=_StoresVersionsLate)),
    ("N not compared with C", "silence", Mutation(owner=_ComparesNothing)),
    ("no look at claim and position without work", "end", Mutation(kept=HoldsAnything)),
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

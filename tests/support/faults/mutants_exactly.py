"""Exactly-once delivery with one safeguard left out at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from unittest.mock import patch

from stream.agents.exactly import ExactlyOnceOwner
from stream.broker.port import Committed
from stream.partition.ledger import Position
from stream.partition.outbox import decode_outbox
from stream.partition.outputs import Output
from stream.partition.step import Step
from tests.support.faults.run import Mutation


class _FencesLate(ExactlyOnceOwner):
    """C is read while a former owner's transaction may still be committed."""

    async def _enter(self) -> None:
        await self._transactions.confirm(self.partition)

    async def _read_committed(self) -> Position | None:
        found = await super()._read_committed()
        self._transactor = await self._transactions.fence(self.partition)
        return found


class _FencesOnce(ExactlyOnceOwner):
    """After an error the same producer goes on."""

    async def _enter(self) -> None:
        await self._transactions.confirm(self.partition)
        if not self._was_member:
            self._transactor = await self._transactions.fence(self.partition)


class _ConfirmsNothing(ExactlyOnceOwner):
    """A former member fences and claims as if it still were one."""

    async def _enter(self) -> None:
        self._transactor = await self._transactions.fence(self.partition)


class _CommitsToEnter(ExactlyOnceOwner):
    """Membership is proved by a plain commit, which puts C back."""

    async def _enter(self) -> None:
        if self._was_member:
            await self._parts.log.commit({self.partition: self._committed})
        await super()._enter()


class PublishesTheWholeOutbox(ExactlyOnceOwner):
    """A step that a former owner made across C, in a store that fell back, is published from its beginning."""

    def _unpublished(self, outbox: bytes) -> Sequence[Output]:
        return decode_outbox(outbox)


class _SkipsTheOutbox(ExactlyOnceOwner):
    """A step whose transaction was never committed counts as published."""

    async def take_over(self) -> None:
        with patch.object(self, "_publish", self._nothing):
            await super().take_over()

    async def _nothing(self, outputs: Sequence[Output], position: Position) -> None:
        del outputs
        self._committed, self._cursor = position


class _NotesNoBurials(ExactlyOnceOwner):
    """Dead letters go out, and nothing tells up to where."""

    async def _bury(self, step: Step) -> None:
        before = self._buried
        await self.acknowledged()
        dead = [each for each in step.dead if each.record.offset >= before]
        if dead:
            await self._transactor.send(Committed(self._stop, before), dead=dead)


class _BuriesWithTheStep(ExactlyOnceOwner):
    """The transaction of the dead letters moves C as if the step were stored and published."""

    async def _bury(self, step: Step) -> None:
        await super()._bury(step)
        if step.dead:
            await self._transactor.send(Committed(step.position, self._buried))


class _StopsAtWholeRecords(ExactlyOnceOwner):
    """The silent part ends before the record amid which C stands."""

    async def _read_committed(self) -> Position | None:
        found = await super()._read_committed()
        return found and Position(found.offset)


class _StopsBehindTheRecord(ExactlyOnceOwner):
    """The silent part goes on to the end of the record amid which C stands."""

    async def _read_committed(self) -> Position | None:
        found = await super()._read_committed()
        return found and Position(found.offset + (found.cursor > 0))


class _StepsEarly(ExactlyOnceOwner):
    """A step is applied though the transaction of the one before may fail: its outbox is gone."""

    async def _apply(self, step: Step) -> None:
        acks, self._acks = self._acks, None
        await super()._apply(step)
        if acks is not None:
            await acks

    async def acknowledged(self) -> None:
        return


class _StaysBeforeTheEnds(ExactlyOnceOwner):
    """Offsets that the ends of transactions take up are waited for."""

    async def _pass(self, position: Position) -> Position:
        del position
        return self._position or Position(0)


def _without(owner: type[ExactlyOnceOwner]) -> Mutation:
    return Mutation(owner=owner)


WHOLE_OUTBOX: Final = "outbox not cut at C"
EXACTLY_ONCE_MUTATIONS: Final = (
    ("C read before fencing", "twice", _without(_FencesLate)),
    ("a producer used after its error", "errors", _without(_FencesOnce)),
    ("membership not confirmed", "membership", _without(_ConfirmsNothing)),
    ("membership proved by a plain commit", "commits", _without(_CommitsToEnter)),
    (WHOLE_OUTBOX, "twice", _without(PublishesTheWholeOutbox)),
    ("outbox not published at a take-over", "outputs", _without(_SkipsTheOutbox)),
    ("burials not noted", "twice", _without(_NotesNoBurials)),
    ("C moved by a burial", "outputs", _without(_BuriesWithTheStep)),
    ("silent part ends at whole records, before C", "twice", _without(_StopsAtWholeRecords)),
    ("silent part ends at whole records, beyond C", "outputs", _without(_StopsBehindTheRecord)),
    ("next step before the transaction's end", "outputs", _without(_StepsEarly)),
    ("ends of transactions not left behind", "end", _without(_StaysBeforeTheEnds)),
)
"""What is left out, the promise that this must break, and exactly-once delivery without it."""

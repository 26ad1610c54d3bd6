"""The owner of one partition: every step is stored at once or not at all, and nothing is published twice.

N is the position in the store, C the offset committed in the log. A step is applied only under this owner's
claim and only at the position it was computed from. Its outputs are stored with it (the outbox), and the
next step waits until the broker has acknowledged them. C never passes an output that is not acknowledged.

Taking over is the one way in, after an assignment, a refusal, a time-out and a failure alike: drop what is
in memory, make sure of membership, claim, read N and the outbox, read C. N beyond C: publish the outbox
again (same ids, same bodies). N before C (the store came back older, or empty): work silently up to C, for
those outputs were acknowledged. docs/adr/0002 says why this is right, and how it was explored.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import uuid4

from schemas.home import home
from stream.agents.fitting import check_end, check_partitions, check_reach, check_states, check_tail
from stream.agents.needs import Needs
from stream.agents.waiting import Arrivals
from stream.agents.watch import Standing
from stream.broker.port import Log
from stream.errors import RefusedError
from stream.features.codec import decode, encode
from stream.features.state import CustomerState
from stream.partition.control import Kind
from stream.partition.dues import DueQueue
from stream.partition.intake import Event, Record
from stream.partition.ledger import END, Ledger, Position, decode_ledger, encode_ledger
from stream.partition.outbox import decode_outbox, encode_outbox
from stream.partition.outputs import Output
from stream.partition.step import MOST_CUSTOMERS, Entry, Step
from stream.pipeline import Pipeline, Pipelines, turned
from stream.store.port import Change, Store, Write

logger = logging.getLogger("bandshift.worker")

_DUES_READ: Final = 2_000
_LOOK_AHEAD: Final = 3_600
"""Seconds of the log's time for which customers falling due are read ahead."""


@dataclass(frozen=True)
class Parts:
    """What all owners of a worker share."""

    pipelines: Pipelines
    store: Store
    log: Log
    wall: Callable[[], float]
    """Seconds since 1970 by this machine's clock: decides when to append a tick, never what is decided."""
    cached: int = 50_000
    """States kept in memory, per partition."""
    step_records: int = 1_000
    arrivals: Arrivals | None = None
    """Of models; None where nothing is learned, or all of it is known."""
    tail: Callable[[int, int], Awaitable[str]] | None = None
    """Looks up what the record of a partition at an offset is known by; None: the log is always the same."""
    accept_loss: bool = False
    """Whether to go on where the log no longer reaches back to the states."""
    steps_at_once: int = 10
    """After so many steps an owner lets the others go on: a long silence must not hold up a poll."""


class Owner:
    """Works on one partition for as long as it holds the claim."""

    def __init__(self, partition: int, parts: Parts) -> None:
        self.partition = partition
        self._parts = parts
        self._claim = ""
        self._position: Position | None = None
        self._committed = 0
        self._cursor = 0
        """Of C; 0 where only whole records are committed."""
        self._published = 0
        self._ledger = Ledger()
        self._pipeline: Pipeline = parts.pipelines.get("")
        self._dues = DueQueue()
        self._states: dict[str, CustomerState] = {}
        self._todo: list[Record] = []
        self._read: list[Entry] = []
        """Those of the records to do that were read already: they come before `_todo`."""
        self._acks: asyncio.Task[None] | None = None
        self._was_member = False
        self._ticked = False
        self._needs = Needs(partition, parts.arrivals)
        self.ready = False
        """False: it must take over before it works."""

    @property
    def busy(self) -> bool:
        """Whether it has records still to take in, and wants no more for now."""
        return bool(self._read or self._todo)

    @property
    def _stop(self) -> Position:
        """C: all that lies before it is published."""
        return Position(self._committed, self._cursor)

    def _is_beyond_c(self, position: Position) -> bool:
        """Whether outputs of the step that led there may never have been published."""
        return position > self._stop

    def standing(self, unread: int) -> Standing:
        """How far it has come; so many records lie in the log that were not handed over yet."""
        hand = len(self._read) + len(self._todo)
        # Not to be able to take over is work enough.
        lag = max(hand, unread, 0 if self.ready else 1)
        return Standing(self._position, lag, self._needs.waits)

    # -- taking over -----------------------------------------------------------------------------------

    async def take_over(self) -> None:
        """Make the partition this owner's, and get to where it stands."""
        parts, partition = self._parts, self.partition
        await self._drop()
        await self._enter()
        self._claim = uuid4().hex
        position, ledger, outbox = await parts.store.claim(partition, self._claim)
        committed = await self._read_committed()
        beginning = await parts.log.beginning(partition)
        self._committed, self._cursor = committed or (beginning, 0)
        self._published = self._committed  # known before any later call may fail: C never goes back
        self._was_member = True
        self._ledger = decode_ledger(ledger)
        await self._check_log(position, beginning)
        self._position = position
        # The decisions in force, adopted or not: a worker with others of its own changes nothing.
        self._ledger.settings = self._ledger.settings or parts.pipelines.own.text
        self._adopt()
        check_partitions(self._ledger, self._pipeline.partitions)
        self._ledger.partitions = self._pipeline.partitions
        if position is not None and outbox and self._is_beyond_c(position):
            await self._publish(self._unpublished(outbox), position)
        begin = max(position.offset if position else 0, beginning)
        self._published = max(self._committed, begin)
        parts.log.seek(partition, begin)
        self.ready = True

    async def _enter(self) -> None:
        """Make sure of membership."""
        if self._was_member:
            # A former member must not claim: it would take the partition from its new owner, for ever.
            # What was acknowledged is committed, never N: after a loss of the store it is not sent again.
            await self._parts.log.commit({self.partition: self._published})

    async def _read_committed(self) -> Position | None:
        """C, as the broker has it."""
        found = await self._parts.log.committed(self.partition)
        return None if found is None else Position(found)

    async def _drop(self) -> None:
        """Forget what is in memory; outputs already on their way are waited for, not sent again."""
        self.ready = False
        acks, self._acks = self._acks, None
        if acks is not None:
            await asyncio.gather(acks, return_exceptions=True)
        self._dues = DueQueue()
        self._states = {}
        self._read = []
        self._todo = []
        self._ticked = False
        self._needs.forget()

    async def _check_log(self, position: Position | None, beginning: int) -> None:
        """See that the log reaches back to the states, and is the one that they were made from."""
        parts, partition = self._parts, self.partition
        gone = check_reach(partition, position, self._ledger, beginning, accept=parts.accept_loss)
        if gone:
            logger.warning("%s; going on without them", gone)
        reached = max(position.offset if position else 0, self._committed)
        check_end(partition, max(reached, beginning), await parts.log.end(partition))
        known, offset = self._ledger.tail, self._ledger.tail_at
        if parts.tail is not None and known and offset >= beginning:
            check_tail(partition, offset, known, await parts.tail(partition, offset))

    def _adopt(self) -> None:
        """Decide from here on as the decisions in force have it."""
        self._pipeline = self._parts.pipelines.get(self._ledger.settings)
        check_states(self.partition, self._pipeline, self._ledger)
        types = self._pipeline.vectorizer.layout.types
        self._ledger.types, self._ledger.states = types, self._pipeline.states(types)
        # Types may have been added: states in memory have no room for them, records may be of them.
        self._states = {}
        self._todo[:0] = [entry.record for entry in self._read]
        self._read = []

    # -- work ------------------------------------------------------------------------------------------

    def _read_ahead(self) -> None:
        """Read the records of the next step, each once: in silence a step may get through few of them."""
        wanted = self._parts.step_records - len(self._read)
        if wanted > 0 and self._todo:
            parse, partition = self._pipeline.reader.parse, self.partition
            self._read += [
                Entry(record, parse(record, partition)) for record in self._todo[:wanted]
            ]
            del self._todo[:wanted]

    def _check_order(self, records: Sequence[Record]) -> None:
        """Raises RefusedError for records from before the position: they were read for another owner."""
        position = self._position
        if records and position is not None and records[0].offset < position.offset:
            raise RefusedError(
                f"partition {self.partition}: expected records from offset {position.offset} on, "
                f"got {records[0].offset}"
            )

    async def work(self, records: Sequence[Record]) -> None:
        """Take in records that follow those before. With nothing to do, see that all is still ours.

        What is not done within a bounded number of steps is left for the next call (see `busy`).
        """
        if not self.ready:
            await self.take_over()
            return  # the log was told to read from elsewhere: these records may not be the next
        self._check_order(records)
        self._todo += records
        if records:
            self._ticked = False
        if not self.busy:
            await self._idle()
        for _ in range(self._parts.steps_at_once):
            self._read_ahead()
            if not self._read:
                return
            entries = await self._with_models(self._read)
            if not entries:
                return
            done, adopted = await self._step(entries)
            del self._read[:done]
            if adopted:
                self._adopt()

    async def _with_models(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The next entries for which all models are known here; none where one is still to come.

        The partition waits by itself, and sees meanwhile that it is still its owner's.
        """
        if not await self._needs.here(self._pipeline, self._ledger):
            await self.acknowledged()
            await self._parts.store.hold(self.partition, self._claim, self._position)
            return ()
        return await self._needs.as_far(self._pipeline, entries)

    async def _step(self, entries: Sequence[Entry]) -> tuple[int, bool]:
        """One step over the next entries: how many of them are done, and whether others decide from here on."""
        start = self._position or Position(entries[0].record.offset)
        stop = self._stop
        end = stop.offset + 1 if stop.cursor else stop.offset
        silent = start < stop and entries[0].record.offset < end
        if silent:  # a step must not reach past C: what lies beyond is yet to be published
            entries = [entry for entry in entries if entry.record.offset < end]
        await self._prepare(entries)
        step = self._pipeline.decide(
            self.partition,
            start,
            entries,
            self._ledger,
            self._dues,
            self._states,
            stop if silent else END,
        )
        self._needs.settled = step.waits
        if step.position == start:
            return 0, False
        if step.dead and not silent:
            await self._bury(step)
        await self.acknowledged()
        await self._apply(step)
        if silent:
            self._published = max(self._committed, step.position.offset)
        else:
            self._send(step)
        done = bisect_left(entries, step.position.offset, key=lambda entry: entry.record.offset)
        return done, self._parts.pipelines.get(step.ledger.settings) is not self._pipeline

    async def _prepare(self, entries: Sequence[Entry]) -> None:
        """Get the states that the next step may touch, and who is due meanwhile."""
        parts, states = self._parts, self._states
        clock = self._ledger.clock
        for entry in entries:
            clock = turned(clock, entry.record)
        clock //= 1000
        await self._read_dues(clock)
        wanted = dict.fromkeys(self._dues.until(clock, MOST_CUSTOMERS))
        for entry in entries:
            if isinstance(entry.parsed, Event) and entry.parsed.customer_id not in states:
                wanted[entry.parsed.customer_id] = None
        missing = [each for each in wanted if each not in states]
        missing = [
            each for each in missing if home(each, self._pipeline.partitions) == self.partition
        ]
        if not missing:
            return
        found = await parts.store.load(self.partition, self._claim, self._position, missing)
        known = [
            (each, state) for each, state in zip(missing, found, strict=True) if state is not None
        ]
        layout, outcomes = self._pipeline.vectorizer.layout, len(self._pipeline.outcomes)
        for state in decode(known, layout, outcomes):
            states[state.customer_id] = state
        for each in missing:
            if each not in states:
                states[each] = CustomerState(each, layout, outcomes)

    async def _read_dues(self, clock: int) -> None:
        dues = self._dues
        if dues.horizon > clock or not self._pipeline.silence:
            return
        first = dues.first()
        if first is not None and first[0] <= clock:
            return  # there is work before the horizon
        found, horizon = await self._parts.store.due(
            self.partition,
            self._claim,
            self._position,
            dues.horizon,
            clock + _LOOK_AHEAD,
            _DUES_READ,
        )
        dues.extend(found, horizon)

    async def _apply(self, step: Step) -> None:
        changes = [
            Change(customer_id, encode(state), step.due[customer_id])
            for customer_id, state in step.changed.items()
        ]
        write = Write(step.position, encode_ledger(step.ledger), self._encode_outbox(step), changes)
        await self._parts.store.apply(self.partition, self._claim, self._position, write)
        self._position = step.position
        self._forget(step)

    def _forget(self, step: Step) -> None:
        """Keep the states used last, up to the limit."""
        states = self._states
        for customer_id in step.changed:
            states[customer_id] = states.pop(customer_id)
        excess = len(states) - self._parts.cached
        for customer_id in list(islice(states, excess)) if excess > 0 else ():
            del states[customer_id]

    # -- outputs ---------------------------------------------------------------------------------------

    def _send(self, step: Step) -> None:
        """Publish a step's outputs without waiting; the next step waits for them."""
        if not step.outputs:
            self._published = step.position.offset
            return
        self._acks = asyncio.create_task(self._publish(step.outputs, step.position))
        self._acks.add_done_callback(_heard)

    async def _publish(self, outputs: Sequence[Output], position: Position) -> None:
        """Publish the outputs of the step that led to a position, the last one."""
        await self._parts.log.publish(outputs)
        self._published = position.offset

    def _encode_outbox(self, step: Step) -> bytes:
        return encode_outbox(step)

    def _unpublished(self, outbox: bytes) -> Sequence[Output]:
        """What to publish of the last step, which ended beyond C: all of it, for C only tells whole records."""
        return decode_outbox(outbox)

    async def _bury(self, step: Step) -> None:
        await self._parts.log.bury(self.partition, step.dead)

    async def acknowledged(self) -> None:
        """Return when the outputs of the last step are acknowledged."""
        if self._acks is not None:
            await self._acks
            self._acks = None

    def to_commit(self) -> int | None:
        """The next C, where it is to move: whole records only, whose outputs are acknowledged."""
        return self._published if self.ready and self._published > self._committed else None

    def committed(self, offset: int) -> None:
        """The broker has taken C."""
        self._committed = offset

    async def _idle(self) -> None:
        """Nothing to read: look whether the partition is still ours, and let time pass for those due."""
        await self.acknowledged()
        await self._parts.store.hold(self.partition, self._claim, self._position)
        if self._ticked or not self._ledger.live or self._position is None:
            return  # one tick at a time: where this clock is ahead of the broker's, another would not help
        now = int(self._parts.wall())
        await self._read_dues(now)
        first = self._dues.first()
        if (first is not None and first[0] <= now) or self._pipeline.says_time(self._ledger, now):
            self._ticked = True
            await self._parts.log.append(self.partition, Kind.TICK)


def _heard(task: asyncio.Task[None]) -> None:
    """Look at a failure that nobody may wait for any more: else it ends in the log, with a trace."""
    if not task.cancelled():
        task.exception()

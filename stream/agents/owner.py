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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final
from uuid import uuid4

import msgspec

from schemas.home import home
from stream.agents.waiting import Arrivals
from stream.broker.port import Log
from stream.errors import LogLostError
from stream.features.codec import decode, encode
from stream.features.state import CustomerState
from stream.partition.control import Kind
from stream.partition.dues import DueQueue
from stream.partition.intake import Event, Record
from stream.partition.ledger import Ledger, Position, decode_ledger, encode_ledger
from stream.partition.outputs import Output
from stream.partition.step import MOST_CUSTOMERS, Entry, Step
from stream.pipeline import Pipeline, Pipelines, turned
from stream.store.port import Change, Store, Write

logger = logging.getLogger("bandshift.worker")

_DUES_READ: Final = 2_000
_LOOK_AHEAD: Final = 3_600
"""Seconds of the log's time for which customers falling due are read ahead."""
_WAIT_SECONDS: Final = 0.5
"""How long a turn waits for a model."""
_outbox = msgspec.msgpack.Decoder(list[Output])


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
        self._waits = 0
        """The time up to which models must be known before the next step; 0: none need be."""
        self.ready = False
        """False: it must take over before it works."""

    @property
    def busy(self) -> bool:
        """Whether it has records still to take in, and wants no more for now."""
        return bool(self._read or self._todo)

    # -- taking over -----------------------------------------------------------------------------------

    async def take_over(self) -> None:
        """Make the partition this owner's, and get to where it stands."""
        parts, partition = self._parts, self.partition
        await self._drop()
        if self._was_member:
            # A former member must not claim: it would take the partition from its new owner, for ever.
            # What was acknowledged is committed, never N: after a loss of the store it is not sent again.
            await parts.log.commit({partition: self._published})
        self._claim = uuid4().hex
        position, ledger, outbox = await parts.store.claim(partition, self._claim)
        committed = await parts.log.committed(partition)
        beginning = await parts.log.beginning(partition)
        self._committed = beginning if committed is None else committed
        self._published = self._committed  # known before any later call may fail: C never goes back
        self._was_member = True
        self._check_log(position, beginning, await parts.log.end(partition))
        self._position = position
        self._ledger = decode_ledger(ledger)
        # The decisions in force, adopted or not: a worker with others of its own changes nothing.
        self._ledger.settings = self._ledger.settings or parts.pipelines.own.text
        self._check_states()
        if position is not None and position > Position(self._committed) and outbox:
            await parts.log.publish(_outbox.decode(outbox))
        self._published = max(self._committed, position.offset if position else beginning)
        parts.log.seek(partition, position.offset if position else beginning)
        self.ready = True

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
        self._waits = 0

    def _check_log(self, position: Position | None, beginning: int, end: int) -> None:
        start = position.offset if position else 0
        if start < beginning:
            raise LogLostError(
                f"touchpoints, partition {self.partition}: the states end at offset {start}, "
                f"the log begins at {beginning}; what lies between is lost",
                "restore the log or the states, or start a new namespace",
            )
        if max(start, self._committed) > end:
            raise LogLostError(
                f"touchpoints, partition {self.partition}: offset {max(start, self._committed)} was reached, "
                f"but the log ends at {end}; the topic was recreated",
                "start a new namespace, or delete the old states and the group's offsets",
            )

    def _check_states(self) -> None:
        self._adopt()
        partitions = self._pipeline.partitions
        if self._ledger.partitions not in {0, partitions}:
            raise LogLostError(
                f"touchpoints: the states were made with {self._ledger.partitions} partitions, "
                f"now there are {partitions}; customers' homes have moved",
                "replay the log into a namespace with that many partitions",
            )
        self._ledger.partitions = partitions

    def _adopt(self) -> None:
        """Decide from here on as the decisions in force have it."""
        self._pipeline = self._parts.pipelines.get(self._ledger.settings)
        if not self._pipeline.fits(self._ledger):
            raise LogLostError(
                f"partition {self.partition}: its states were made with other outcomes or types "
                "than the decisions in force have, or by another release",
                "use the outcomes and types of the running deployment (types may be added); after an upgrade "
                "empty this namespace's keys in Redis: workers make the states again from the log",
            )
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

    async def work(self, records: Sequence[Record]) -> None:
        """Take in records that follow those before. With nothing to do, see that all is still ours.

        What is not done within a bounded number of steps is left for the next call (see `busy`).
        """
        if not self.ready:
            await self.take_over()
            return  # the log was told to read from elsewhere: these records may not be the next
        self._todo += records
        if records:
            self._ticked = False
        if not self.busy:
            await self._idle()
        for _ in range(self._parts.steps_at_once):
            self._read_ahead()
            if not self._read:
                return
            entries = await self._models_for(self._read)
            if not entries:
                return
            done, adopted = await self._step(entries)
            del self._read[:done]
            if adopted:
                self._adopt()

    async def _models_for(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The next entries for which all models are known here; none where one is still to come.

        The partition waits by itself, and sees meanwhile that it is still its owner's.
        """
        pipeline, ledger = self._pipeline, self._ledger
        library = pipeline.library

        def enough() -> bool:
            wanted = pipeline.wanted(ledger)
            if not all(library.has(name, version) for name, version in wanted):
                return False
            return not self._waits or library.progress(pipeline.learning_names) >= self._waits

        if not enough():
            arrivals = self._parts.arrivals
            if arrivals is None or not await arrivals.until(enough, _WAIT_SECONDS):
                await self.acknowledged()
                await self._parts.store.hold(self.partition, self._claim, self._position)
                return ()
        if self._waits:
            for name in pipeline.learning_names:
                self._say_if_unreadable(name, library.newest(name, self._waits))
            pipeline.settle(ledger, self._waits)
            self._waits = 0
        for number, entry in enumerate(entries):
            adopted = pipeline.adopted_by(entry.parsed)
            if adopted is not None and library.has(*adopted):
                self._say_if_unreadable(*adopted)
            elif adopted is not None:
                if number:
                    return entries[:number]
                if self._parts.arrivals is not None:
                    await self._parts.arrivals.until(partial(library.has, *adopted), _WAIT_SECONDS)
                return entries[:1] if library.has(*adopted) else ()
        return entries

    def _say_if_unreadable(self, outcome: str, version: int) -> None:
        if version and not self._pipeline.models.readable(outcome, version):
            logger.warning(
                "partition %d: version %d of the model of %s cannot be read with the decisions in force: "
                "the one before stays",
                self.partition,
                version,
                outcome,
            )

    async def _step(self, entries: Sequence[Entry]) -> tuple[int, bool]:
        """One step over the next entries: how many of them are done, and whether others decide from here on."""
        start = self._position or Position(entries[0].record.offset)
        silent = entries[0].record.offset < self._committed
        if silent:  # a step must not reach past C: what lies beyond is yet to be published
            entries = [entry for entry in entries if entry.record.offset < self._committed]
        await self._prepare(entries)
        step = self._pipeline.decide(
            self.partition, start, entries, self._ledger, self._dues, self._states
        )
        self._waits = step.waits
        if step.position == start:
            return 0, False
        if step.dead and not silent:
            await self._parts.log.bury(self.partition, step.dead)
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
        write = Write(
            step.position, encode_ledger(step.ledger), msgspec.msgpack.encode(step.outputs), changes
        )
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
        self._acks = asyncio.create_task(self._publish(step.outputs, step.position.offset))

    async def _publish(self, outputs: Sequence[Output], offset: int) -> None:
        await self._parts.log.publish(outputs)
        self._published = offset

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

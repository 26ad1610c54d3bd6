"""From one namespace's log to another's, record by record: what is copied, where to, and in what form.

Pure: no I/O. Every touchpoint is copied once, to its customer's home. One that arrived elsewhere is in the log
twice, as it came and as it was forwarded: the forward is copied, at its place, for that is where it was counted.
What the workers had not committed when copying began may not be forwarded yet: of those the original is copied.

Over as many partitions as before, a record that is not copied leaves a tick of its time behind, so that the
clock goes as it went. Over another number, records come merged by their logs' clocks (see `turn`), carry the
clock at which they were taken in, and every partition is told the time once a day of the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pydantic import ValidationError

from schemas.decisions import Decisions
from schemas.home import home
from schemas.rejections import Reason, Rejection
from schemas.types import TypeRegistry
from stream.broker.topics import MOST_RECORD
from stream.partition.control import (
    ORIGIN,
    REPLAY,
    SIGNATURE,
    Control,
    Headers,
    Kind,
    Origin,
    Signer,
)
from stream.partition.intake import Event, Reader, Record
from stream.partition.size import size_of
from stream.partition.ticks import Ticks
from stream.pipeline import MODEL, SETTINGS, turned

_MOST_BYTES: Final = MOST_RECORD - 2_048
"""Bytes of a record that surely fit the topic's limit uncompressed."""
_DAY_MS: Final = 24 * 3_600_000


class Copied(NamedTuple):
    """A record of the new log; `timestamp` in ms since 1970."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


@dataclass
class Tally:
    """What became of the records read."""

    records: int = 0
    touchpoints: int = 0
    rejected: int = 0
    """Records that cannot be scored, copied as they are: they become dead letters again."""
    controls: int = 0
    misrouted: int = 0
    """Touchpoints that arrived elsewhere than at home, and are in the log a second time as forwards."""
    forwards: int = 0
    """Of those, the forwards that were copied in their place."""
    repeated: int = 0
    """Forwards left out, because the touchpoint was copied already."""
    large: int = 0
    """Left out: they came compressed, and are too large to be scored."""
    adoptions: int = 0
    """Adoptions of models and decisions left out."""

    @property
    def missing(self) -> int:
        """Touchpoints whose forward was not found in the log."""
        return max(0, self.misrouted - self.forwards)


class Copier:
    """Copies the log of one topic into another.

    `made`: how many partitions the old states were made with; `committed`: C of every partition when copying
    began; `into`: partitions of the new topic. `own`: decisions that decide from the beginning in place of
    those that the log adopted. Without `models` no adoption of a model is copied.
    """

    def __init__(
        self,
        source: Signer,
        target: Signer,
        registry: TypeRegistry,
        committed: Sequence[int | None],
        *,
        into: int,
        made: int = 0,
        own: Decisions | None = None,
        version: int = 1,
        models: bool = True,
    ) -> None:
        """`version` is that of `own`."""
        self.tally = Tally()
        self.decisions = ""
        """The decisions in force at the end of what was read, as text; empty where none were adopted."""
        self._source, self._target = source, target
        self._committed = [offset or 0 for offset in committed]
        self._made, self._into = made or len(committed), into
        self._own, self._version, self._models = own, version, models
        self._readers = [Reader(registry, source)] * len(committed)
        self._clocks = [0] * len(committed)
        self._origins: dict[tuple[int, int], int] = {}
        self._begun: set[int] = set()
        # With another number of partitions:
        self._spread = into != len(committed) or into != self._made
        self._ticks = Ticks(_DAY_MS)
        self._adopted: dict[str, int] = {}
        self._waiting_for_live = set(range(self._made))

    @property
    def spread(self) -> bool:
        """Whether records go to another number of partitions, and must come merged."""
        return self._spread

    def turn(self, partition: int, record: Record) -> int:
        """The partition's clock at a record: by this, records of several partitions are to be merged.

        To be asked once per record, in the log's order.
        """
        clock = self._clocks[partition] = turned(self._clocks[partition], record)
        return clock

    def take(self, partition: int, record: Record, clock: int) -> Iterator[Copied]:
        """What a record becomes. `clock` is what `turn` said of it."""
        self.tally.records += 1
        parsed = self._readers[partition].parse(record, partition)
        replay = isinstance(parsed, Control) and parsed.what == REPLAY
        if not replay:  # the first record of a replay must stay its first
            yield from self._begin(self._everywhere if self._spread else (partition,))
        if self._spread and clock:
            yield from self._tell_time(clock)
        if isinstance(parsed, Control):
            yield from self._take_control(partition, record, parsed, clock)
        elif isinstance(parsed, Rejection) and parsed.reason is Reason.FORGED_CONTROL:
            self.tally.rejected += 1
            # Whoever forged it may have signed it for the new topic: it stays a forgery there.
            yield from self._put(partition, partition, record, _spoiled(record.headers), clock)
        elif isinstance(parsed, Rejection):
            self.tally.rejected += 1
            yield from self._put(partition, partition, record, _plain(record.headers), clock)
        else:
            yield from self._take_event(partition, record, parsed, clock)

    def finish(self) -> Iterator[Copied]:
        """At the end of what there is: partitions without a record begin too, and all stand at the same time."""
        yield from self._begin(self._everywhere)
        if self._spread and any(self._clocks):
            yield from self._control(self._everywhere, Kind.TICK, max(self._clocks))

    # -- touchpoints -----------------------------------------------------------------------------------

    def _take_event(
        self, partition: int, record: Record, event: Event, clock: int
    ) -> Iterator[Copied]:
        tally, target = self.tally, home(event.customer_id, self._into)
        if event.origin is not None:
            if not self._is_first(partition, event.origin):
                tally.repeated += 1
                yield from self._left_out(partition, record)
                return
            tally.forwards += 1
        elif (
            record.offset < self._committed[partition]
            and home(event.customer_id, self._made) != partition
        ):
            tally.misrouted += 1
            yield from self._left_out(partition, record)
            return
        tally.touchpoints += 1
        if not self._spread and target != partition:
            yield from self._left_out(partition, record)  # the clock of where it arrived turned too
        yield from self._put(partition, target, record, _plain(record.headers), clock)

    def _is_first(self, partition: int, origin: Origin) -> bool:
        """Whether a forward is the one to copy."""
        if not 0 <= origin.partition < len(self._committed):
            return True  # of an earlier copy of this log
        if origin.offset >= self._committed[origin.partition]:
            return False  # its original is copied
        key = partition, origin.partition
        if origin.offset <= self._origins.get(key, -1):
            return False
        self._origins[key] = origin.offset
        return True

    def _put(
        self, partition: int, target: int, record: Record, headers: Headers, clock: int
    ) -> Iterator[Copied]:
        key, value = record.key, record.value
        if size_of(key, value, headers) > _MOST_BYTES:
            self.tally.large += 1
            yield from self._left_out(partition, record)
            return
        if key is None and value is None:
            key = b""  # Kafka's Python client sends no record without key and value
        # Merged with others, an earlier time would be judged by another clock than it was.
        at = max(record.timestamp, clock) if self._spread else record.timestamp
        yield Copied(target % self._into, key, value, headers, at)

    def _left_out(self, partition: int, record: Record) -> Iterator[Copied]:
        """What stands in the place of a record that is not copied."""
        if not self._spread:
            yield from self._control((partition,), Kind.TICK, record.timestamp)

    # -- control records -------------------------------------------------------------------------------

    @property
    def _everywhere(self) -> Sequence[int]:
        return range(self._into)

    def _tell_time(self, clock: int) -> Iterator[Copied]:
        """All partitions begin at the same time, and hear of it once a day."""
        tick = self._ticks.passed(clock)
        if tick is not None:
            yield from self._control(self._everywhere, Kind.TICK, tick)

    def _begin(self, partitions: Sequence[int]) -> Iterator[Copied]:
        """Let our own decisions decide from the beginning."""
        new = [number for number in partitions if number not in self._begun]
        if new:
            self._begun.update(new)
            if self._own is not None:
                body = self._own.text
                yield from self._control(new, Kind.ADOPT, 0, SETTINGS, self._version, body)

    def _take_control(
        self, partition: int, record: Record, control: Control, clock: int
    ) -> Iterator[Copied]:
        what = control.what
        if what == SETTINGS:
            self.decisions = control.body or self.decisions
            self._readers[partition] = self._reader(control.body) or self._readers[partition]
        unwanted = (what == SETTINGS and self._own is not None) or (
            what.startswith(MODEL) and not self._models
        )
        if unwanted:
            self.tally.adoptions += 1
            yield from self._left_out(partition, record)
            return
        self.tally.controls += 1
        if not self._spread:
            yield from self._control((partition,), control.kind, record.timestamp, *control[1:])
        elif control.kind is Kind.LIVE:
            waiting = self._waiting_for_live
            self._waiting_for_live = waiting - {partition}
            if waiting == {partition}:  # no trigger goes out sooner than it did
                yield from self._control(self._everywhere, Kind.LIVE, clock)
        elif control.kind is Kind.ADOPT and control.version > self._adopted.get(what, 0):
            self._adopted[what] = control.version
            yield from self._control(self._everywhere, Kind.ADOPT, clock, *control[1:])

    def _control(
        self,
        partitions: Sequence[int],
        kind: Kind,
        at: int,
        what: str = "",
        version: int = 0,
        body: str = "",
    ) -> Iterator[Copied]:
        for number in partitions:
            value, headers = self._target.control(number, kind, what, version, body)
            yield Copied(number, b"", value, headers, at)

    def _reader(self, text: str) -> Reader | None:
        """Reads as decisions of the log do; None where a later release wrote them."""
        try:
            types = Decisions.model_validate_json(text).types
        except ValidationError:
            return None
        return Reader(TypeRegistry(types), self._source)


def _plain(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """A producer's own headers. What a forward added goes: it is signed for the old topic."""
    added = {ORIGIN, SIGNATURE} if any(name == ORIGIN for name, _ in headers) else set[str]()
    return tuple((_sendable(name), text) for name, text in headers if name not in added)


def _spoiled(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    return tuple((_sendable(name), b"" if name == SIGNATURE else text) for name, text in headers)


def _sendable(name: str) -> str:
    # A byte of a name that is no UTF-8 could not be sent: "?", so that the size stays the same.
    return name.encode("utf-8", "replace").decode()

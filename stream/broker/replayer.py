"""Rows of a file (or of anything else) into touchpoints: in order, in whole batches, with ticks.

Every row goes to its customer's home with its own time as the record's. Rows stay in their order within a
partition, and memory is bounded by one open and one queued batch per partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from aiokafka import AIOKafkaProducer

from schemas.home import home
from stream.broker.aside import aside
from stream.broker.batches import Batches
from stream.broker.client import answering
from stream.broker.rows import Row
from stream.broker.topics import MOST_RECORD
from stream.errors import TouchpointFileError
from stream.features.grid import KEPT
from stream.partition.control import IN_STEP, Kind, Signer
from stream.partition.ticks import Ticks

CHUNK: Final = 2_000
"""Rows read at once, and looked ahead for a time that cannot be right."""
HOUR_MS: Final = 3_600_000
_KEPT_MS: Final = KEPT * 1000
_MOST_BYTES: Final = MOST_RECORD - 2_048
"""Bytes of key and value that still fit the topic's limit with the batch's own fields."""
_SLICES_PER_SECOND: Final = 50
_MOST_TOLD: Final = 20
_MOST_HOMES: Final = 200_000


@dataclass
class Replayed:
    """What came of it so far. Times in ms since 1970."""

    rows: int = 0
    """Rows taken from the input, in whatever way they ended."""
    sent: int = 0
    skipped: int = 0
    """Rows that the log has already, as an interrupted run left them."""
    ticks: int = 0
    disordered: int = 0
    """Rows with an earlier time than one before them: still counted if less than 90 days late."""
    too_late: int = 0
    """Of these, the ones that come more than 90 days late and end in the dead letters."""
    untimed: int = 0
    """Rows without a readable time that is past: they end in the dead letters."""
    begin: int | None = None
    clock: int = 0
    unsent: int = 0
    """Rows that no record could carry; `faults` names the first ones."""
    faults: list[tuple[int, str]] = field(default_factory=list)

    def fault(self, line: int, why: str) -> None:
        """Note a row that cannot be sent."""
        self.unsent += 1
        if len(self.faults) < _MOST_TOLD:
            self.faults.append((line, why))


Stamp = Callable[[Row], Row]
Watch = Callable[[Replayed], None]


class Replayer:
    """Sends rows to one topic of touchpoints.

    `tick_hours`: a tick goes to every partition whenever the rows' time passes a multiple of so many hours;
    None for none. `latest` (ms): rows with a later time are given the log's instead, so that they are
    rejected and do not turn the clock. `resume`: partition -> value of the last row that is there already;
    the rows up to it are skipped. `in_step`: workers keep step with the learner from here on.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partitions: int,
        signer: Signer,
        *,
        tick_hours: float | None = 24,
        latest: int | None = None,
        resume: dict[int, bytes] | None = None,
        in_step: bool = False,
    ) -> None:
        self.replayed = Replayed()
        self._in_step = in_step
        self._signer = signer
        self._batches = Batches(producer, topic, partitions)
        self._partitions = partitions
        self._ticking = Ticks(int(tick_hours * HOUR_MS) if tick_hours else 0)
        self._latest = latest if latest is not None else 1 << 62
        self._resume = dict(resume or {})
        self._homes: dict[str, tuple[int, bytes]] = {}

    async def send(
        self,
        rows: Iterable[Row],
        *,
        rate: float | None = None,
        stamp: Stamp | None = None,
        watch: Watch | None = None,
    ) -> Replayed:
        """Send rows, at most `rate` a second, each as `stamp` makes it over; returns when all are acknowledged.

        `watch` is called several times a second. Up to two chunks of rows are read ahead. Raises BrokerError where Kafka does not take them,
        TouchpointFileError where going on would spoil the log.
        """
        source = iter(rows)
        loop = asyncio.get_running_loop()
        began, done = loop.time(), 0
        size = CHUNK if rate is None else max(1, int(rate / _SLICES_PER_SECOND))
        chunk, following = await _read(source), await _read(source)
        with answering():
            if self._in_step:
                await self._control(Kind.ADOPT, 0, IN_STEP, 1)
            while chunk:
                for start in range(0, len(chunk), size):
                    await self._take(chunk, following, start, start + size, stamp)
                    done += min(size, len(chunk) - start)
                    if rate is not None:
                        await self._batches.ship_all()
                        await asyncio.sleep(max(0.0, began + done / rate - loop.time()))
                    if watch is not None:
                        watch(self.replayed)
                chunk, following = following, await _read(source) if following else []
            await self._batches.done()
        if self._resume:
            raise TouchpointFileError(
                f"touchpoints, partition {min(self._resume)}: its last touchpoint is not in this file",
                "resume with the file whose import was interrupted",
            )
        return self.replayed

    async def tick(self, at: int | None = None) -> None:
        """Append a tick to every partition, by default of the last row's time: so all stand at the same."""
        with answering():
            await self._ticks(self.replayed.clock if at is None else at)
            await self._batches.done()

    async def _take(
        self,
        chunk: Sequence[Row],
        following: Sequence[Row],
        start: int,
        end: int,
        stamp: Stamp | None,
    ) -> None:
        told, batches, latest = self.replayed, self._batches, self._latest
        for number in range(start, min(end, len(chunk))):
            row = chunk[number] if stamp is None else stamp(chunk[number])
            told.rows += 1
            line, customer_id, at, value, fault = row
            partition, key = self._home(customer_id)
            size = len(value or b"") + len(key or b"")
            if value is None or size > _MOST_BYTES:
                told.fault(line, fault or f"expected at most {_MOST_BYTES} bytes, got {size}")
                continue
            if at is None or at > latest:
                told.untimed += 1
                at = told.clock
            elif at < told.clock:
                told.disordered += 1
                told.too_late += told.clock - at > _KEPT_MS
            else:
                if stamp is None and at - told.clock > _KEPT_MS:
                    _check_jump(row, chunk[number + 1 :], following)
                await self._pass(at)
                told.clock = at
            if self._resume and partition in self._resume:
                told.skipped += 1
                if value == self._resume[partition]:
                    del self._resume[partition]
                continue
            if not batches.add(partition, key, value, at):
                await batches.ship(partition)
                batches.add(partition, key, value, at)
            told.sent += 1

    async def _pass(self, at: int) -> None:
        """The rows' time has come to `at`."""
        if self.replayed.begin is None:
            self.replayed.begin = at
        tick = self._ticking.passed(at)
        if tick is not None and not self._resume:
            await self._ticks(tick)

    async def _ticks(self, at: int) -> None:
        await self._control(Kind.TICK, at)
        self.replayed.ticks += 1

    async def _control(self, kind: Kind, at: int, what: str = "", version: int = 0) -> None:
        """A control record in every partition; one of time 0 turns no clock."""
        for partition in range(self._partitions):
            value, headers = self._signer.control(partition, kind, what, version)
            if not self._batches.add(partition, b"", value, at, headers):
                await self._batches.ship(partition)
                self._batches.add(partition, b"", value, at, headers)

    def _home(self, customer_id: str | None) -> tuple[int, bytes | None]:
        """Partition and key. A row whose customer cannot be read goes to the first partition, to be rejected."""
        if customer_id is None:
            return 0, None
        found = self._homes.get(customer_id)
        if found is None:
            if len(self._homes) >= _MOST_HOMES:
                self._homes.clear()
            key = customer_id.encode()
            found = self._homes[customer_id] = home(customer_id, self._partitions), key
        return found


async def _read(rows: Iterator[Row]) -> list[Row]:
    """The next rows. Aside, because a slow pipe must not stop the sending."""
    return await aside(lambda: list(islice(rows, CHUNK)))


def _check_jump(row: Row, *later: Sequence[Row]) -> None:
    """Refuse a time after which most of the next rows would be too old to be counted."""
    times = [each.occurred_ms for rows in later for each in rows if each.occurred_ms is not None]
    at = row.occurred_ms or 0
    behind = sum(at - time > _KEPT_MS for time in times)
    if 2 * behind > len(times):
        raise TouchpointFileError(
            f"line {row.line}: its time lies more than {KEPT // 86_400} days after those of the next rows, "
            "which would all come too late to be counted",
            "sort the file by occurred_at or put that time right; if rows were sent before it, "
            "go on with --resume",
        )

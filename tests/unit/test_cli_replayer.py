"""Rows into the log: order, homes, ticks, and what cannot be sent; with a producer that only remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.home import home
from stream.broker.replayer import CHUNK, HOUR_MS, Replayed, Replayer
from stream.broker.rows import Row
from stream.errors import BrokerError, TouchpointFileError
from stream.partition.control import CONTROL, Kind, Signer

START = 1_700_000_000_000
DAY = 24 * HOUR_MS
SIGNER = Signer(b"key", "touchpoints")


class Sent(NamedTuple):
    """A record as it was sent."""

    partition: int
    key: bytes | None
    value: bytes | None
    at: int
    headers: tuple[tuple[str, bytes], ...]

    @property
    def is_tick(self) -> bool:
        return (CONTROL, Kind.TICK.encode()) in self.headers


class _Added(NamedTuple):
    size: int


class Batch:
    """Takes up to 10 records."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def append(self, **row: Any) -> _Added | None:
        if len(self.rows) >= 10:
            return None
        self.rows.append(row)
        return _Added(len(row["value"] or b""))

    def close(self) -> None:
        return


@dataclass
class Producer:
    """Remembers what it is given."""

    sent: list[Sent] = field(default_factory=list)
    error: Exception | None = None

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        assert topic == "touchpoints"
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.error is not None:
            answer.set_exception(self.error)
            return answer
        answer.set_result(None)
        for row in batch.rows:
            headers = tuple(row["headers"])
            self.sent.append(Sent(partition, row["key"], row["value"], row["timestamp"], headers))
        return answer

    def values(self, partition: int) -> list[bytes | None]:
        """The touchpoints of a partition, in order."""
        return [
            each.value for each in self.sent if each.partition == partition and not each.is_tick
        ]


def row(number: int, at: int | None, customer: str | None = "ann") -> Row:
    """A row of which the line number is the touchpoint."""
    return Row(number, customer, at, b"%d" % number)


async def send(
    producer: Producer, rows: Iterable[Row], partitions: int = 1, **more: Any
) -> Replayed:
    """Replay rows as a program would, with the tick at the end."""
    asked = {name: more.pop(name) for name in ("rate", "stamp", "watch") if name in more}
    replayer = Replayer(producer, "touchpoints", partitions, SIGNER, **more)
    await replayer.send(rows, **asked)
    await replayer.tick()
    return replayer.replayed


async def test_every_row_goes_home_in_order() -> None:
    """Rows keep their order within a partition, and lie where their customer is at home, under their own time."""
    producer = Producer()
    rows = [row(number, START + number, f"c{number % 7}") for number in range(3 * CHUNK + 5)]

    told = await send(producer, rows, 4, tick_hours=None)

    for partition in range(4):
        mine = [each for each in rows if home(each.customer_id or "", 4) == partition]
        assert producer.values(partition) == [each.value for each in mine]
    by_value = {each.value: each for each in producer.sent}
    assert all(by_value[each.value].at == each.occurred_ms for each in rows)
    assert all(by_value[each.value].key == (each.customer_id or "").encode() for each in rows)
    assert (told.rows, told.sent, told.unsent, told.disordered) == (len(rows), len(rows), 0, 0)


async def test_time_goes_by_for_all_partitions() -> None:
    """Every partition gets a tick at the first row, at each day that the rows pass, before them, and one at the end."""
    producer = Producer()
    midnight = START // DAY * DAY
    rows = [row(1, midnight + 5), row(2, midnight + DAY + 7), row(3, midnight + 4 * DAY + 9)]

    await send(producer, rows, 3)

    for partition in range(3):
        ticks = [each for each in producer.sent if each.partition == partition and each.is_tick]
        ends = [midnight + 5, midnight + DAY, midnight + 4 * DAY, midnight + 4 * DAY + 9]
        assert [tick.at for tick in ticks] == ends
        for tick in ticks:
            assert SIGNER.read_control(partition, tick.headers, tick.value) is not None
    where = home("ann", 3)
    order = [each.value or b"tick" for each in producer.sent if each.partition == where]
    assert order == [b"tick", b"1", b"tick", b"2", b"tick", b"3", b"tick"]


async def test_late_rows_are_sent_and_counted() -> None:
    """A row earlier than one before it keeps its time; more than 90 days behind it is counted as too late."""
    producer = Producer()
    rows = [row(1, START), row(2, START - 1), row(3, START - 91 * DAY), row(4, START)]

    told = await send(producer, rows, tick_hours=None)

    assert [each.at for each in producer.sent] == [START, START - 1, START - 91 * DAY, START, START]
    assert (told.disordered, told.too_late, told.clock) == (2, 1, START)


async def test_rows_without_a_time_do_not_turn_the_clock() -> None:
    """A row whose time cannot be read, or lies in the future, is stamped with the time reached so far."""
    producer = Producer()
    rows = [
        row(1, None),
        row(2, START),
        row(3, START + 10 * DAY),
        row(4, None, None),
        row(5, START + 1),
    ]

    told = await send(producer, rows, 2, tick_hours=None, latest=START + DAY)

    stamps = {each.value: each.at for each in producer.sent if not each.is_tick}
    assert stamps == {b"1": 0, b"2": START, b"3": START, b"4": START, b"5": START + 1}
    assert (told.untimed, told.clock) == (3, START + 1)


async def test_a_row_that_cannot_be_sent_is_named() -> None:
    """What no record can carry is counted and named by line; all others are sent."""
    producer = Producer()
    rows = [
        row(1, START),
        Row(2, None, None, None, "no such thing"),
        Row(3, "ann", START, b"x" * 300_000),
        Row(4, "c" * 140_000, START, b"x" * 140_000),
    ]

    told = await send(producer, rows)

    assert producer.values(0) == [b"1"]
    assert told.unsent == 3
    assert told.faults[0] == (2, "no such thing")
    assert told.faults[1][0] == 3
    assert "got 300003" in told.faults[1][1]


async def test_one_wrong_year_does_not_spoil_the_log() -> None:
    """A time after which most of the next rows would be too old stops everything before it is sent."""
    producer = Producer()
    rows = [row(number, START + number) for number in range(10)]
    rows[4] = row(4, START + 400 * DAY)

    with pytest.raises(TouchpointFileError, match="line 4: its time lies more than 90 days"):
        await send(producer, rows)
    assert producer.sent == []


async def test_a_real_gap_is_no_mistake() -> None:
    """A year without a touchpoint is passed over, where the rows go on from there."""
    producer = Producer()
    rows = [row(1, START), row(2, START + 400 * DAY), row(3, START + 401 * DAY), row(4, START + 1)]

    told = await send(producer, rows)

    assert (told.sent, told.too_late) == (4, 1)


async def test_an_interrupted_run_goes_on_where_it_stopped() -> None:
    """Rows up to the last that a partition has are skipped, each partition on its own; nothing is sent twice."""
    whole, rest = Producer(), Producer()
    rows = [row(number, START + number * HOUR_MS, f"c{number % 5}") for number in range(200)]
    await send(whole, rows, 3)
    there = {0: whole.values(0)[:17], 2: whole.values(2)[:3]}
    resume = {partition: values[-1] for partition, values in there.items()}

    told = await send(rest, rows, 3, resume=resume)

    for partition in range(3):
        assert there.get(partition, []) + rest.values(partition) == whole.values(partition)
    assert told.skipped == 20
    assert told.clock == START + 199 * HOUR_MS


async def test_resuming_with_another_file_is_an_error() -> None:
    """If the log's last touchpoint is nowhere in the file, it is not the one that was interrupted."""
    with pytest.raises(
        TouchpointFileError, match="partition 0: its last touchpoint is not in this file"
    ):
        await send(Producer(), [row(1, START)], resume={0: b"another"})


async def test_rows_can_be_played_as_if_they_happened_now() -> None:
    """`stamp` makes each row over as it is sent: here, one a second from another day on."""
    producer = Producer()

    def stamp(each: Row) -> Row:
        return each._replace(occurred_ms=START + each.line * 1000, value=b"now %d" % each.line)

    told = await send(producer, [row(1, 5), row(2, 3)], stamp=stamp, tick_hours=None)

    assert [(each.at, each.value) for each in producer.sent[:2]] == [
        (START + 1000, b"now 1"),
        (START + 2000, b"now 2"),
    ]
    assert told.clock == START + 2000


async def test_a_rate_sends_in_small_steps() -> None:
    """With a rate, rows go out while more are to come; without, in whole batches."""
    seen: list[tuple[int, int]] = []
    for rate in (5_000.0, None):
        producer = Producer()
        seen.clear()

        def watch(told: Replayed, producer: Producer = producer) -> None:
            seen.append((told.rows, len(producer.sent)))

        await send(
            producer,
            [row(number, START) for number in range(250)],
            rate=rate,
            watch=watch,
            tick_hours=None,
        )
        assert seen == ([(100, 100), (200, 200), (250, 250)] if rate else [(250, 240)])


async def test_a_broker_that_fails_is_an_error_to_read() -> None:
    """What Kafka's client raises becomes a line that a user can read."""
    with pytest.raises(BrokerError, match="expected an answer, got KafkaConnectionError"):
        await send(Producer(error=KafkaConnectionError("gone")), [row(1, START)])


async def test_an_error_in_the_file_comes_through() -> None:
    """A file that turns out to be damaged ends the run with its own error."""

    def damaged() -> Iterable[Row]:
        yield row(1, START)
        raise TouchpointFileError("cut off")

    with pytest.raises(TouchpointFileError, match="cut off"):
        await send(Producer(), damaged())


def test_memory_is_bounded_by_partitions() -> None:
    """Faults are counted without end, but only the first ones are kept."""
    told = Replayed()
    for line in range(1000):
        told.fault(line, "why")
    assert told.unsent == 1000
    assert len(told.faults) == 20

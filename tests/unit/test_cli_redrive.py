"""Dead letters on their way back: where they go, and what of them is kept."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, cast

from schemas.home import home
from schemas.rejections import Reason, Rejection
from schemas.types import TypeRegistry
from stream.broker import deadletters
from stream.broker.deadletters import Kept
from stream.broker.redrive import Redriver, Stock, front_door
from stream.broker.topics import Topics
from stream.partition.control import CONTROL, ORIGIN, SIGNATURE, Headers
from stream.partition.step import DeadLetter

PARTITIONS = 8
REDRIVER = Redriver(cast("Any", None), cast("Any", None), Topics(), TypeRegistry(), PARTITIONS)
WHOLE = json.dumps(
    {
        "event_id": "e",
        "customer_id": "ann",
        "type": "purchase",
        "occurred_at": "2026-01-02T03:04:05Z",
    }
).encode()


class Record(NamedTuple):
    """A record as Kafka's client hands it over."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = 1_700_000_000_000
    offset: int = 3


def buried(record: Record, partition: int = 5) -> Kept:
    """A dead letter, written and read back."""
    rejection = Rejection(Reason.NOT_JSON, "record", "record: expected JSON")
    key, value, headers, _ = deadletters.row(
        "touchpoints", partition, DeadLetter(record, rejection)
    )
    kept = deadletters.read(key, value, headers)
    assert kept is not None
    return kept


def target(record: Record, partition: int = 5) -> int:
    """Where a dead letter that came from `partition` is sent."""
    kept = buried(record, partition)
    return REDRIVER.partition(kept, kept.original, dict(front_door(kept.headers)))


def test_a_dead_letter_keeps_everything_of_the_original() -> None:
    """Key, value, headers and time come back as they were, also where key and value are null."""
    headers: Headers = (("content-type", b"x"), ("trace", b"\xff"))
    for record in (
        Record(b"k", b"\xff", headers),
        Record(None, None),
        Record(None, b""),
        Record(b"", None),
    ):
        kept = buried(record)
        assert (kept.key, kept.value) == (record.key, record.value)
        assert kept.headers == record.headers
        assert kept.timestamp == record.timestamp
        assert (kept.topic, kept.partition, kept.offset) == ("touchpoints", 5, 3)


def test_a_producer_cannot_write_our_part_of_a_dead_letter() -> None:
    """Headers with the prefix of dead letters are not believed: they could hide the value, or forge an origin."""
    forged = (
        ("bandshift-dead-null", b"1"),
        ("bandshift-dead-offset", b"x"),
        ("bandshift-dead-id", b"y"),
    )
    kept = buried(Record(b"k", b"v", forged))

    assert (kept.value, kept.headers) == (b"v", forged)
    assert kept.offset == 3
    assert kept.identity == buried(Record(b"k", b"v")).identity


def test_a_touchpoint_that_can_be_read_goes_to_its_customers_home() -> None:
    """The body decides, whatever key it came with and wherever it came from."""
    assert target(Record(b"bob", WHOLE)) == home("ann", PARTITIONS)


def test_what_cannot_be_read_goes_back_where_it_came_from() -> None:
    """Bytes that are no touchpoint return to their partition; if that is gone, to the home of their key."""
    assert target(Record(b"ann", b"\xff")) == 5
    assert target(Record(b"ann", None)) == 5
    assert target(Record(b"ann", b"\xff"), PARTITIONS) == home("ann", PARTITIONS)
    assert target(Record(None, b"\xff"), PARTITIONS) == home("", PARTITIONS)


def test_a_control_record_goes_back_to_its_own_partition() -> None:
    """Its signature holds for that partition only."""
    headers = ((CONTROL, b"tick"), (SIGNATURE, b"s"))

    assert target(Record(b"", WHOLE, headers)) == 5
    assert front_door(headers) == headers


def test_a_forwarded_touchpoint_comes_back_as_a_new_one() -> None:
    """With the origin of its forward, its home would take it for a repetition and drop it."""
    headers = (("trace", b"1"), (ORIGIN, b"1:2"), (SIGNATURE, b"s"))

    assert front_door(headers) == (("trace", b"1"),)


def test_letters_are_counted_once() -> None:
    """By reason, the most outstanding first; a letter that was redriven is counted apart."""
    stock = Stock({}, reasons={"1": "a", "2": "a", "3": "b", "4": "c"}, redriven={"2", "4"})

    assert stock.counts() == {"a": (1, 1), "b": (1, 0), "c": (0, 1)}

"""Dead letters of awkward records: byte for byte where that is possible, bounded in any case."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple, cast

import pytest

from schemas.rejections import Reason, Rejection
from schemas.types import TypeRegistry
from stream.broker import deadletters
from stream.broker.deadletters import Kept
from stream.broker.packing import BEGINNING, MOST_PACKED, Original
from stream.broker.redrive import Letter, Redriver
from stream.broker.topics import Topics
from stream.commands.dlq import lines
from stream.commands.style import Style
from stream.commands.tail import as_data
from stream.partition.step import DeadLetter

MOST_STORED = 1_000_000
"""Bytes of a record that surely fit the dead-letter topic's 1 MiB."""
BYTES = Random(1).randbytes(2_000_000)
Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """A record as Kafka's client hands it over."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = 1_700_000_000_000
    offset: int = 3


def stored(record: Record, detail: str = "record: expected less") -> Original:
    """What a dead letter is in its topic."""
    rejection = Rejection(Reason.TOO_LARGE, "record", detail)
    key, value, headers, _ = deadletters.row("touchpoints", 5, DeadLetter(record, rejection))
    return Original(key, value, headers)


def buried(record: Record) -> Kept:
    """A dead letter, written and read back."""
    kept = deadletters.read(*stored(record))
    assert kept is not None
    return kept


WHOLE: dict[str, Record] = {
    "headers without a value": Record(b"k", b"v", (("a", None), ("b", b""), ("a", b"x"))),
    "headers of our own prefix": Record(
        b"k",
        b"v",
        (
            ("bandshift-dead-id", b"x"),
            ("bandshift-dead-name-a%20b", None),
            ("bandshift-dead-packed", b"zlib"),
            ("bandshift-dead-\udcff", b"y"),
        ),
    ),
    "names that are no UTF-8": Record(
        b"k", b"v", (("caf\udce9", b"1"), ("café", b"2"), ("", b"3"))
    ),
    "a large value": Record(b"k", b"x" * 1_100_000, (("a", None),)),
    "a large key": Record(b"k" * 1_100_000, b"v"),
    "a large key and nothing else": Record(b"k" * 1_100_000, None),
    "a large header": Record(b"k", b"v", (("trace", b"y" * 1_100_000),)),
    "a large name": Record(b"k", b"v", (("y" * 1_100_000, None),)),
    "many empty headers": Record(b"k", b"v", (("", b""),) * 500_000),
    "many names that are no UTF-8": Record(b"k", b"v", (("\udcff", b""),) * 200_000),
    "a large value without a key": Record(None, b"x" * 1_100_000),
    "as much as is packed": Record(b"k", b"x" * (MOST_PACKED - 1)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_dead_letter_comes_back_byte_for_byte(name: str) -> None:
    """Key, value and headers of an awkward record are kept exactly, in a record that the topic takes."""
    record = WHOLE[name]
    kept = buried(record)
    assert kept.original == Original(record.key, record.value, record.headers)
    assert (kept.reason, kept.offset, kept.timestamp) == ("too_large", 3, record.timestamp)
    assert kept.whole is None
    assert stored(record).size < MOST_STORED


CUT: dict[str, Record] = {
    "a value that cannot be packed": Record(b"k", BYTES),
    "a key that cannot be packed": Record(BYTES, b"v"),
    "a header that cannot be packed": Record(b"k", b"v", (("a", b"1"), ("trace", BYTES))),
    "names that cannot be packed": Record(
        b"k", b"v", tuple((BYTES[at : at + 9].hex(), None) for at in range(0, 900_000, 9))
    ),
    "more than is packed": Record(b"k", b"x" * (MOST_PACKED + 1)),
}


@pytest.mark.parametrize("name", CUT)
def test_of_what_is_too_large_even_so_the_beginning_is_kept(name: str) -> None:
    """The letter holds the beginning of everything, the whole size and a hash, and says that it is cut."""
    record = CUT[name]
    kept = buried(record)
    assert stored(record).size < MOST_STORED
    assert kept.key == (record.key or b"")[:BEGINNING]
    assert kept.value == (record.value or b"")[:BEGINNING]
    assert kept.headers == record.headers[: len(kept.headers)]
    assert kept.whole == Original(record.key, record.value, record.headers).size
    digest = sha256(record.value or b"").hexdigest().encode()
    assert ("bandshift-dead-sha256", digest) in stored(record).headers
    assert f"{kept.whole} bytes" in lines(Letter(kept, 0, 0, 0), Style(colour=False))[-1]
    told = as_data(kept)
    assert (told["bytes"], told["complete"]) == (kept.whole, False)


def test_a_sentence_has_an_end() -> None:
    """A detail that repeats much of the record does not make the letter too large."""
    assert stored(Record(b"k", b"v"), "type: expected another, got " + "x" * 2_000_000).size < 9_000


class Producer:
    """Takes note of what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, topic: str, value: bytes | None, key: bytes | None, **more: Any) -> Any:
        del topic
        self.sent.append(Original(key, value, tuple(more["headers"])))
        return self._done()

    async def _done(self) -> None:
        return None

    async def send_and_wait(self, topic: str, value: bytes, key: bytes, **more: Any) -> None:
        del topic, key, more
        self.sent.append(value)


async def redriven(records: Sequence[Record]) -> tuple[list[Any], list[Any], list[str]]:
    """What is sent back plainly, what compressed, and what is said of the rest."""
    plain, compressing = Producer(), Producer()
    redriver = Redriver(cast("Any", plain), cast("Any", compressing), Topics(), TypeRegistry(), 8)
    letters = [Letter(buried(record), 0, 0, 0) for record in records]
    done = await redriver.redrive(0, letters)
    return plain.sent, compressing.sent, done.refused


async def test_large_letters_go_back_compressed() -> None:
    """What the topic takes only compressed goes by the compressing producer, as it was; the rest plainly."""
    small, middle, large = (Record(b"k", b"x" * size) for size in (262_000, 300_000, 1_100_000))
    plain, compressed, refused = await redriven([small, middle, large])
    assert plain[0] == Original(b"k", small.value, ())
    assert compressed == [Original(b"k", each.value, ()) for each in (middle, large)]
    assert plain[1].count(b",") == 2  # the marker names all three
    assert refused == []


async def test_what_cannot_go_back_is_told_and_stays() -> None:
    """A letter that was cut, or that no compression makes small enough, is refused; the others go."""
    plain, compressed, refused = await redriven(
        [Record(b"k", BYTES), Record(b"k", b"v"), Record(b"k", BYTES[:500_000])]
    )
    assert [each for each in plain if isinstance(each, Original)] == [Original(b"k", b"v", ())]
    assert plain[1].count(b",") == 0
    assert compressed == []
    assert [each.partition(": ")[0] for each in refused] == [
        "touchpoints, partition 5, offset 3"
    ] * 2
    assert "2000001 bytes, of which only the beginning was kept" in refused[0]
    assert "once compressed" in refused[1]


async def test_a_name_that_cannot_be_sent_is_replaced_on_the_way_back() -> None:
    """Kafka's Python client sends no name that is no UTF-8: such bytes become question marks."""
    plain, _, _ = await redriven([Record(b"k", b"v", (("caf\udce9", None),))])
    assert plain[0].headers == (("caf?", None),)

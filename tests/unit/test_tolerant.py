"""Reading on by hand where Kafka's client stumbles over a header's name."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as Builder
from aiokafka.structs import TopicPartition

from stream.broker.tolerant import _Kept, _Tolerant

ABORTED, COMMITTED = 7, 8
_CONTROL = 0x20
_ATTRIBUTES = 22
"""Where the lower byte of a batch's attributes stands."""


class NotUtf8(str):
    """A name whose bytes are no UTF-8."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xff\xfe"


def batch(
    offset: int, key: bytes, producer: int = -1, *, control: bool = False, name: str = "name"
) -> bytes:
    """A batch of one record, as it stands in a fetch; with a producer, of a transaction."""
    made = cast("Any", Builder)(2, 0, producer >= 0, producer, 0, 0, 10_000)
    made.append(0, 0, key, b"value", [(name, b"")])
    found = bytearray(made.build())
    found[:8] = offset.to_bytes(8, "big")
    if control:
        found[_ATTRIBUTES] |= _CONTROL
    return bytes(found)


@pytest.mark.parametrize("isolation", [0, 1])
def test_what_was_taken_back_stays_so(isolation: int) -> None:
    """Behind such a name, too, only who asks for everything sees the records of an aborted transaction."""
    data = b"".join(
        (
            batch(0, b"ann", name=NotUtf8("name")),
            batch(1, b"bob", ABORTED),
            batch(2, b"cyd", COMMITTED),
            batch(3, b"\0\0\0\0", ABORTED, control=True),
            batch(4, b"dan", ABORTED),
            batch(5, b"\0\0\0\1", COMMITTED, control=True),
        )
    )
    aborted = [(ABORTED, 1)]
    tp = TopicPartition("touchpoints", 0)
    records = _Tolerant(tp, _Kept(data), aborted, 0, None, None, False, isolation)
    expected = [b"ann", b"bob", b"cyd", b"dan"]
    if isolation:
        expected.remove(b"bob")
    assert [record.key for record in records] == expected
    assert records.next_fetch_offset == 6

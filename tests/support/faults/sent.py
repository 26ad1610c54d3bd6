"""What was sent, told apart by its id, with the record of the log that caused it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from stream.broker.deadletters import PREFIX
from stream.broker.memory import DEAD_LETTERS
from stream.partition.control import ORIGIN, Headers
from stream.partition.outputs import TOUCHPOINTS


class Sent(NamedTuple):
    """An output, a forward or a dead letter. `partition` and `offset` are those of the record behind it."""

    identity: str
    partition: int
    offset: int
    body: bytes
    """All of it that must be the same each time it is sent."""


class _Position(msgspec.Struct):
    partition: int
    offset: int


class _Data(msgspec.Struct):
    position: _Position


class _Envelope(msgspec.Struct):
    id: str
    data: _Data


_read = msgspec.json.Decoder(_Envelope).decode


def sent(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Sent | None:
    """What a record of a topic is; None for those that producers and programs write to touchpoints."""
    body = repr((key, value, headers)).encode()
    if topic == TOUCHPOINTS:
        origin = dict(headers).get(ORIGIN)
        if origin is None:
            return None
        partition, offset = origin.split(b":")
        return Sent(f"forward of {origin.decode()}", int(partition), int(offset), body)
    if topic == DEAD_LETTERS:
        found = {name: text for name, text in headers if text is not None}
        partition, offset = found[PREFIX + "partition"], found[PREFIX + "offset"]
        return Sent(found[PREFIX + "id"].decode(), int(partition), int(offset), body)
    envelope = _read(value or b"")
    position = envelope.data.position
    return Sent(envelope.id, position.partition, position.offset, body)

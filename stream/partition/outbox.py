"""The outputs of a partition's last step, as they are stored with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from stream.partition.ledger import Position
from stream.partition.outputs import Output
from stream.partition.step import Step

_Placed = tuple[list[tuple[int, int]], list[Output]]
_plain: Final = msgspec.msgpack.Decoder(list[Output])
_placed: Final = msgspec.msgpack.Decoder(_Placed)


def encode_outbox(step: Step) -> bytes:
    """The outputs alone."""
    return msgspec.msgpack.encode(step.outputs)


def encode_placed(step: Step) -> bytes:
    """The outputs, and the position of the scoring or record behind each."""
    return msgspec.msgpack.encode((step.places, step.outputs))


def decode_outbox(data: bytes) -> Sequence[Output]:
    """The outputs, however they were written."""
    return _decode(data)[1]


def outputs_from(data: bytes, begin: Position) -> Sequence[Output]:
    """The outputs of what lies at a position or beyond it; all of them where their positions were not written."""
    places, outputs = _decode(data)
    if not places:
        return outputs
    return [each for place, each in zip(places, outputs, strict=True) if Position(*place) >= begin]


def _decode(data: bytes) -> _Placed:
    try:
        places, outputs = _placed.decode(data)
    except msgspec.ValidationError:
        return [], _plain.decode(data)
    return places, outputs

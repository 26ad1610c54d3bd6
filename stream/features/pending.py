"""Examples that wait for their labels: what was known of a customer at one moment, and what came since.

All of a customer's examples are part of the state, so they change in the same atomic step; one vector is
shared by all outcomes and stages. As bytes, little-endian, one after another:

opened     when, in seconds since 1970 (u32), how many days' labels are given (u16), how many outcomes (u8),
           what the features are (4 bytes)
outcomes   per outcome what came since (u8, see `Pending.marks`), the length of what was predicted (u8),
           and that (see `Pending.predicted`)
vector     its length (u16), and the frozen features (see `stream.model.frozen`)
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

OPEN = 255
"""Mark of an outcome that has not occurred since the example was opened."""
DONE = 254
"""Mark of an outcome whose last label was given."""
_HEAD = struct.Struct("<IHB4s")
_SIZE = struct.Struct("<H")


class Pending:
    """One example.

    `given`: the labels of stages that end up to so many days after it was opened are given. `marks` holds per outcome the stage in which it first occurred, OPEN or DONE. `predicted` holds per
    outcome, as bytes, what was predicted when the example was opened; of one that is done it is not kept.
    """

    __slots__ = ("due", "features", "given", "marks", "opened", "predicted", "vector")

    def __init__(self, opened: int, marks: bytearray) -> None:
        self.opened = opened
        self.given = 0
        self.due = 0
        """When the next label is known, in seconds since 1970; 0: to be found out. It is not stored."""
        self.marks = marks
        self.predicted: list[bytes] = [b""] * len(marks)
        self.vector = b""
        self.features = bytes(4)
        """The beginning of the hash of the list of features that the vector is of."""


def pack(pending: Sequence[Pending]) -> bytes:
    """Examples as bytes."""
    parts = []
    for each in pending:
        parts.append(_HEAD.pack(each.opened, each.given, len(each.marks), each.features))
        for mark, predicted in zip(each.marks, each.predicted, strict=True):
            kept = b"" if mark == DONE else predicted  # nobody asks for it any more
            parts += (bytes((mark, len(kept))), kept)
        parts += (_SIZE.pack(len(each.vector)), each.vector)
    return b"".join(parts)


def unpack(data: bytes) -> list[Pending]:
    """The examples that `pack` wrote."""
    found = []
    at = 0
    while at < len(data):
        opened, given, outcomes, features = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        each = Pending(opened, bytearray(outcomes))
        each.given, each.features = given, features
        for number in range(outcomes):
            each.marks[number] = data[at]
            end = at + 2 + data[at + 1]
            each.predicted[number] = data[at + 2 : end]
            at = end
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        each.vector = data[at : at + size]
        at += size
        found.append(each)
    return found

"""What people tell a learner, as control records of `examples`: another champion, or an older version again.

The record carries all that it asks for, so whoever reads the same records comes to the same models.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from stream.model.snapshot import Snapshot, UnreadableSnapshotError, decode_snapshot


class UnreadableOrderError(ValueError):
    """The body of a signed record asks for nothing that a learner could do."""


class Held(NamedTuple):
    """An older version that is in force again: its number then, and whose weights they were."""

    version: int
    champion: str
    means: dict[str, float]


class Order(NamedTuple):
    """`restore` a version, or else make a contender of this name champion: `promote`.

    `number` grows with each order to an outcome; one that is not higher than the last was obeyed before.
    """

    number: int
    promote: str
    restore: Snapshot | None = None


class _Promote(msgspec.Struct, tag_field="action", tag="promote", forbid_unknown_fields=True):
    name: str


class _Rollback(msgspec.Struct, tag_field="action", tag="rollback", forbid_unknown_fields=True):
    snapshot: msgspec.Raw


_decode = msgspec.json.Decoder(_Promote | _Rollback).decode


def promotion(name: str) -> str:
    """The body that makes a contender champion, and lets a held outcome publish again."""
    return msgspec.json.encode(_Promote(name)).decode()


def rollback(snapshot: bytes) -> str:
    """The body that puts a version, given as it was published, in force again and holds it."""
    return msgspec.json.encode(_Rollback(msgspec.Raw(snapshot))).decode()


def read_order(number: int, body: str) -> Order:
    """The order that a control record's body holds. Raises UnreadableOrderError."""
    try:
        found = _decode(body.encode())
        if isinstance(found, _Promote):
            return Order(number, found.name)
        return Order(number, "", decode_snapshot(bytes(found.snapshot)))
    except (msgspec.MsgspecError, UnreadableSnapshotError, RecursionError, ValueError) as error:
        raise UnreadableOrderError(f"order: {error}") from None

"""Dead letters: what cannot be scored, with its original bytes, where it came from, and why.

The original key, value and headers are kept as they were; ours are added under `bandshift-dead-`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream.partition.control import Headers
from stream.partition.outputs import output_id
from stream.partition.step import DeadLetter

PREFIX: Final = "bandshift-dead-"
_NULL: Final = PREFIX + "null"


@dataclass(frozen=True)
class Kept:
    """A dead letter as read back."""

    identity: str
    reason: str
    field: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    """The original ones."""
    timestamp: int | None = None
    """Of the original record, in ms since 1970."""


def row(
    topic: str, partition: int, dead: DeadLetter
) -> tuple[bytes | None, bytes | None, Headers, int | None]:
    """Key, value, headers and timestamp of the record that keeps a dead letter."""
    record, rejection = dead
    identity = output_id("dead-letter", topic, str(partition), str(record.offset))
    # A producer's own header of our prefix must not pass for ours when it is read back.
    headers: list[tuple[str, bytes]] = [
        (name, text or b"") for name, text in record.headers if not name.startswith(PREFIX)
    ]
    for name, text in (
        ("id", identity),
        ("reason", rejection.reason),
        ("field", rejection.field),
        ("detail", rejection.detail),
        ("topic", topic),
        ("partition", str(partition)),
        ("offset", str(record.offset)),
        ("timestamp", str(record.timestamp)),
    ):
        headers.append((PREFIX + name, text.encode()))
    value = record.value
    if value is None and record.key is None:
        value = b""  # Kafka's Python client sends no record without key and value
        headers.append((_NULL, b"1"))
    return record.key, value, tuple(headers), None


def read(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> Kept | None:
    """The dead letter in a record of the dead-letter topic, or None if it is something else."""
    own = {
        name.removeprefix(PREFIX): text or b"" for name, text in headers if name.startswith(PREFIX)
    }
    if "reason" not in own:
        return None
    text = {name: found.decode("utf-8", "replace") for name, found in own.items()}
    return Kept(
        identity=text.get("id", ""),
        reason=text["reason"],
        field=text.get("field", ""),
        detail=text.get("detail", ""),
        topic=text.get("topic", ""),
        partition=int(text.get("partition", -1)),
        offset=int(text.get("offset", -1)),
        key=key,
        value=None if "null" in own else value,
        headers=tuple(
            (name, found or b"") for name, found in headers if not name.startswith(PREFIX)
        ),
        timestamp=int(text["timestamp"]) if "timestamp" in text else None,
    )

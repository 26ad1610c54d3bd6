"""Dead letters: what cannot be scored, with its original bytes, where it came from, and why.

The original key, value and headers are kept as they were; ours are added under `bandshift-dead-`. A header
that cannot stand under its own name (it begins with our prefix, or is no UTF-8) stands under
`bandshift-dead-name-` and its name, percent-encoded. A record too large for the topic is packed into the value
under `bandshift-dead-packed`; one that is too large even so is cut, and `bandshift-dead-whole` and
`bandshift-dead-sha256` tell what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from stream.broker.packing import MOST_PACKED, MOST_PLAIN, Original, cut, digest, pack, unpack
from stream.partition.control import Headers
from stream.partition.outputs import output_id
from stream.partition.step import DeadLetter

PREFIX: Final = "bandshift-dead-"
_NAME: Final = PREFIX + "name-"
_NULL: Final = PREFIX + "null"
_PACKED: Final = PREFIX + "packed"
_WHOLE: Final = PREFIX + "whole"
_SHA256: Final = PREFIX + "sha256"
_MOST_KEY: Final = 1024
"""Bytes of its key that stand on a packed letter, to find it by; customers' ids have at most 256."""
_MOST_DETAIL: Final = 4_000


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
    stored: Original
    """As it stands in the dead-letter topic, without our headers."""
    timestamp: int | None = None
    """Of the original record, in ms since 1970."""
    packed: bool = False
    whole: int | None = None
    """Bytes of the original, where only its beginning was kept."""

    @property
    def original(self) -> Original:
        """What the producer sent. Unpacked anew each time: a few KB may stand for 16 MiB."""
        return unpack(self.stored.value or b"") if self.packed else self.stored

    @property
    def key(self) -> bytes | None:
        """The original one."""
        return self.original.key

    @property
    def value(self) -> bytes | None:
        """The original one, or its beginning."""
        return self.original.value

    @property
    def headers(self) -> Headers:
        """The original ones, or the first of them."""
        return self.original.headers


def row(
    topic: str, partition: int, dead: DeadLetter
) -> tuple[bytes | None, bytes | None, Headers, int | None]:
    """Key, value, headers and timestamp of the record that keeps a dead letter."""
    record, rejection = dead
    identity = output_id("dead-letter", topic, str(partition), str(record.offset))
    kept, marks = _kept(Original(record.key, record.value, tuple(record.headers)))
    headers = list(kept.headers)
    for name, said in (
        ("id", identity),
        ("reason", rejection.reason),
        ("field", rejection.field),
        ("detail", rejection.detail[:_MOST_DETAIL]),
        ("topic", topic),
        ("partition", str(partition)),
        ("offset", str(record.offset)),
        ("timestamp", str(record.timestamp)),
    ):
        headers.append((PREFIX + name, said.encode()))
    value = kept.value
    if value is None and kept.key is None:
        value = b""  # Kafka's Python client sends no record without key and value
        marks = (*marks, (_NULL, b"1"))
    return kept.key, value, (*headers, *marks), None


def _kept(original: Original) -> tuple[Original, Headers]:
    """What is kept of a record, in a form that the dead-letter topic takes, and the headers that tell the form."""
    size = original.size
    if size <= MOST_PLAIN and (plain := _plain(original)).size <= MOST_PLAIN:
        return plain, ()
    if size <= MOST_PACKED and len(packed := pack(original)) <= MOST_PLAIN:
        key = original.key and original.key[:_MOST_KEY]
        return Original(key, packed, ()), ((_PACKED, b"zlib"),)
    told = ((_WHOLE, b"%d" % size), (_SHA256, digest(original).encode()))
    return _plain(cut(original)), told


def _plain(original: Original) -> Original:
    """The same with names that can stand beside ours."""
    key, value, headers = original
    return Original(key, value, tuple((_escaped(name), text) for name, text in headers))


def _escaped(name: str) -> str:
    """The name under which a producer's header is kept."""
    raw = name.encode("utf-8", "surrogateescape")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return _NAME + quote_from_bytes(raw)
    # A producer's own header of our prefix must not pass for ours when it is read back.
    return _NAME + quote_from_bytes(raw) if name.startswith(PREFIX) else name


def _unescaped(name: str) -> str:
    if not name.startswith(_NAME):
        return name
    return unquote_to_bytes(name.removeprefix(_NAME)).decode("utf-8", "surrogateescape")


def read(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> Kept | None:
    """The dead letter in a record of the dead-letter topic, or None if it is something else."""
    own: dict[str, str] = {}
    theirs: list[tuple[str, bytes | None]] = []
    for name, text in headers:
        if name.startswith(PREFIX) and not name.startswith(_NAME):
            own[name.removeprefix(PREFIX)] = (text or b"").decode("utf-8", "replace")
        else:
            theirs.append((_unescaped(name), text))
    if "reason" not in own:
        return None
    return Kept(
        identity=own.get("id", ""),
        reason=own["reason"],
        field=own.get("field", ""),
        detail=own.get("detail", ""),
        topic=own.get("topic", ""),
        partition=int(own.get("partition", -1)),
        offset=int(own.get("offset", -1)),
        stored=Original(key, None if "null" in own else value, tuple(theirs)),
        timestamp=int(own["timestamp"]) if "timestamp" in own else None,
        packed="packed" in own,
        whole=int(own["whole"]) if "whole" in own else None,
    )

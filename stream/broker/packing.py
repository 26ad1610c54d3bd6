"""Records too large to be kept as they are: packed, or, where even that is too large, their beginning.

Kafka holds a topic's limit against what is compressed: 256 KiB of gzip may be 250 MB of text.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from stream.partition.control import Headers
from stream.partition.size import size_of, size_of_headers

MOST_PLAIN: Final = 900_000
"""Bytes of key, headers and value in one record of the dead-letter topic, whose limit is 1 MiB with ours added."""
MOST_PACKED: Final = 16 << 20
"""Bytes packed at all: packing them takes a second at the most, and whoever reads needs room for the whole."""
BEGINNING: Final = 64 * 1024
"""Bytes kept of the key, the headers and the value of what cannot be packed."""


class Original(NamedTuple):
    """Key, value and headers as the producer sent them."""

    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes of all three."""
        return size_of(*self)


class _Packed(msgspec.Struct, array_like=True):
    key: bytes | None
    value: bytes | None
    headers: list[tuple[bytes, bytes | None]]
    """With the names as bytes: they may be no UTF-8."""


_unpack = msgspec.msgpack.Decoder(_Packed)


def pack(original: Original, level: int = 6) -> bytes:
    """All of it as zlib data: a MessagePack array of key, value and the pairs of headers."""
    named = [(name.encode("utf-8", "surrogateescape"), text) for name, text in original.headers]
    plain = msgspec.msgpack.encode(_Packed(original.key, original.value, named))
    return zlib.compress(plain, level)


def unpack(data: bytes) -> Original:
    """What was packed, exactly."""
    found = _unpack.decode(zlib.decompress(data))
    headers = ((name.decode("utf-8", "surrogateescape"), text) for name, text in found.headers)
    return Original(found.key, found.value, tuple(headers))


def cut(original: Original) -> Original:
    """The beginning of it: of the key, of the value, and the first headers."""
    headers: list[tuple[str, bytes | None]] = []
    left = BEGINNING
    for header in original.headers:
        left -= size_of_headers([header])
        if left < 0:
            break
        headers.append(header)
    key, value = (each and each[:BEGINNING] for each in (original.key, original.value))
    return Original(key, value, tuple(headers))


def digest(original: Original) -> str:
    """SHA-256 of the whole value."""
    return sha256(original.value or b"").hexdigest()

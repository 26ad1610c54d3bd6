"""How large a record is: key, headers and value together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.intake import MOST_BYTES
from schemas.rejections import Reason, Rejection

_PER_HEADER: Final = 2
"""Bytes that Kafka spends on a header's lengths, at least: a million empty headers are 2 MB."""

_Headers = Iterable[tuple[str, bytes | None]]


def size_of(key: bytes | None, value: bytes | None, headers: _Headers) -> int:
    """Bytes of key, headers and value together."""
    return len(key or b"") + len(value or b"") + size_of_headers(headers)


def size_of_headers(headers: _Headers) -> int:
    """Bytes of all names and values."""
    return sum(
        len(name.encode("utf-8", "surrogateescape")) + len(text or b"") + _PER_HEADER
        for name, text in headers
    )


def check_size(key: bytes | None, value: bytes, headers: _Headers) -> Rejection | None:
    """Why a touchpoint is too large to be taken, if it is; forwarded, it keeps its key and headers."""
    parts = (len(key or b""), size_of_headers(headers), len(value))
    if sum(parts) <= MOST_BYTES:
        return None
    detail = (
        f"record: expected at most {MOST_BYTES} bytes of key, headers and value together, "
        "got {} + {} + {}".format(*parts)
    )
    return Rejection(Reason.TOO_LARGE, "record", detail)

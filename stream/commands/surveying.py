"""A file of touchpoints, read twice for an evaluation: what is in it, then its rows as touchpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.cloudevents import sniff
from stream.broker.rows import Row, TouchpointFile
from stream.errors import TouchpointFileError
from stream.evaluation.driver import Touch
from stream.features.grid import DAY, KEPT

_KEPT_MS: Final = KEPT * 1000
_MOST_LATE: Final = 0.01
"""Share of rows that come too late to be counted, from which on the file is taken for one out of order."""
_WATCHED: Final = 1_000


class _Body(msgspec.Struct):
    type: Any = None


_body = msgspec.json.Decoder(_Body).decode


@dataclass
class Survey:
    """What is in a file. Times in ms since 1970."""

    rows: int = 0
    types: Counter[str] = field(default_factory=Counter)
    """How often each type is named."""
    began: int | None = None
    ended: int = 0
    disordered: int = 0
    """Rows with an earlier time than one before them."""
    too_late: int = 0
    """Of these, the ones too late to be counted."""
    unread: int = 0
    """Rows that no record could carry."""


def survey(file: str, latest: int, watch: Callable[[int, float | None], None]) -> Survey:
    """Read all rows; times after `latest` (ms) are none. Raises TouchpointFileError."""
    found = Survey()
    with TouchpointFile(file) as rows:
        for row in rows:
            found.rows += 1
            if found.rows % _WATCHED == 0:
                watch(found.rows, rows.fraction)
            if row.value is None:
                found.unread += 1
                continue
            name = _type(row.value)
            if isinstance(name, str) and name:
                found.types[name] += 1
            at = _time(row, latest)
            if at is None:
                continue
            found.began = at if found.began is None else min(at, found.began)
            if at < found.ended:
                found.disordered += 1
                found.too_late += found.ended - at > _KEPT_MS
            found.ended = max(at, found.ended)
    if found.began is None:
        raise TouchpointFileError(
            f"{file}: expected touchpoints, got {found.rows} rows and none with a time"
        )
    if found.too_late > _MOST_LATE * found.rows:
        raise TouchpointFileError(
            f"{file}: {found.too_late:,} of {found.rows:,} rows come more than {KEPT // DAY} days after rows of a "
            "later time, and would not be counted",
            "sort the file by occurred_at, or put the times right that lie too far ahead",
        )
    return found


def touches(file: str, latest: int, began: int, names: Mapping[str, str]) -> Iterator[Touch]:
    """The rows that a record can carry, with the types' own names.

    One without a readable time comes at the time of the row before, to be rejected.
    """
    changed = {name: other for name, other in names.items() if name != other}
    clock = began
    with TouchpointFile(file) as rows:
        for row in rows:
            if row.value is None:
                continue
            at = _time(row, latest)
            if at is not None:
                clock = max(clock, at)
            value = _renamed(row.value, changed) if changed else row.value
            yield Touch(row.customer_id or "", clock if at is None else at, value)


def _time(row: Row, latest: int) -> int | None:
    at = row.occurred_ms
    return at if at is not None and at <= latest else None


def _plain(value: bytes) -> bytes:
    """The touchpoint, out of the CloudEvent around it."""
    inner = sniff(value) if b'"specversion"' in value else None
    return inner if isinstance(inner, bytes) else value


def _type(value: bytes) -> object:
    try:
        return _body(_plain(value)).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _renamed(value: bytes, changed: Mapping[str, str]) -> bytes:
    name = _type(value)
    if not isinstance(name, str) or name not in changed:
        return value
    body = msgspec.json.decode(_plain(value))
    body["type"] = changed[name]
    return msgspec.json.encode(body)

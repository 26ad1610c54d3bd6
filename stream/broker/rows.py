"""Files of touchpoints, read to rows: CSV or JSON lines, plain or gzip.

A row that is no good touchpoint is passed on as it stands, so that it ends in the dead letters with its
reason; only what no record could carry has a `fault` instead of a value.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple, Self, cast

import msgspec

from stream.broker.topics import MOST_RECORD
from stream.errors import TouchpointFileError

REQUIRED: Final = ("event_id", "customer_id", "type", "occurred_at")
OPTIONAL: Final = ("channel", "stage", "value", "currency", "attrs")
_PLAIN: Final = ("channel", "stage", "currency")
_MOST_LINE: Final = 4 * MOST_RECORD
_encode = msgspec.json.Encoder().encode


class Row(NamedTuple):
    """One row. `customer_id` and `occurred_ms` (ms since 1970) are None where they cannot be read."""

    line: int
    customer_id: str | None
    occurred_ms: int | None
    value: bytes | None
    """The touchpoint as a record's value, or the row as it stands."""
    fault: str = ""
    """Why there is no value."""

    def at(self, occurred_ms: int) -> Row:
        """The same touchpoint as if it happened at another time; a row that is none stays as it is."""
        if self.value is None or self.occurred_ms is None:
            return self
        body = msgspec.json.decode(self.value)
        part = body["data"] if isinstance(body.get("data"), dict) else body
        if "occurred_at" not in part and "time" in body:
            part, name = body, "time"
        else:
            name = "occurred_at"
        part[name] = datetime.fromtimestamp(occurred_ms / 1000, UTC)
        return self._replace(occurred_ms=occurred_ms, value=_encode(body))


def moment(text: str) -> int | None:
    """Milliseconds since 1970 of an ISO 8601 time with a zone; None where it is none, or before 1970."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None:
        return None
    at = int(found.timestamp() * 1000)
    return at if at > 0 else None


class TouchpointFile:
    """A file ("-": standard input) to iterate over once, inside `with`.

    Raises TouchpointFileError where the file cannot be read, or is damaged.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._raw: io.BufferedReader = cast("io.BufferedReader", None)
        self._size = 0

    def __enter__(self) -> Self:
        try:
            if self.path == "-":
                # A reader of its own: Python must not wait for that of sys.stdin when it ends.
                self._raw = open(sys.stdin.fileno(), "rb", closefd=False)
            else:
                self._raw = Path(self.path).open("rb")
                self._size = os.fstat(self._raw.fileno()).st_size
        except OSError as error:
            raise TouchpointFileError(
                f"{self.path}: expected a readable file, got: {error.strerror}"
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.path != "-":  # which may be read in another thread still
            self._raw.close()

    @property
    def fraction(self) -> float | None:
        """How much of the file is read, 0 to 1; None where that is unknown."""
        return min(1.0, self._raw.tell() / self._size) if self._size else None

    def __iter__(self) -> Iterator[Row]:
        try:
            file = self._unpacked()
            first = file.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
            yield from json_rows(file) if first in {b"{", b"["} else csv_rows(file, self.path)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise TouchpointFileError(
                f"{self.path}: the compressed data is damaged or cut off"
            ) from None
        except OSError as error:
            raise TouchpointFileError(
                f"{self.path}: expected a readable file, got: {error.strerror}"
            ) from None

    def _unpacked(self) -> io.BufferedReader:
        if self._raw.peek(2)[:2] != b"\x1f\x8b":
            return self._raw
        unpacked = gzip.GzipFile(fileobj=self._raw)
        return io.BufferedReader(cast("Any", unpacked), 1 << 16)


class _Data(msgspec.Struct):
    customer_id: str | None = None
    occurred_at: str | None = None


class _Where(msgspec.Struct):
    customer_id: str | None = None
    occurred_at: str | None = None
    subject: str | None = None
    partitionkey: str | None = None
    time: str | None = None
    data: _Data | None = None


_where = msgspec.json.Decoder(_Where)
_nowhere = _Where()


def json_rows(file: BinaryIO) -> Iterator[Row]:
    """Rows of JSON lines: touchpoints or CloudEvents, each line sent as it stands."""
    number = 0
    while line := file.readline(_MOST_LINE):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) == _MOST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(_MOST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield Row(number, None, None, None, f"expected at most {MOST_RECORD} bytes")
            continue
        value = line.strip()
        if not value:
            continue
        try:
            where = _where.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            where = _nowhere
        data = where.data or _nowhere
        customer = data.customer_id or where.customer_id or where.subject or where.partitionkey
        time = data.occurred_at or where.occurred_at or where.time
        yield Row(number, customer, moment(time) if time else None, value)


def csv_rows(file: BinaryIO, name: str) -> Iterator[Row]:
    """Rows of a CSV file whose first line names the columns."""
    # A byte that is no UTF-8 must spoil its own row only.
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text)
    try:
        columns = next(reader, [])
        place = _places(columns, name)
        while True:
            try:
                for cells in reader:
                    if cells:
                        yield _csv_row(reader.line_num, cells, place)
            except csv.Error as error:
                yield Row(reader.line_num, None, None, None, str(error))
            else:
                return
    finally:
        with suppress(ValueError):  # the file was closed meanwhile: nobody read on
            text.detach()  # closing it would close what it was given


def _places(columns: list[str], name: str) -> dict[str, int]:
    place = {column.strip(): number for number, column in enumerate(columns)}
    missing = [column for column in REQUIRED if column not in place]
    unknown = [column for column in place if column not in REQUIRED + OPTIONAL]
    if missing or unknown or len(place) < len(columns):
        told = ", ".join(columns)[:200].encode("utf-8", "backslashreplace").decode()
        raise TouchpointFileError(
            f"{name}: expected JSON lines, or CSV whose first line names the columns {', '.join(REQUIRED)} "
            f"and any of {', '.join(OPTIONAL)}; got {told or 'nothing'}"
        )
    return place


def _csv_row(line: int, cells: list[str], place: dict[str, int]) -> Row:
    if len(cells) != len(place):
        return Row(line, None, None, _as_it_stands(cells))
    body: dict[str, Any] = {column: cells[place[column]] for column in REQUIRED}
    for column in _PLAIN:
        if column in place and (found := cells[place[column]]):
            body[column] = found
    if "value" in place and (found := cells[place["value"]]):
        body["value"] = _number(found)
    if "attrs" in place and (found := cells[place["attrs"]]):
        body["attributes"] = attributes(found)
    try:
        value = _encode(body)
    except UnicodeEncodeError:
        return Row(line, None, None, _as_it_stands(cells))
    return Row(line, body["customer_id"], moment(body["occurred_at"]), value)


def attributes(text: str) -> dict[str, str | bool]:
    """What `name=value;flag` says: {"name": "value", "flag": True}."""
    found: dict[str, str | bool] = {}
    for part in text.split(";"):
        name, given, value = part.partition("=")
        if name.strip():
            found[name.strip()] = value.strip() if given else True
    return found


def _number(text: str) -> float | str:
    """The number, or the text where it is none: then it is rejected by name instead of dropped."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) else text


def _as_it_stands(cells: list[str]) -> bytes:
    """The cells of a row that is no touchpoint: a JSON list, or the bytes where they are no UTF-8."""
    try:
        return _encode(cells)
    except UnicodeEncodeError:
        return ",".join(cells).encode("utf-8", "surrogateescape")

"""Files of touchpoints: CSV and JSON lines, plain and packed; nothing is dropped silently."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from schemas.intake import read
from schemas.rejections import Reason, Rejection
from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry
from stream.broker.rows import Row, TouchpointFile, attributes, moment
from stream.errors import TouchpointFileError

HEAD = "event_id,customer_id,type,channel,occurred_at,value,attrs"
LINE = "e1,ann,purchase,store,2017-01-02T03:04:05Z,9.99,campaign=24;Type C"
REGISTRY = TypeRegistry()


def rows(path: Path) -> list[Row]:
    """All rows of a file."""
    with TouchpointFile(str(path)) as file:
        return list(file)


def of_csv(tmp_path: Path, *lines: str | bytes, head: str = HEAD) -> list[Row]:
    """The rows of a CSV file with these lines."""
    path = tmp_path / "file.csv"
    encoded = [line if isinstance(line, bytes) else line.encode() for line in (head, *lines)]
    path.write_bytes(b"\n".join(encoded) + b"\n")
    return rows(path)


def verdict(row: Row) -> Touchpoint | Rejection:
    """What the intake makes of a row."""
    assert row.value is not None
    return read(row.value, REGISTRY)


def test_a_csv_row_becomes_a_touchpoint(tmp_path: Path) -> None:
    """All columns arrive, attributes as names and values, the time as milliseconds."""
    (row,) = of_csv(tmp_path, LINE)

    assert (row.line, row.customer_id, row.occurred_ms) == (2, "ann", 1_483_326_245_000)
    assert row.value is not None
    assert json.loads(row.value) == {
        "event_id": "e1",
        "customer_id": "ann",
        "type": "purchase",
        "channel": "store",
        "occurred_at": "2017-01-02T03:04:05Z",
        "value": 9.99,
        "attributes": {"campaign": "24", "Type C": True},
    }
    assert isinstance(verdict(row), Touchpoint)


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    """The first line says which column is which; optional ones may be missing or empty."""
    (row,) = of_csv(
        tmp_path,
        "2017-01-02T03:04:05Z,purchase,EUR,ann,e1,,pre_purchase",
        head="occurred_at,type,currency,customer_id,event_id,value,stage",
    )

    found = verdict(row)
    assert isinstance(found, Touchpoint)
    assert (found.currency, found.value, found.stage) == ("EUR", None, "pre_purchase")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("e1,ann,purchase", Reason.WRONG_SHAPE),
        (LINE + ",more", Reason.WRONG_SHAPE),
        ("e1,ann,purchase,store,2017-01-02,9,", Reason.TIME_WITHOUT_ZONE),
        ("e1,ann,purchase,store,yesterday,9,", Reason.TIME_INVALID),
        ("e1,ann,purchase,store,2017-01-02T03:04:05Z,nan,", Reason.VALUE_INVALID),
        ("e1,ann,purchase,store,2017-01-02T03:04:05Z,cheap,", Reason.VALUE_INVALID),
        ("e1,,purchase,store,2017-01-02T03:04:05Z,9,", Reason.CUSTOMER_ID_INVALID),
        ("e1,ann,purchse,store,2017-01-02T03:04:05Z,9,", Reason.UNKNOWN_TYPE),
        (b"e1,\xff,purchase,store,2017-01-02T03:04:05Z,9,", Reason.NOT_UTF8),
    ],
)
def test_a_bad_csv_row_is_passed_on_to_be_rejected(
    tmp_path: Path, line: str | bytes, reason: Reason
) -> None:
    """A row that is no touchpoint keeps what it says, so that it is rejected by name; the next one is read."""
    bad, good = of_csv(tmp_path, line, LINE)

    found = verdict(bad)
    assert isinstance(found, Rejection)
    assert found.reason is reason
    assert isinstance(verdict(good), Touchpoint)


def test_what_no_record_can_carry_is_named(tmp_path: Path) -> None:
    """A cell beyond any limit has a fault with its line number; the rows after it are read."""
    bad, good = of_csv(tmp_path, "x" * 200_000, LINE)

    assert (bad.line, bad.value) == (2, None)
    assert "limit" in bad.fault
    assert good.line == 3


def test_json_lines_are_sent_as_they_stand(tmp_path: Path) -> None:
    """Touchpoints and CloudEvents, one a line; empty lines are passed over, numbers stay right."""
    plain = b'{"customer_id":"ann", "occurred_at":"2017-01-02T03:04:05Z","x":[1]}'
    event = b'{"specversion":"1.0","subject":"bob","time":"2017-01-02T03:04:06Z","data":{}}'
    inside = b'{"subject":"x","time":"x","data":{"customer_id":"eve","occurred_at":"2017-01-02T03:04:07Z"}}'
    path = tmp_path / "file.jsonl"
    path.write_bytes(b"\n".join([plain, b"", event, inside, b"{no json", b'{"customer_id":7}']))

    found = rows(path)

    assert [row.value for row in found[:4]] == [plain, event, inside, b"{no json"]
    assert [row.line for row in found] == [1, 3, 4, 5, 6]
    assert [row.customer_id for row in found] == ["ann", "bob", "eve", None, None]
    first = 1_483_326_245_000
    assert [row.occurred_ms for row in found] == [first, first + 1000, first + 2000, None, None]


def test_a_line_beyond_all_limits_is_named(tmp_path: Path) -> None:
    """A JSON line of megabytes is not kept in memory: it has a fault, and the next line is read."""
    path = tmp_path / "file.jsonl"
    path.write_bytes(b'{"customer_id":"' + b"a" * 3_000_000 + b'"}\n{"customer_id":"ann"}\n')

    big, good = rows(path)

    assert big.value is None
    assert "bytes" in big.fault
    assert (good.line, good.customer_id) == (2, "ann")


def test_packed_files_and_standard_input_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gzip is recognised by its first bytes, also from standard input, whatever the file's name."""
    expected = of_csv(tmp_path, LINE)
    packed = gzip.compress(f"\ufeff{HEAD}\r\n{LINE}\r\n".encode())
    (tmp_path / "odd.name").write_bytes(packed)
    assert rows(tmp_path / "odd.name") == expected

    with (tmp_path / "odd.name").open("rb") as given:
        monkeypatch.setattr(sys, "stdin", given)
        with TouchpointFile("-") as file:
            assert list(file) == expected
            assert file.fraction is None


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    """How much of a file is read goes by its bytes, and ends at 1."""
    path = tmp_path / "file.csv"
    path.write_text(f"{HEAD}\n{LINE}\n")
    with TouchpointFile(str(path)) as file:
        assert file.fraction == 0
        list(file)
        assert file.fraction == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "got nothing"),
        (b"id,name\n1,2\n", "expected JSON lines, or CSV"),
        (HEAD.encode() + b",amount\n", "amount"),
        (HEAD.encode() + b",value\n", "expected JSON lines, or CSV"),
        (gzip.compress(HEAD.encode() * 9, mtime=0)[:-9], "damaged or cut off"),
        (b"\x1f\x8bnothing", "damaged or cut off"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    """No header, unknown or repeated columns, and damaged archives are errors that name the file."""
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(TouchpointFileError, match=expected) as caught:
        rows(path)
    assert str(path) in str(caught.value)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A missing file and a directory are errors that say why."""
    with pytest.raises(TouchpointFileError, match="No such file"):
        rows(tmp_path / "missing")
    with pytest.raises(TouchpointFileError, match="Is a directory"):
        rows(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2017-01-02T03:04:05Z", 1_483_326_245_000),
        ("2017-01-02T04:04:05.250+01:00", 1_483_326_245_250),
        ("2017-01-02T03:04:05", None),
        ("1969-01-01T00:00:00Z", None),
        ("soon", None),
    ],
)
def test_times_need_a_zone(text: str, expected: int | None) -> None:
    """A time without a zone, or before 1970, is none that a record can have."""
    assert moment(text) == expected


def test_a_row_can_be_moved_in_time(tmp_path: Path) -> None:
    """`at` changes the time in the row and in the touchpoint, and nothing else; what is none stays."""
    good, bad = of_csv(tmp_path, LINE, "e1,ann")
    moved = good.at(1_700_000_000_123)

    assert moved.occurred_ms == 1_700_000_000_123
    before, after = json.loads(good.value or b""), json.loads(moved.value or b"")
    assert moment(after.pop("occurred_at")) == 1_700_000_000_123
    assert before | after == before
    assert bad.at(1) == bad


def test_attributes_are_names_values_and_flags() -> None:
    """`name=value` is a value, a bare name is a flag, empty parts are nothing."""
    assert attributes("a=1;b;;c = x=y ;=z") == {"a": "1", "b": True, "c": "x=y"}

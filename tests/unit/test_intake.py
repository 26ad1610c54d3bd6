"""What producers may send, and what becomes of everything else: the reason, and the field it names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.cloudevents import ATTRIBUTES
from schemas.explain import _BY_FIELD
from schemas.intake import MOST_BYTES, read
from schemas.rejections import MEANINGS, Reason, Rejection
from schemas.touchpoint import Touchpoint
from schemas.types import Stage, TouchpointType, TypeRegistry
from tests.support.records import (
    GOOD,
    PLAIN,
    REGISTRY,
    event,
    lacking,
    nested,
    plain,
    without,
    written,
)

RECORDS = {
    "nothing": (b"", "not_json"),
    "blanks": (b" \n", "not_json"),
    "a word": (b"hello", "not_json"),
    "a zero byte": (b"\0", "not_json"),
    "two objects": (plain() + plain(), "not_json"),
    "a broken-off object": (plain()[:-5], "not_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + plain(), "not_json"),
    "an integer of 5,000 digits": (written("value", "1" + "0" * 5_000), "not_json"),
    "half a surrogate pair": (written("customer_id", r'"\ud800"'), "not_json"),
    "the other half": (written("customer_id", r'"\udc00a"'), "not_json"),
    "half a pair in a key": (written("attributes", r'{"\ud800": 1}'), "not_json"),
    "a line break in text": (written("customer_id", '"a\nb"'), "not_json"),
    "Latin-1": (b'{"customer_id": "Zo\xeb"}', "not_utf8"),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), "not_utf8"),
    "null": (b"null", "wrong_shape"),
    "a number": (b"12", "wrong_shape"),
    "no number": (b"NaN", "wrong_shape"),
    "text": (b'"hello"', "wrong_shape"),
    "true": (b"true", "wrong_shape"),
    "a list": (b"[" + plain() + b"]", "wrong_shape"),
    "attributes nested 1,000 deep": (written("attributes", nested(1_000)), "too_deep"),
    "an unknown field nested 1,000 deep": (written("other", "[" * 1_000 + "]" * 1_000), "too_deep"),
    "brackets only": (b"[" * 30_000, "too_deep"),
    "one byte too many": (plain().ljust(MOST_BYTES + 1), "too_large"),
    "a record at the topic's limit": (b"x" * 262_144, "too_large"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_is_no_json_object_is_told_apart(name: str) -> None:
    """Bytes that hold no JSON object are rejected for the record as a whole, with the reason."""
    value, reason = RECORDS[name]
    rejection = read(value, REGISTRY)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.field) == (reason, "record")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "got no text"),
        (b"\xef\xbb\xbf" + plain(), "without a byte order mark"),
        (b'{"a": "\xeb"}', "the byte at position 7 is not"),
        (plain() + b"!", "trailing characters at line 1 column"),
        (b"[]", "got a list"),
        (b"-1", "got a number"),
        (b"x" * 70_000, "at most 65536 bytes, got 70000"),
    ],
)
def test_the_detail_says_what_is_wrong_with_the_record(value: bytes, words: str) -> None:
    """The detail tells a producer what the record was in place of a JSON object, and where it went wrong."""
    rejection = read(value, REGISTRY)
    assert isinstance(rejection, Rejection)
    assert words in rejection.detail


BAD_ID = ["", " ", " ann", "ann ", "\u3000", "\t", "a\0b", "a\nb", "a\x7fb", "a\x85b", "a\u200bb",
          "a\u202eb", "\ufeffann", "a\u2028b", "x" * 257, "é" * 129, "😀" * 65, 7, True, None, ["a"]]  # fmt: skip
BAD_TIME = ["", "yesterday", "2026-02-30T09:30:00Z", "2026-01-31T24:00:00Z", "2026-06-30T23:59:60Z",
            "2026-01-31T09:30:00+24:00", " 2026-01-31T09:30:00Z", "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
            "2049-01-01T00:00:00Z", "1769851800", "1e9", 1_769_851_800, 1.5, True, None]  # fmt: skip
BAD_VALUE = ["12", True, 1_000_000_000.01, -1e10, 10**400, [1], {}]
FIELDS: list[tuple[str, Any, str]] = [
    *(("customer_id", text, "customer_id_invalid") for text in BAD_ID),
    *(("event_id", text, "event_id_invalid") for text in BAD_ID),
    *(("occurred_at", text, "time_invalid") for text in BAD_TIME),
    *(("value", number, "value_invalid") for number in BAD_VALUE),
    ("occurred_at", "2026-01-31T09:30:00", "time_without_zone"),
    ("occurred_at", "2026-01-31", "time_without_zone"),
    ("type", "smoke_signal", "unknown_type"),
    ("type", "Purchase", "unknown_type"),
    ("type", " purchase", "unknown_type"),
    ("type", "x" * 5_000, "unknown_type"),
    ("type", "", "unknown_type"),
    ("type", 5, "unknown_type"),
    ("stage", "later", "stage_invalid"),
    ("stage", "PURCHASE", "stage_invalid"),
    ("stage", "", "stage_invalid"),
    ("stage", 1, "stage_invalid"),
    ("currency", "eur", "field_invalid"),
    ("currency", "EURO", "field_invalid"),
    ("currency", "EUR\n", "field_invalid"),
    ("currency", 978, "field_invalid"),
    ("channel", "x" * 65, "field_invalid"),
    ("channel", 1, "field_invalid"),
    ("attributes", None, "field_invalid"),
    ("attributes", [], "field_invalid"),
    ("attributes", "colour=red", "field_invalid"),
]


@pytest.mark.parametrize(("field", "found", "reason"), FIELDS)
def test_a_bad_field_is_named_with_what_was_expected(field: str, found: Any, reason: str) -> None:
    """A field that does not hold what it should is named, alike in plain JSON and in a CloudEvent."""
    rejection = read(plain(**{field: found}), REGISTRY)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.field) == (reason, field)
    assert rejection.detail.startswith(f"{field}: expected ")
    if found is not None:  # in a CloudEvent's data null stands for nothing
        assert read(event(data={field: found}), REGISTRY) == rejection


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e999999999"])
def test_a_value_that_is_no_finite_number_is_rejected(text: str) -> None:
    """A value that is not a number, or infinite, or too large for one, is rejected as such in both forms."""
    for value in (
        written("value", text),
        event(data={"value": 1}).replace(b"1}", text.encode() + b"}"),
    ):
        rejection = read(value, REGISTRY)
        assert isinstance(rejection, Rejection)
        assert (rejection.reason, rejection.field) == ("value_invalid", "value")


@pytest.mark.parametrize("field", GOOD)
def test_a_missing_field_is_named(field: str) -> None:
    """Each required field is missed by name; in a CloudEvent the attribute that could give it is named too."""
    rejection = read(without(field), REGISTRY)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.field) == ("missing_field", field)
    wrapped = read(lacking(ATTRIBUTES[field]), REGISTRY)
    assert isinstance(wrapped, Rejection)
    assert (wrapped.reason, wrapped.field) == ("missing_field", field)
    assert f"the CloudEvent's {ATTRIBUTES[field]}" in wrapped.detail


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    """The detail of an unknown type lists what is known here, the deployment's own types included."""
    registry = TypeRegistry([TouchpointType(name="store_visit")])
    rejection = read(plain(type="smoke_signal"), registry)
    assert isinstance(rejection, Rejection)
    assert "store_visit" in rejection.detail
    assert rejection.detail.endswith("got 'smoke_signal'")
    assert isinstance(read(plain(type="store_visit"), registry), Touchpoint)


GOOD_FIELDS: list[tuple[str, Any, Any]] = [
    ("customer_id", "x" * 256, "x" * 256),
    ("customer_id", "é" * 128, "é" * 128),
    ("customer_id", "Ann Lee", "Ann Lee"),
    ("customer_id", "+49 (170) 1", "+49 (170) 1"),
    ("occurred_at", "2026-01-31T09:30:00+23:59", datetime.fromisoformat("2026-01-31T09:30:00+23:59")),
    ("occurred_at", "2026-01-31t09:30:00.5z", datetime.fromisoformat("2026-01-31T09:30:00.5+00:00")),
    ("occurred_at", "2048-12-31T23:59:59Z", datetime(2048, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ("value", 0, 0.0),
    ("value", -1_000_000_000, -1e9),
    ("value", None, None),
    ("stage", "post_purchase", Stage.POST_PURCHASE),
    ("stage", None, None),
    ("channel", "", ""),
    ("currency", "EUR", "EUR"),
    ("attributes", {"": [None, {"a": 1e-9}]}, {"": [None, {"a": 1e-9}]}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "sent", "found"), GOOD_FIELDS)
def test_what_lies_inside_the_limits_is_taken(field: str, sent: Any, found: Any) -> None:
    """A field at the edge of what is allowed is taken as it is."""
    touchpoint = read(plain(**{field: sent}), REGISTRY)
    assert touchpoint == PLAIN.model_copy(update={field: found})


def test_a_touchpoint_as_large_as_may_be_is_taken() -> None:
    """A record of exactly 64 KiB is read."""
    assert read(plain().ljust(MOST_BYTES), REGISTRY) == PLAIN


def test_unknown_fields_are_ignored() -> None:
    """A field that this version does not know hinders nothing."""
    assert read(plain(loyalty_tier="gold"), REGISTRY) == PLAIN


def test_of_a_key_given_twice_the_last_counts() -> None:
    """Of two values for one key the last is taken, in plain JSON, under another spelling, and in a CloudEvent."""
    again = b', "customer_id": "bob"}'
    expected = PLAIN.model_copy(update={"customer_id": "bob"})
    assert read(plain()[:-1] + again, REGISTRY) == expected
    assert read(plain()[:-1] + again.replace(b"_", rb"\u005f"), REGISTRY) == expected
    assert read(lacking("data")[:-1] + b', "subject": "bob"}', REGISTRY) == expected


def test_every_detail_is_one_line_that_shows_no_customer() -> None:
    """Details name field and expectation in one line, without repeating the id or the value sent."""
    sent = [value for value, _ in RECORDS.values()]
    sent += [plain(**{field: found}) for field, found, _ in FIELDS]
    sent += [plain(customer_id="secret\nname"), plain(value="secret"), plain(occurred_at="secret")]
    for value in sent:
        rejection = read(value, REGISTRY)
        assert isinstance(rejection, Rejection)
        assert rejection.detail.startswith(f"{rejection.field}: expected ")
        assert "\n" not in rejection.detail
        assert "secret" not in rejection.detail


def test_every_field_has_words_for_what_it_expects() -> None:
    """Each field of a touchpoint has an expectation, and each required one an attribute of CloudEvents."""
    fields = Touchpoint.model_fields
    assert set(_BY_FIELD) == set(fields)
    assert set(ATTRIBUTES) == {name for name, field in fields.items() if field.is_required()}


def test_every_reason_has_a_title_and_a_remedy() -> None:
    """No reason code is left without words, and no two share a title."""
    assert list(MEANINGS) == list(Reason)
    assert len({meaning.title for meaning in MEANINGS.values()}) == len(Reason)
    assert all(meaning.remedy.endswith(".") for meaning in MEANINGS.values())

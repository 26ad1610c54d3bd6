"""From a parser's or a model's error to a rejection: the field, and what was expected there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from schemas.fields import MOST_ID_BYTES
from schemas.rejections import Reason, Rejection
from schemas.touchpoint import MOST_VALUE

RECORD: Final = "record"
"""Stands for the field where a record as a whole is at fault."""

_BOM = b"\xef\xbb\xbf"
_ID = (
    f"expected text of 1 to {MOST_ID_BYTES} bytes of UTF-8, with no space at its ends "
    "and no control or invisible characters"
)
_TIME = "expected a date and time as RFC 3339 text, such as 2026-01-31T09:30:00Z"
_BY_FIELD: Final[Mapping[str, tuple[Reason, str]]] = {
    "event_id": (Reason.EVENT_ID_INVALID, _ID),
    "customer_id": (Reason.CUSTOMER_ID_INVALID, _ID),
    "type": (Reason.UNKNOWN_TYPE, "expected the name of a touchpoint type"),
    "stage": (Reason.STAGE_INVALID, "expected pre_purchase, purchase or post_purchase"),
    "occurred_at": (Reason.TIME_INVALID, _TIME),
    "value": (Reason.VALUE_INVALID, f"expected a number from -{MOST_VALUE} to {MOST_VALUE}"),
    "channel": (Reason.FIELD_INVALID, "expected text of at most 64 characters"),
    "currency": (
        Reason.FIELD_INVALID,
        "expected a code of three capital letters (ISO 4217), such as EUR",
    ),
    "attributes": (Reason.FIELD_INVALID, "expected a JSON object"),
}
_KINDS: Final[Mapping[str, str]] = {
    "[": "a list",
    '"': "text",
    "t": "true",
    "f": "false",
    "n": "null",
}
"""What JSON is, by the character it begins with; anything else is a number."""


def explain(
    error: ValidationError, value: bytes, attributes: Mapping[str, str] | None = None
) -> Rejection:
    """Why `value` is no touchpoint: its first fault.

    `attributes` names the CloudEvent's attribute that could have given each required field.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    kind, where = first["type"], first["loc"]
    if kind == "json_invalid":
        return not_json(value, str(first["ctx"]["error"]))
    if not where:
        got = _KINDS.get(value.lstrip()[:1].decode(), "a number")
        return Rejection(Reason.WRONG_SHAPE, RECORD, f"record: expected a JSON object, got {got}")
    field = str(where[0])
    if kind == "missing":
        given_by = f" or the CloudEvent's {attributes[field]}" if attributes else ""
        detail = f"{field}: expected this field{given_by}, but it is missing"
        return Rejection(Reason.MISSING_FIELD, field, detail)
    if kind == "timezone_aware":
        detail = f"{field}: expected a time zone, such as the Z in 2026-01-31T09:30:00Z"
        return Rejection(Reason.TIME_WITHOUT_ZONE, field, detail)
    reason, expected = _BY_FIELD[field]
    if field == "occurred_at" and kind in {"greater_than_equal", "less_than"}:
        expected = "expected a time from 1970 to 2048"
    return Rejection(reason, field, f"{field}: {expected}")


def not_json(value: bytes, message: str) -> Rejection:
    """Why `value` cannot be parsed; `message` is the parser's, such as "trailing characters at line 1 ..."."""
    if not value.strip():
        return Rejection(Reason.NOT_JSON, RECORD, "record: expected a JSON object, got no text")
    if value.startswith(_BOM):
        detail = "record: expected JSON without a byte order mark before it"
        return Rejection(Reason.NOT_JSON, RECORD, detail)
    try:
        value.decode()
    except UnicodeDecodeError as error:
        detail = f"record: expected UTF-8, but the byte at position {error.start} is not"
        return Rejection(Reason.NOT_UTF8, RECORD, detail)
    if message.startswith("recursion"):
        where = message.rpartition(" at ")[2]
        detail = f"record: expected JSON that is less deeply nested than at {where}"
        return Rejection(Reason.TOO_DEEP, RECORD, detail)
    detail = f"record: expected JSON, got something else ({message})"
    return Rejection(Reason.NOT_JSON, RECORD, detail)

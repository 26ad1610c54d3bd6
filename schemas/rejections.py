"""Why a touchpoint is not taken: the reason codes of dead letters and of the HTTP intake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Reason(StrEnum):
    """One code per kind of fault; the values are stable, consumers may build on them."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    NULL_VALUE = "null_value"
    MISSING_FIELD = "missing_field"
    EVENT_ID_INVALID = "event_id_invalid"
    CUSTOMER_ID_INVALID = "customer_id_invalid"
    UNKNOWN_TYPE = "unknown_type"
    STAGE_INVALID = "stage_invalid"
    TIME_WITHOUT_ZONE = "time_without_zone"
    TIME_INVALID = "time_invalid"
    TIME_AHEAD = "time_ahead"
    TIME_TOO_OLD = "time_too_old"
    VALUE_INVALID = "value_invalid"
    FIELD_INVALID = "field_invalid"
    FORGED_CONTROL = "forged_control"
    CLOUDEVENT_INVALID = "cloudevent_invalid"


@dataclass(frozen=True)
class Rejection:
    """A fault of one touchpoint: code, the field it is in, and what was expected, as a sentence."""

    reason: Reason
    field: str
    detail: str


class Meaning(NamedTuple):
    """A reason in words: a short title, and what the producer can do about it."""

    title: str
    remedy: str


MEANINGS: Final[Mapping[Reason, Meaning]] = {
    Reason.NOT_UTF8: Meaning(
        "The bytes are not UTF-8", "Encode the JSON text as UTF-8; UTF-16 and Latin-1 are not read."
    ),
    Reason.NOT_JSON: Meaning(
        "The text is not JSON", "Write it with a JSON library, one touchpoint per record."
    ),
    Reason.WRONG_SHAPE: Meaning(
        "The JSON is not an object", "Send one object per record; only the HTTP intake takes lists."
    ),
    Reason.TOO_DEEP: Meaning(
        "The JSON is nested too deeply", "Flatten the attributes; about 200 levels are read."
    ),
    Reason.TOO_LARGE: Meaning(
        "The touchpoint is too large",
        "Keep key, headers and value under 64 KiB together: send a link instead of the document.",
    ),
    Reason.NULL_VALUE: Meaning(
        "The record has no value", "Send no tombstones; erasure has a way of its own."
    ),
    Reason.MISSING_FIELD: Meaning(
        "A required field is missing", "Give event_id, customer_id, type and occurred_at."
    ),
    Reason.EVENT_ID_INVALID: Meaning(
        "The event id cannot be used",
        "Use text of 1 to 256 bytes, with no space at its ends and no invisible characters.",
    ),
    Reason.CUSTOMER_ID_INVALID: Meaning(
        "The customer id cannot be used",
        "Use text of 1 to 256 bytes, with no space at its ends and no invisible characters.",
    ),
    Reason.UNKNOWN_TYPE: Meaning(
        "The touchpoint type is not known here",
        "Use one of the types that the detail lists, or add yours to the settings.",
    ),
    Reason.STAGE_INVALID: Meaning(
        "The stage is not one of the three", "Leave it out to get the type's own stage."
    ),
    Reason.TIME_WITHOUT_ZONE: Meaning(
        "The time has no zone", "End it with Z or with an offset such as +01:00."
    ),
    Reason.TIME_INVALID: Meaning(
        "The time cannot be read",
        "Write it as RFC 3339 text from 1970 to 2048, not as a number of seconds.",
    ),
    Reason.TIME_AHEAD: Meaning(
        "The time lies ahead of the clock", "Set the producer's clock; five minutes are forgiven."
    ),
    Reason.TIME_TOO_OLD: Meaning(
        "The time lies before what is kept", "Import history before going live; 90 days are kept."
    ),
    Reason.VALUE_INVALID: Meaning(
        "The value is not a usable number",
        "Send a finite JSON number, not text, of at most a thousand million.",
    ),
    Reason.FIELD_INVALID: Meaning(
        "A field does not hold what it should", "The detail says what the field takes."
    ),
    Reason.FORGED_CONTROL: Meaning(
        "A control header is not signed by this deployment",
        "Producers must not set headers that begin with bandshift-.",
    ),
    Reason.CLOUDEVENT_INVALID: Meaning(
        "The CloudEvent cannot be read",
        "Send CloudEvents 1.0, one per record, with a JSON object as its data.",
    ),
}
"""All reasons in words; the dead letters, the HTTP intake and the documentation share them."""

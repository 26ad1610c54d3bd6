"""Why a touchpoint is not taken: the reason codes of dead letters and of the HTTP intake."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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

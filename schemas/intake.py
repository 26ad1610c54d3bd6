"""Reading what producers send: plain JSON or CloudEvents 1.0, to a touchpoint or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from schemas.rejections import Reason, Rejection
from schemas.touchpoint import MOST_ID_BYTES, MOST_VALUE, Touchpoint
from schemas.types import TypeRegistry

MOST_BYTES = 64 * 1024
"""A touchpoint larger than this is rejected; the topic takes more, so that it can be kept as a dead letter."""

_CE = "ce_"
_NO_HEADERS: Mapping[str, bytes] = {}
_ID = f"expected text of 1 to {MOST_ID_BYTES} bytes of UTF-8 without control characters"
_BY_FIELD: dict[str, tuple[Reason, str]] = {
    "event_id": (Reason.EVENT_ID_INVALID, _ID),
    "customer_id": (Reason.CUSTOMER_ID_INVALID, _ID),
    "type": (Reason.UNKNOWN_TYPE, "expected the name of a touchpoint type"),
    "stage": (Reason.STAGE_INVALID, "expected pre_purchase, purchase or post_purchase"),
    "occurred_at": (
        Reason.TIME_INVALID,
        "expected a date and time as RFC 3339 text, such as 2026-01-31T09:30:00Z",
    ),
    "value": (Reason.VALUE_INVALID, f"expected a number from -{MOST_VALUE} to {MOST_VALUE}"),
    "channel": (Reason.FIELD_INVALID, "expected text of at most 64 characters"),
    "currency": (Reason.FIELD_INVALID, "expected a code of three capital letters (ISO 4217), such as EUR"),
    "attributes": (Reason.FIELD_INVALID, "expected a JSON object"),
}


def read(value: bytes, registry: TypeRegistry, headers: Mapping[str, bytes] = _NO_HEADERS) -> Touchpoint | Rejection:
    """The touchpoint in a record's or request's bytes, or why there is none."""
    if len(value) > MOST_BYTES:
        detail = f"record: expected at most {MOST_BYTES} bytes, got {len(value)}"
        return Rejection(Reason.TOO_LARGE, "record", detail)
    if headers and _is_cloudevent(headers):
        return _read_cloudevent(value, registry, headers)
    try:
        touchpoint = Touchpoint.model_validate_json(value)
    except ValidationError as error:
        if b'"specversion"' in value:
            return _read_cloudevent(value, registry, headers)
        return _explain(error, value)
    return touchpoint if touchpoint.type in registry.places else _unknown(touchpoint.type, registry)


def _unknown(name: str, registry: TypeRegistry) -> Rejection:
    known = ", ".join(sorted(registry.names))
    return Rejection(Reason.UNKNOWN_TYPE, "type", f"type: expected one of {known}; got {name[:48]!r}")


def _explain(error: ValidationError, value: bytes) -> Rejection:
    first = error.errors(include_url=False, include_input=False)[0]
    kind, where = first["type"], first["loc"]
    if kind == "json_invalid":
        return _not_json(value, first["msg"])
    if not where:
        return Rejection(Reason.WRONG_SHAPE, "record", "record: expected a JSON object")
    field = str(where[0])
    if kind == "missing":
        return Rejection(Reason.MISSING_FIELD, field, f"{field}: expected this field, it is missing")
    if kind == "timezone_aware":
        detail = f"{field}: expected a time zone, such as 2026-01-31T09:30:00Z"
        return Rejection(Reason.TIME_WITHOUT_ZONE, field, detail)
    reason, expected = _BY_FIELD.get(field, (Reason.FIELD_INVALID, first["msg"]))
    return Rejection(reason, field, f"{field}: {expected}")


def _not_json(value: bytes, message: str) -> Rejection:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        detail = f"record: expected UTF-8, byte {error.start} is not"
        return Rejection(Reason.NOT_UTF8, "record", detail)
    if "recursion" in message:
        return Rejection(Reason.TOO_DEEP, "record", "record: expected less deeply nested JSON")
    where = message.rpartition(" at ")[2]
    return Rejection(Reason.NOT_JSON, "record", f"record: expected JSON, it ends to be so at {where}")


def _is_cloudevent(headers: Mapping[str, bytes]) -> bool:
    return "ce_specversion" in headers or headers.get("content-type", b"").startswith(
        b"application/cloudevents+json"
    )


def _read_cloudevent(value: bytes, registry: TypeRegistry, headers: Mapping[str, bytes]) -> Touchpoint | Rejection:
    try:
        body: Any = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        return _not_json(value, "recursion" if isinstance(error, RecursionError) else str(error))
    if "ce_specversion" in headers:
        context: dict[str, Any] = {
            name.removeprefix(_CE): text.decode("utf-8", "replace")
            for name, text in headers.items()
            if name.startswith(_CE)
        }
        data = body
    else:
        context = body if isinstance(body, dict) else {}
        data = context.get("data")
    if context.get("specversion") != "1.0" or not isinstance(data, dict):
        detail = "record: expected a CloudEvent of specversion 1.0 with a JSON object as its data"
        return Rejection(Reason.CLOUDEVENT_INVALID, "record", detail)
    merged = {
        "event_id": context.get("id"),
        "type": str(context.get("type", "")).rpartition(".")[2],
        "occurred_at": context.get("time"),
        "customer_id": context.get("subject") or context.get("partitionkey"),
    }
    plain = msgspec.json.encode({name: text for name, text in merged.items() if text} | data)
    try:
        touchpoint = Touchpoint.model_validate_json(plain)
    except ValidationError as error:
        return _explain(error, plain)
    return touchpoint if touchpoint.type in registry.places else _unknown(touchpoint.type, registry)

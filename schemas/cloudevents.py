"""CloudEvents 1.0 around touchpoints: structured (all in the body) or binary (attributes in `ce_` headers).

The event's id, type, time and subject (else partitionkey) give event_id, type, occurred_at and
customer_id, where its data does not give them itself. Of a type such as `com.example.purchase.v2` the last
word counts, its version aside. `source` is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from schemas.explain import RECORD, not_json
from schemas.rejections import Reason, Rejection

Headers = Mapping[str, bytes | None]

ATTRIBUTES: Final[Mapping[str, str]] = {
    "event_id": "id",
    "type": "type",
    "occurred_at": "time",
    "customer_id": "subject",
}
"""By field of a touchpoint: the CloudEvent's attribute that gives it."""

_PREFIX = "ce_"
_READ = ("specversion", *ATTRIBUTES.values(), "partitionkey")
_JSON = re.compile(r"\s*(?:application|text)/(?:[^;\s]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_VERSION = re.compile(r"\.v\d+$")


def announced(headers: Headers) -> bool:
    """Whether the headers say that this is a CloudEvent, of either form."""
    return _PREFIX + "specversion" in headers or _is_structured(headers)


def unwrap(value: bytes, headers: Headers) -> bytes | Rejection:
    """The touchpoint in a CloudEvent that the headers announce, as plain JSON, or why there is none."""
    if _is_structured(headers):
        body = _parse(value)
        return body if isinstance(body, Rejection) else _unwrap_body(body)
    context = _from_headers(headers)
    if isinstance(context, Rejection):
        return context
    wrong = _check(context)
    if wrong:
        return wrong
    data = _parse(value) if value else None
    return data if isinstance(data, Rejection) else _merge(context, data)


def sniff(value: bytes) -> bytes | Rejection | None:
    """The same for a body that no header announces; None if it is no CloudEvent."""
    try:
        body = from_json(value)
    except ValueError:
        return None
    return _unwrap_body(body) if isinstance(body, dict) and "specversion" in body else None


def _parse(value: bytes) -> Any:
    # The parser of plain touchpoints, so that the same fault has the same reason in both forms.
    try:
        return from_json(value)
    except ValueError as error:
        return not_json(value, str(error))


def _unwrap_body(body: Any) -> bytes | Rejection:
    if not isinstance(body, dict):
        return _invalid(RECORD, "expected one CloudEvent as a JSON object")
    if "data_base64" in body:
        return _invalid("data_base64", "expected the touchpoint as a JSON object in data instead")
    return _check(body) or _merge(body, body.get("data"))


def _from_headers(headers: Headers) -> dict[str, Any] | Rejection:
    context = {"datacontenttype": _content_type(headers)}
    for name in _READ:
        text = headers.get(_PREFIX + name)
        if text is None:
            continue
        try:
            context[name] = text.decode()
        except UnicodeDecodeError:
            detail = f"{_PREFIX}{name}: expected this header in UTF-8"
            return Rejection(Reason.NOT_UTF8, _PREFIX + name, detail)
    return context


def _check(context: dict[str, Any]) -> Rejection | None:
    if context.get("specversion") != "1.0":
        return _invalid("specversion", "expected the CloudEvents version 1.0")
    media_type = context.get("datacontenttype")
    if media_type and not (isinstance(media_type, str) and _JSON.fullmatch(media_type)):
        return _invalid("datacontenttype", "expected application/json")
    return None


def _merge(context: dict[str, Any], data: Any) -> bytes | Rejection:
    if data is not None and not isinstance(data, dict):
        return _invalid("data", "expected a JSON object")
    fields = {field: context.get(name) for field, name in ATTRIBUTES.items()}
    fields["customer_id"] = fields["customer_id"] or context.get("partitionkey")
    if isinstance(fields["type"], str):
        fields["type"] = _VERSION.sub("", fields["type"]).rpartition(".")[2]
    given = {field: text for field, text in fields.items() if text is not None}
    own = {field: found for field, found in (data or {}).items() if found is not None}
    return to_json(given | own, inf_nan_mode="constants")


def _is_structured(headers: Headers) -> bool:
    return _content_type(headers).lower().startswith("application/cloudevents")


def _content_type(headers: Headers) -> str:
    return (headers.get("content-type") or b"").decode("latin-1")


def _invalid(field: str, expected: str) -> Rejection:
    return Rejection(Reason.CLOUDEVENT_INVALID, field, f"{field}: {expected}")

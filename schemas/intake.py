"""Reading what producers send: plain JSON or CloudEvents 1.0, to a touchpoint or the reason why not."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from schemas.cloudevents import ATTRIBUTES, Headers, announced, sniff, unwrap
from schemas.explain import RECORD, explain
from schemas.rejections import Reason, Rejection
from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry

MOST_BYTES: Final = 64 * 1024
"""A touchpoint larger than this, key and headers included, is rejected; the topic takes more, so that it can be
kept as a dead letter."""

_NO_HEADERS: Headers = {}


def read(
    value: bytes, registry: TypeRegistry, headers: Headers = _NO_HEADERS
) -> Touchpoint | Rejection:
    """The touchpoint in a record's or request's bytes, or why there is none. Raises nothing.

    `headers` are named as in Kafka: `content-type` and `ce_...`, in lower case. Of a key given twice in one
    JSON object the last counts.
    """
    if len(value) > MOST_BYTES:
        detail = f"record: expected at most {MOST_BYTES} bytes, got {len(value)}"
        return Rejection(Reason.TOO_LARGE, RECORD, detail)
    if headers and announced(headers):
        return _unwrapped(unwrap(value, headers), registry)
    try:
        touchpoint = Touchpoint.model_validate_json(value)
    except ValidationError as error:
        inner = sniff(value) if b'"specversion"' in value else None
        return explain(error, value) if inner is None else _unwrapped(inner, registry)
    return touchpoint if touchpoint.type in registry.places else _unknown(touchpoint.type, registry)


def _unwrapped(inner: bytes | Rejection, registry: TypeRegistry) -> Touchpoint | Rejection:
    """The touchpoint that was in a CloudEvent."""
    if isinstance(inner, Rejection):
        return inner
    try:
        touchpoint = Touchpoint.model_validate_json(inner)
    except ValidationError as error:
        return explain(error, inner, ATTRIBUTES)
    return touchpoint if touchpoint.type in registry.places else _unknown(touchpoint.type, registry)


def _unknown(name: str, registry: TypeRegistry) -> Rejection:
    known = ", ".join(sorted(registry.names))
    detail = f"type: expected one of {known}; got {name!r}"
    return Rejection(Reason.UNKNOWN_TYPE, "type", detail)

"""Touchpoints as bytes, good ones and others, in plain JSON and as CloudEvents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from schemas.touchpoint import Touchpoint
from schemas.types import TypeRegistry

REGISTRY = TypeRegistry()
GOOD = {
    "event_id": "e1",
    "customer_id": "ann",
    "type": "purchase",
    "occurred_at": "2026-01-31T09:30:00Z",
}
PLAIN = Touchpoint(
    event_id="e1",
    customer_id="ann",
    type="purchase",
    occurred_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
)
EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/shop",
    "type": "com.example.purchase",
    "subject": "ann",
    "time": "2026-01-31T09:30:00Z",
}
BINARY: dict[str, bytes | None] = {f"ce_{name}": text.encode() for name, text in EVENT.items()}
STRUCTURED: dict[str, bytes | None] = {
    "content-type": b"application/cloudevents+json; charset=utf-8"
}


def plain(**changed: Any) -> bytes:
    """A good touchpoint with some fields changed, as JSON."""
    return json.dumps(GOOD | changed).encode()


def without(*names: str) -> bytes:
    """A good touchpoint that lacks some fields."""
    return json.dumps({name: text for name, text in GOOD.items() if name not in names}).encode()


def written(field: str, text: str) -> bytes:
    """A good touchpoint in which a field is written as `text`, whether that is JSON or not."""
    return without(field)[:-1] + f', "{field}": {text}}}'.encode()


def event(**changed: Any) -> bytes:
    """A structured CloudEvent with some attributes changed."""
    return json.dumps(EVENT | {"data": {}} | changed).encode()


def lacking(name: str) -> bytes:
    """A structured CloudEvent that lacks an attribute."""
    return json.dumps({each: text for each, text in EVENT.items() if each != name}).encode()


def nested(levels: int) -> str:
    """An object in an object in an object ..."""
    return '{"a":' * levels + "1" + "}" * levels

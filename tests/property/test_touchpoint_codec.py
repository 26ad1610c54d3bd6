"""Touchpoints survive every way of writing them, and reading survives everything else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cloudevents import ATTRIBUTES
from schemas.fields import EARLIEST, LATEST, UNSEEN
from schemas.intake import read
from schemas.rejections import Rejection
from schemas.touchpoint import MOST_VALUE, Touchpoint
from schemas.types import Stage, TypeRegistry
from tests.support.records import BINARY, STRUCTURED, event, plain

REGISTRY = TypeRegistry()
texts = st.text(st.characters(codec="utf-8"), max_size=20)
ids = st.from_regex(rf"[^\s{UNSEEN}]([^{UNSEEN}]{{0,20}}[^\s{UNSEEN}])?", fullmatch=True).filter(
    lambda text: not any(0xD800 <= ord(each) < 0xE000 for each in text)
)
zones = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.builds(
    lambda naive, zone: naive.replace(tzinfo=zone),
    st.datetimes(datetime(1970, 1, 4), datetime(2048, 12, 29)),  # noqa: DTZ001 (the zone comes after)
    zones,
)
values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
attributes = st.dictionaries(
    texts,
    st.recursive(
        values | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
touchpoints = st.builds(
    Touchpoint,
    event_id=ids,
    customer_id=ids,
    type=st.sampled_from(REGISTRY.names),
    channel=st.none() | ids,
    stage=st.none() | st.sampled_from(Stage),
    occurred_at=moments,
    value=st.none() | st.floats(-MOST_VALUE, MOST_VALUE),
    currency=st.none() | st.from_regex(r"[A-Z]{3}", fullmatch=True),
    attributes=attributes,
)


def attributes_and_data(touchpoint: Touchpoint) -> tuple[dict[str, str], dict[str, Any]]:
    """What a CloudEvent says in attributes, and the rest as its data."""
    data = json.loads(touchpoint.to_json())
    said = {name: data.pop(field) for field, name in ATTRIBUTES.items()}
    said["type"] = "com.example." + said["type"]
    return said | {"specversion": "1.0", "source": "/tests"}, data


@given(touchpoints)
def test_plain_json_reads_back(touchpoint: Touchpoint) -> None:
    """Written as plain JSON and read, a touchpoint is the same."""
    assert read(touchpoint.to_json(), REGISTRY) == touchpoint


@given(touchpoints, st.sampled_from([{}, STRUCTURED]))
def test_a_structured_cloudevent_reads_back(
    touchpoint: Touchpoint, headers: dict[str, bytes | None]
) -> None:
    """As a structured CloudEvent, announced or not, it is the touchpoint that plain JSON gives."""
    said, data = attributes_and_data(touchpoint)
    assert read(json.dumps(said | {"data": data}).encode(), REGISTRY, headers) == touchpoint


@given(touchpoints)
def test_a_binary_cloudevent_reads_back(touchpoint: Touchpoint) -> None:
    """As a binary CloudEvent it is the touchpoint that plain JSON gives."""
    said, data = attributes_and_data(touchpoint)
    headers = {f"ce_{name}": text.encode() for name, text in said.items()}
    assert read(json.dumps(data).encode(), REGISTRY, headers) == touchpoint


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A good record with a piece of it replaced by anything."""
    good = draw(
        st.sampled_from([plain(value=1.5, attributes={"a": [1]}), event(data={"value": 1})])
    )
    begin = draw(st.integers(0, len(good)))
    end = draw(st.integers(begin, min(len(good), begin + 12)))
    odd = st.sampled_from([b"\\ud800", b"NaN", b"1e999", b"-", b"{" * 500, b"9" * 5_000, b"\xff"])
    return good[:begin] + draw(odd | st.binary(max_size=12)) + good[end:]


header_values = st.none() | st.binary(max_size=12)
header_sets = st.sampled_from([{}, STRUCTURED, BINARY]) | st.dictionaries(
    st.sampled_from(["content-type", *BINARY, "ce_partitionkey", "other"]), header_values
)


@settings(max_examples=500)
@given(spoilt() | st.binary(max_size=60), header_sets)
def test_reading_never_raises(value: bytes, headers: dict[str, bytes | None]) -> None:
    """Any bytes under any headers are a touchpoint within the limits, or a rejection that names a field."""
    found = read(value, REGISTRY, headers)
    if isinstance(found, Rejection):
        assert found.detail.startswith(f"{found.field}: expected ")
    else:
        assert found.type in REGISTRY
        assert EARLIEST <= found.occurred_at < LATEST
        assert len(found.customer_id.encode()) <= 256

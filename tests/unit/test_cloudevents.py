"""CloudEvents around touchpoints: every form that is taken, and what is said of the others."""

from __future__ import annotations

import pytest

from schemas.cloudevents import Headers
from schemas.intake import MOST_BYTES, read
from schemas.rejections import Rejection
from tests.support.records import (
    BINARY,
    GOOD,
    PLAIN,
    REGISTRY,
    STRUCTURED,
    event,
    lacking,
    nested,
    plain,
)

CLOUDEVENTS: dict[str, tuple[bytes, Headers]] = {
    "structured, announced": (event(), STRUCTURED),
    "structured, announced in capitals": (event(), {"content-type": b"Application/CloudEvents+JSON"}),
    "structured, not announced": (event(), {}),
    "structured, with the headers of another form": (event(), BINARY | STRUCTURED),
    "structured, without data": (lacking("data"), {}),
    "structured, with null for data": (event(data=None), {}),
    "structured, all fields in data": (event(data=GOOD), {}),
    "structured, null fields in data": (event(data={"customer_id": None}), {}),
    "structured, customer in partitionkey": (event(subject=None, partitionkey="ann"), {}),
    "structured, data of another JSON type": (event(datacontenttype="application/shop+json"), {}),
    "structured, versioned type": (event(type="com.example.purchase.v12"), {}),
    "structured, bare type": (event(type="purchase"), {}),
    "binary": (b"{}", BINARY),
    "binary, without a body": (b"", BINARY),
    "binary, with its content type": (b"{}", BINARY | {"content-type": b"application/json; charset=utf-8"}),
    "binary, all fields in the body": (plain(), {**BINARY, "ce_subject": None}),
    "plain, with other headers": (plain(), {"content-type": None, "trace": None, "x": b"\xff"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOUDEVENTS)
def test_a_cloudevent_gives_the_touchpoint_that_plain_json_gives(name: str) -> None:
    """Whatever the form, what is said once in attributes or in data is the same touchpoint."""
    value, headers = CLOUDEVENTS[name]
    assert read(value, REGISTRY, headers) == PLAIN


def test_data_wins_over_attributes() -> None:
    """A field in a CloudEvent's data is taken in place of the attribute."""
    found = read(event(data={"event_id": "shop/e1", "value": 5}), REGISTRY)
    assert found == PLAIN.model_copy(update={"event_id": "shop/e1", "value": 5.0})


BAD_CLOUDEVENTS: dict[str, tuple[bytes, Headers, str, str]] = {
    "another version": (event(specversion="0.3"), {}, "cloudevent_invalid", "specversion"),
    "no version": (event(specversion=None), STRUCTURED, "cloudevent_invalid", "specversion"),
    "a header without a version": (b"{}", {"ce_specversion": None}, "cloudevent_invalid", "specversion"),
    "data as a list": (event(data=[]), {}, "cloudevent_invalid", "data"),
    "data as text": (event(data="{}"), {}, "cloudevent_invalid", "data"),
    "data in base64": (event(data_base64="e30="), {}, "cloudevent_invalid", "data_base64"),
    "data in XML": (event(datacontenttype="text/xml"), {}, "cloudevent_invalid", "datacontenttype"),
    "a data type that is no text": (event(datacontenttype=5), {}, "cloudevent_invalid", "datacontenttype"),
    "a batch": (b"[" + event() + b"]", {"content-type": b"application/cloudevents-batch+json"},
                "cloudevent_invalid", "record"),
    "null": (b"null", STRUCTURED, "cloudevent_invalid", "record"),
    "nothing": (b"", STRUCTURED, "not_json", "record"),
    "no JSON": (b"hello", STRUCTURED, "not_json", "record"),
    "a number beyond all bounds": (event(data={"value": 10**4_000}) .replace(b"0}", b"0" * 400 + b"}"),
                                   {}, "not_json", "record"),
    "not UTF-8": (event().replace(b"ann", b"\xff"), {}, "not_utf8", "record"),
    "nested 1,000 deep": (event(data=0).replace(b'"data": 0', b'"data": ' + nested(1_000).encode()),
                          STRUCTURED, "too_deep", "record"),
    "too large": (event().ljust(MOST_BYTES + 1), STRUCTURED, "too_large", "record"),
    "a numeric type": (event(type=5), {}, "unknown_type", "type"),
    "an unknown type": (event(type="com.example.smoke_signal"), {}, "unknown_type", "type"),
    "a numeric id": (event(id=5), {}, "event_id_invalid", "event_id"),
    "a numeric subject": (event(subject=5), {}, "customer_id_invalid", "customer_id"),
    "a numeric time": (event(time=1_769_851_800), {}, "time_invalid", "occurred_at"),
    "binary: a list": (b"[]", BINARY, "cloudevent_invalid", "data"),
    "binary: XML": (b"<a/>", BINARY | {"content-type": b"text/xml"}, "cloudevent_invalid", "datacontenttype"),
    "binary: a header not in UTF-8": (b"{}", BINARY | {"ce_id": b"\xff"}, "not_utf8", "ce_id"),
    "binary: a header without a value": (b"{}", BINARY | {"ce_id": None}, "missing_field", "event_id"),
    "binary: nested 1,000 deep": (nested(1_000).encode(), BINARY, "too_deep", "record"),
    "plain, that only mentions CloudEvents": (plain(value="5", attributes={"specversion": "1.0"}), {},
                                              "value_invalid", "value"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CLOUDEVENTS)
def test_a_bad_cloudevent_is_rejected_by_attribute_or_field(name: str) -> None:
    """What is wrong with a CloudEvent is said of the attribute, or of the touchpoint's field."""
    value, headers, reason, field = BAD_CLOUDEVENTS[name]
    rejection = read(value, REGISTRY, headers)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.field) == (reason, field)

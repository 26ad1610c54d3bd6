"""Touchpoints as Python objects, and the types that a deployment knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.fields import EARLIEST, LATEST
from schemas.touchpoint import Touchpoint
from schemas.types import DEFAULT_TYPES, MOST_TYPES, STAGES, Stage, TouchpointType, TypeRegistry
from stream.features import grid
from tests.support.records import PLAIN

HAPPENED = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def made(happened: datetime = HAPPENED, customer: str = "ann") -> Touchpoint:
    """A touchpoint built in Python."""
    return Touchpoint(event_id="e1", customer_id=customer, type="purchase", occurred_at=happened)


def test_a_touchpoint_does_not_change() -> None:
    """A field of a touchpoint cannot be set anew."""
    with pytest.raises(ValidationError, match="frozen"):
        made().customer_id = "bob"  # type: ignore[misc]  # that is the point


def test_plain_json_leaves_out_what_was_not_given() -> None:
    """As JSON a touchpoint holds the fields given and no others; null inside attributes stays."""
    assert json.loads(made().to_json()) == {
        "event_id": "e1",
        "customer_id": "ann",
        "type": "purchase",
        "occurred_at": "2026-01-31T09:30:00Z",
    }
    more = PLAIN.model_copy(update={"attributes": {"colour": None}, "stage": Stage.PURCHASE})
    assert json.loads(more.to_json())["attributes"] == {"colour": None}
    assert json.loads(more.to_json())["stage"] == "purchase"


def test_a_time_without_a_zone_is_refused_in_python_too() -> None:
    """A naive datetime is an error that says so."""
    with pytest.raises(ValidationError, match="timezone"):
        made(HAPPENED.replace(tzinfo=None))


@pytest.mark.parametrize("happened", [EARLIEST - timedelta(microseconds=1), LATEST])
def test_times_outside_the_limits_are_refused_in_python_too(happened: datetime) -> None:
    """A moment before the earliest, or from the end on, is an error."""
    with pytest.raises(ValidationError, match="occurred_at"):
        made(happened)


def test_every_moment_that_is_taken_has_a_tile() -> None:
    """From the earliest to the latest moment, shifted by up to a day, tile numbers are positive and fit."""
    assert int(EARLIEST.timestamp()) > 0
    assert int(LATEST.timestamp()) <= grid.LATEST


@pytest.mark.parametrize("customer", ["", "x" * 257, "é" * 129, " ", "a\nb", "\ud800"])
def test_unusable_ids_are_refused_in_python_too(customer: str) -> None:
    """An id that JSON would not get through with is an error here as well."""
    with pytest.raises(ValidationError, match="customer_id"):
        made(customer=customer)


@pytest.mark.parametrize("customer", ["x" * 64, "x" * 65, "x" * 256, "😀" * 64, "é" * 128])
def test_ids_of_up_to_256_bytes_are_taken(customer: str) -> None:
    """Length is counted in bytes of UTF-8."""
    assert made(customer=customer).customer_id == customer


PROMISED = [
    "email_sent",
    "email_open",
    "email_click",
    "purchase",
    "refund",
    "call_inbound",
    "call_outbound",
    "web_visit",
    "product_view",
    "cart_add",
    "chat",
    "sms",
    "push",
    "social",
    "survey",
    "review",
    "referral",
    "support_ticket",
    "point_of_sale",
    "postal_mail",
    "direct_sales",
    "coupon_redeemed",
    "campaign_received",
]


def test_the_promised_types_are_known() -> None:
    """Every promised touchpoint type is built in, once."""
    names = [kind.name for kind in DEFAULT_TYPES]
    assert sorted(names) == sorted(PROMISED)


def test_own_types_come_after_the_built_in_ones() -> None:
    """A deployment's types follow the built-in ones, so that numbers of types never move."""
    own = TouchpointType(name="store_visit", stage=Stage.PURCHASE, family="visits")
    registry = TypeRegistry([own])
    assert registry.names == (*TypeRegistry().names, "store_visit")
    assert registry.places["store_visit"] == (len(DEFAULT_TYPES), STAGES.index(Stage.PURCHASE))
    assert "store_visit" in registry
    assert "store_visit" not in TypeRegistry()


def test_an_own_type_of_a_built_in_name_takes_its_place() -> None:
    """A deployment may say otherwise of a built-in type; its number stays."""
    registry = TypeRegistry([TouchpointType(name="purchase", stage=Stage.POST_PURCHASE)])
    assert registry.names == TypeRegistry().names
    assert registry.places["purchase"] == (0, STAGES.index(Stage.POST_PURCHASE))


def test_more_types_than_a_tile_can_tell_apart_are_refused() -> None:
    """Beyond 64 types the registry names the limit."""
    room = MOST_TYPES - len(DEFAULT_TYPES)
    own = [TouchpointType(name=f"own_{number}") for number in range(room + 1)]
    assert len(TypeRegistry(own[:room]).names) == MOST_TYPES
    with pytest.raises(ValueError, match=r"^types: expected at most 64 .* got 65$"):
        TypeRegistry(own)


@pytest.mark.parametrize("name", ["", "Visit", "store visit", "1st", "x" * 49, "a.b"])
def test_a_type_has_a_plain_name(name: str) -> None:
    """A type's name is lower case, begins with a letter, and holds letters, digits and underscores."""
    with pytest.raises(ValidationError, match="name"):
        TouchpointType(name=name)

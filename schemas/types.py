"""The kinds of touchpoint: each with its stage and its family; a deployment adds its own."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Stage(StrEnum):
    """Where in the customer's journey a touchpoint lies."""

    PRE_PURCHASE = "pre_purchase"
    PURCHASE = "purchase"
    POST_PURCHASE = "post_purchase"


STAGES: tuple[Stage, ...] = tuple(Stage)
MOST_TYPES = 64
"""A tile's code is one byte: six bits of type and two of stage."""


class TouchpointType(BaseModel):
    """One kind of touchpoint.

    `family` groups kinds whose counts move together; reasons are summed by family.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    stage: Stage = Stage.PRE_PURCHASE
    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9 _-]{0,31}$")] = "other"
    engagement: bool = True
    """True where the customer acts; false where the company does (an e-mail sent)."""
    label: Annotated[str, Field(max_length=48)] = ""
    """What people call one of them; the name in plain words where empty."""

    def counted(self, number: float) -> str:
        """So many of them, in words: "1 inbound call", "3 inbound calls"."""
        label = self.label or self.name.replace("_", " ")
        return f"1 {label}" if number == 1 else f"{number:.0f} {label.removesuffix('s')}s"


def _kind(
    name: str, stage: Stage, family: str, label: str = "", *, engagement: bool = True
) -> TouchpointType:
    return TouchpointType(name=name, stage=stage, family=family, label=label, engagement=engagement)


_PRE, _BUY, _POST = STAGES

DEFAULT_TYPES: tuple[TouchpointType, ...] = (
    _kind("purchase", _BUY, "purchases"),
    _kind("point_of_sale", _BUY, "purchases", "till purchase"),
    _kind("direct_sales", _BUY, "purchases", "direct sale"),
    _kind("refund", _POST, "returns", engagement=False),
    _kind("email_sent", _PRE, "e-mail", "sent e-mail", engagement=False),
    _kind("email_open", _PRE, "e-mail", "opened e-mail"),
    _kind("email_click", _PRE, "e-mail", "clicked e-mail"),
    _kind("web_visit", _PRE, "web"),
    _kind("product_view", _PRE, "web"),
    _kind("cart_add", _PRE, "web", "cart addition"),
    _kind("call_inbound", _POST, "calls", "inbound call"),
    _kind("call_outbound", _PRE, "calls", "outbound call", engagement=False),
    _kind("chat", _PRE, "messages"),
    _kind("sms", _PRE, "messages", "text message", engagement=False),
    _kind("push", _PRE, "messages", "push message", engagement=False),
    _kind("social", _PRE, "social", "social contact"),
    _kind("survey", _POST, "feedback", "survey answer"),
    _kind("review", _POST, "feedback"),
    _kind("referral", _POST, "feedback"),
    _kind("support_ticket", _POST, "service", engagement=False),
    _kind("postal_mail", _PRE, "campaigns", "letter", engagement=False),
    _kind("campaign_received", _PRE, "campaigns", "campaign", engagement=False),
    _kind("coupon_redeemed", _BUY, "campaigns", "redeemed coupon"),
)


class Place(NamedTuple):
    """Where a type stands in the features: its number, and the number of its stage where none is given."""

    number: int
    stage: int


class TypeRegistry:
    """The types a deployment knows, in the order in which the features count them."""

    def __init__(self, extra: Iterable[TouchpointType] = ()) -> None:
        kinds = {kind.name: kind for kind in DEFAULT_TYPES}
        kinds.update((kind.name, kind) for kind in extra)
        if len(kinds) > MOST_TYPES:
            message = f"types: expected at most {MOST_TYPES} touchpoint types, got {len(kinds)}"
            raise ValueError(message)
        self.kinds: tuple[TouchpointType, ...] = tuple(kinds.values())
        self.places: dict[str, Place] = {
            kind.name: Place(index, STAGES.index(kind.stage))
            for index, kind in enumerate(self.kinds)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """All type names, in feature order."""
        return tuple(kind.name for kind in self.kinds)

    def __contains__(self, name: object) -> bool:
        return name in self.places

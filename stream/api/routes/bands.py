"""Outcomes and their bands: what they mean, and who is in which."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query

from schemas.bands import BANDS, Band
from stream.api import queries
from stream.api.answers import Members, Outcomes
from stream.api.parts import Parts
from stream.api.problems import ProblemError
from stream.api.queries import Order
from stream.api.rebuilding import ANSWERS, refuse_lists
from stream.api.routes.customers import place_of

_Key = tuple[int, str]


def router(parts: Parts) -> APIRouter:
    """The routes about outcomes and bands."""
    made = APIRouter(prefix="/v1", tags=["bands"])

    @made.get("/outcomes", summary="Outcomes of this deployment")
    async def outcomes() -> Outcomes:
        """What is scored: horizons, cuts, advice per band, and how many customers are in each band."""
        counts = await parts.queries.ask(queries.counts)
        in_force = enumerate(parts.watch.pipeline.outcomes)
        return Outcomes(
            outcomes=tuple(
                parts.describe.outcome(outcome, place, counts) for place, outcome in in_force
            )
        )

    @made.get("/bands/{outcome}/{band}", summary="Customers in a band", responses=ANSWERS)
    async def members(
        outcome: Annotated[str, Path(examples=["purchase"])],
        band: Annotated[
            str, Path(description="Such as high, or very-low.", examples=["very-high"])
        ],
        order: Annotated[
            Order, Query(description="Highest probability first, or latest move first.")
        ] = "probability",
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        cursor: Annotated[
            str | None, Query(max_length=600, description="`next` of the page before.")
        ] = None,
    ) -> Members:
        """A page of them. Probabilities are the published ones: silence since is not in them."""
        place, number = place_of(parts, outcome), _band(band)
        refuse_lists(parts.watch)
        after = None if cursor is None else _decode(cursor, order)
        rows = await parts.queries.ask(
            partial(
                queries.in_band,
                outcome=place,
                band=number,
                order=order,
                limit=limit + 1,
                after=after,
            )
        )
        page = rows[:limit]
        following = None
        if len(rows) > limit:
            last = page[-1]
            key = last.probability if order == "probability" else last.moved_ms
            following = _encode((key, last.customer), order)
        return Members(
            outcome=outcome,
            band=BANDS[number],
            customers=tuple(map(parts.describe.member, page)),
            next=following,
        )

    return made


def _band(text: str) -> int:
    found = text.replace("-", " ").replace("_", " ")
    if found not in set(Band):
        words = ", ".join(band.replace(" ", "-") for band in BANDS)
        raise ProblemError(404, "not_found", f"band: expected one of {words}")
    return BANDS.index(Band(found))


def _encode(key: _Key, order: Order) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((order, *key))).decode().rstrip("=")


def _decode(cursor: str, order: Order) -> _Key:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        made_for, key, customer = msgspec.json.decode(
            text, type=tuple[Literal["probability", "moved"], int, str]
        )
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        made_for, key, customer = None, 0, ""
    if made_for != order or not -(1 << 63) <= key < 1 << 63:
        detail = "cursor: expected the `next` of a page of this list, in this order"
        raise ProblemError(422, "invalid_request", detail, field="cursor")
    return key, customer

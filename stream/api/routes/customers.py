"""Customers: scores as of now, history of bands, and finding them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from schemas.fields import Identifier
from schemas.home import home
from stream.api import queries
from stream.api.answers import CustomerNow, History, Names
from stream.api.parts import Parts
from stream.api.problems import Problem, ProblemError
from stream.api.rebuilding import ANSWERS, refuse_customer

CustomerId = Annotated[
    Identifier,
    Path(
        description=(
            "The customer's id, percent-encoded. Clients resolve the ids `.` and `..` away, and one that ends "
            "in `/bands` means a history: for any id at all ask `/v1/customer?id=`."
        ),
        examples=["2281"],
    ),
]
AnyId = Annotated[
    Identifier, Query(alias="id", description="Any customer's id.", examples=["2281"])
]
OfOutcome = Annotated[str | None, Query(description="Of this outcome alone.")]
Most = Annotated[int, Query(ge=1, le=1000)]
_UNSCORED: Final[dict[int | str, dict[str, Any]]] = {
    404: {
        "model": Problem,
        "description": "Unscored: nothing of this customer has been scored",
    },
    **ANSWERS,
}


def router(parts: Parts) -> APIRouter:
    """The routes about customers."""
    made = APIRouter(prefix="/v1", tags=["customers"])

    @made.get("/customers", summary="Customers whose id begins so")
    async def search(
        prefix: Annotated[str, Query(min_length=1, max_length=256, examples=["22"])],
        limit: Annotated[int, Query(ge=1, le=50)] = 8,
    ) -> Names:
        """For a search box: ids in order, of customers that have been scored."""
        found = await parts.queries.ask(partial(queries.named, prefix=prefix, limit=limit))
        return Names(customers=tuple(found))

    # Before the route below: an id may hold slashes, and that one takes whatever follows.
    @made.get(
        "/customers/{customer_id:path}/bands",
        summary="History of a customer's bands",
        responses=ANSWERS,
    )
    async def history(
        customer_id: CustomerId, outcome: OfOutcome = None, limit: Most = 100
    ) -> History:
        """Band changes, the latest first. Empty for a customer whose band never changed, or who is unscored."""
        return await _history(parts, customer_id, outcome, limit)

    @made.get(
        "/customers/{customer_id:path}",
        summary="Scores of a customer as of now",
        responses=_UNSCORED,
    )
    async def customer(customer_id: CustomerId) -> CustomerNow:
        """Per outcome: band, probability as of now, reasons, trend, and what to do.

        Time that passed without a touchpoint is counted. A customer of whom nothing has been scored is
        *unscored*, which is a state of its own and never a probability of 0.
        """
        return await parts.current.customer(customer_id)

    @made.get(
        "/customer/bands",
        summary="History of the bands of a customer of any id",
        responses=ANSWERS,
    )
    async def history_of(
        customer_id: AnyId, outcome: OfOutcome = None, limit: Most = 100
    ) -> History:
        """The same as `/v1/customers/{customer_id}/bands`, also for ids that cannot be part of a path."""
        return await _history(parts, customer_id, outcome, limit)

    @made.get("/customer", summary="Scores of a customer of any id as of now", responses=_UNSCORED)
    async def customer_of(customer_id: AnyId) -> CustomerNow:
        """The same as `/v1/customers/{customer_id}`, also for ids that cannot be part of a path."""
        return await parts.current.customer(customer_id)

    return made


async def _history(parts: Parts, customer_id: str, outcome: str | None, limit: int) -> History:
    refuse_customer(parts.watch, home(customer_id, parts.partitions))
    place = None if outcome is None else place_of(parts, outcome)
    rows = await parts.queries.ask(
        partial(queries.moves, customer=customer_id, outcome=place, limit=limit)
    )
    return History(customer_id=customer_id, changes=tuple(map(parts.describe.change, rows)))


def place_of(parts: Parts, outcome: str) -> int:
    """The number of an outcome; a problem if there is none of that name."""
    places = parts.describe.places
    if outcome not in places:
        raise ProblemError(404, "not_found", f"outcome: expected one of {', '.join(places)}")
    return places[outcome]

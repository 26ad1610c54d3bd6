"""The live feed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from schemas.fields import Identifier
from schemas.home import home
from stream.api.events import EventStream, LiveFeed
from stream.api.parts import Parts
from stream.api.problems import Problem, ProblemError

_EXAMPLE = """id: b:12,7,0;s:44,3,9
event: hello
data: {"at":"2026-01-31T09:30:00Z","view_lag":0,"caught_up":true,"stalled":[],"rebuilding":null,"kafka":true,"redis":true,"live":true}

id: b:13,7,0;s:44,3,9
event: band-change
data: {"specversion":"1.0","type":"bandshift.band-change.v1","subject":"2281","data":{"from":"moderate","to":"high"}}
"""


def freshness(parts: Parts) -> dict[str, Any]:
    """How far the feed can be trusted to show what is."""
    watch, rebuilt = parts.watch, parts.watch.rebuilt
    return {
        "at": datetime.now(UTC),
        "view_lag": watch.view.lag,
        "caught_up": watch.view.caught_up and watch.view.error is None,
        "stalled": watch.stalled(),
        "rebuilding": None
        if rebuilt is None
        else {
            "partitions": list(rebuilt.partitions),
            "done": rebuilt.share,
            "remaining_records": rebuilt.remaining,
            "remaining_seconds": rebuilt.seconds,
        },
        "kafka": watch.kafka_error is None,
        "redis": watch.redis_error is None,
        "live": any(ledger.live for ledger in watch.ledgers),
    }


def router(parts: Parts) -> APIRouter:
    """The route of the live feed."""
    made = APIRouter(prefix="/v1", tags=["live"])
    open_now = 0

    @made.get(
        "/events",
        summary="Live band changes",
        response_class=Response,
        responses={
            200: {
                "description": "Server-sent events without end",
                "content": {
                    "text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}
                },
            },
            429: {"model": Problem, "description": "Too many live feeds are open"},
        },
    )
    async def events(
        customer: Annotated[
            Identifier | None, Query(description="This customer's scores too, as `score` events.")
        ] = None,
        recent: Annotated[
            int, Query(ge=0, le=500, description="Begin with the latest so many band changes.")
        ] = 0,
        last_event_id: Annotated[
            str | None,
            Query(max_length=40_000, description="As the header, for clients that cannot set one."),
        ] = None,
        header: Annotated[
            str | None,
            Header(
                alias="last-event-id",
                max_length=40_000,
                description="Go on after this event, without loss or repetition.",
            ),
        ] = None,
    ) -> Response:
        """Server-sent events.

        `band-change` holds the CloudEvent of the topic `band-changes`, whole. `score` holds a customer's
        scores. `model` says that there is news of an outcome's model. `hello` comes first and every ten seconds, and tells how fresh everything is. `reset` says
        that something is missing, because what came after the id given is not kept any more.
        """
        nonlocal open_now
        if open_now >= parts.settings.max_streams:
            detail = f"{parts.settings.max_streams} live feeds are open, more are not served"
            raise ProblemError(429, "too_many_streams", detail, {"retry-after": "10"})
        place = home(customer, parts.partitions) if customer else 0
        live = LiveFeed(
            parts.feed, parts.queries, parts.describe, lambda: freshness(parts), customer, place
        )
        whole = True
        told = header or last_event_id
        if told:
            whole = await live.resume(told, caught_up=parts.watch.view.caught_up)
        elif recent:
            await live.go_back(recent)

        def done() -> None:
            nonlocal open_now
            open_now -= 1
            parts.metrics.streams.dec()

        open_now += 1
        parts.metrics.streams.inc()
        return EventStream(live.run(whole=whole), done)

    return made

"""Intake of touchpoints."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from schemas.intake_answer import IntakeAnswer
from schemas.rejections import Reason
from stream.api import bodies
from stream.api.intake import NO_HEADERS
from stream.api.parts import Parts
from stream.api.problems import Problem, ProblemError

_UNREADABLE: Final = frozenset({Reason.NOT_JSON, Reason.NOT_UTF8})
_TOUCHPOINT: Final = {"$ref": "#/components/schemas/Touchpoint"}
_EXAMPLE: Final = {
    "event_id": "shop-4711",
    "customer_id": "2281",
    "type": "purchase",
    "channel": "web",
    "occurred_at": "2026-01-31T09:30:00Z",
    "value": 49.9,
    "currency": "EUR",
}
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        bodies.JSON: {
            "schema": {
                "oneOf": [_TOUCHPOINT, {"type": "array", "items": _TOUCHPOINT, "minItems": 1}]
            },
            "example": _EXAMPLE,
        },
        bodies.CLOUDEVENT: {"schema": {"type": "object", "description": "A CloudEvent 1.0"}},
        bodies.CLOUDEVENTS: {
            "schema": {"type": "array", "items": {"type": "object"}, "minItems": 1}
        },
    },
}


def router(parts: Parts) -> APIRouter:
    """The route of the intake."""
    made = APIRouter(prefix="/v1", tags=["touchpoints"])

    @made.post(
        "/touchpoints",
        status_code=202,
        summary="Send touchpoints",
        openapi_extra={"requestBody": _BODY},
        responses={
            422: {"model": IntakeAnswer, "description": "None was accepted"},
            400: {"model": Problem, "description": "The body is not JSON"},
            413: {
                "model": Problem,
                "description": "The body is too large, or holds too many touchpoints",
            },
            415: {"model": Problem, "description": "The body's content type is not taken"},
            503: {"model": Problem, "description": "Kafka does not have them all; send all again"},
        },
        response_model=IntakeAnswer,
    )
    async def take(request: Request) -> JSONResponse:
        """One touchpoint, or a list; plain JSON or CloudEvents 1.0 (structured, batched, or binary with `ce-` headers).

        Answered once Kafka has them. What could not be scored is told one by one, with the same reasons
        as dead letters have. Sending again is safe: an event id that is known is ignored. The header
        `bandshift-clock` says whether the deployment is `live` or still takes in `history`.
        """
        headers = request.headers
        kind = bodies.media_type(headers)
        body = await bodies.read_body(request, parts.settings.max_body_bytes)
        kafka = bodies.kafka_headers(headers, kind)
        single = kind == bodies.CLOUDEVENT or (kind == bodies.JSON and kafka != NO_HEADERS)
        items = None if single else bodies.split(body, parts.settings.max_items)
        if items is None and kind == bodies.CLOUDEVENTS:
            raise ProblemError(400, "invalid_request", "body: expected a JSON list of CloudEvents")
        answer = await parts.intake.take([body] if items is None else items, kafka)
        if items is None and answer.rejected and answer.rejected[0].problem.reason in _UNREADABLE:
            problem = answer.rejected[0].problem
            raise ProblemError(
                400, str(problem.reason), problem.detail, reason=problem.reason, field=problem.field
            )
        parts.metrics.taken.labels("accepted").inc(len(answer.accepted))
        for each in answer.rejected:
            parts.metrics.taken.labels(str(each.problem.reason)).inc()
        clock = "live" if parts.watch.live_clock else "history"
        return JSONResponse(
            answer.model_dump(mode="json"), answer.status, {"bandshift-clock": clock}
        )

    return made

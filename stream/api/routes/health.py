"""Is it alive, is it ready, what does it count; and what a problem's type means."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from schemas.rejections import MEANINGS, Reason
from stream.api.answers import CheckOf, Ready
from stream.api.parts import Parts
from stream.api.problems import TITLES, ProblemError, meaning


def router(parts: Parts) -> APIRouter:
    """The routes for those who run it."""
    made = APIRouter(tags=["operation"])

    @made.get("/livez", summary="Is the process alive?")
    async def livez() -> PlainTextResponse:
        """Answers as long as requests are served at all."""
        return PlainTextResponse("ok")

    @made.get(
        "/readyz",
        summary="Is all there that it needs?",
        responses={503: {"model": Ready, "description": "Something is missing"}},
    )
    async def readyz(response: Response) -> Ready:
        """Kafka and Redis answer, the view is caught up, every partition moves or is at its end, no states are rebuilt,
        settings agree.
        """
        checks = parts.watch.checks()
        ready = all(check.ok for check in checks)
        response.status_code = 200 if ready else 503
        return Ready(ready=ready, checks=tuple(CheckOf(**check._asdict()) for check in checks))

    @made.get("/metrics", summary="Metrics for Prometheus")
    async def metrics() -> Response:
        """Counts, lags and latencies in Prometheus' text format, without any customer's id."""
        return Response(parts.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @made.get("/problems/{name}", summary="What a problem's type means")
    async def problem(name: str) -> PlainTextResponse:
        """In a sentence or two, and what to do about it where there is something to do."""
        if name in set(Reason):
            words = MEANINGS[Reason(name)]
            return PlainTextResponse(f"{words.title}.\n{words.remedy}\n")
        if name in TITLES:
            return PlainTextResponse(f"{meaning(name)}.\n")
        raise ProblemError(404, "not_found", "problem: expected the last part of a problem's type")

    return made

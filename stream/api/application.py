"""The FastAPI application: routes, problems, description, and the guard around them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.types import ASGIApp

from schemas.touchpoint import Touchpoint
from stream.api import problems
from stream.api.guard import Guard
from stream.api.parts import Parts
from stream.api.routes import bands, customers, events, health, models, page, touchpoints

_DESCRIPTION = """Live scores of customers: who is how likely to do what, why, and what to do.

Probabilities are of an *outcome* within its *horizon*, and fall into five *bands*. Errors are problems of
RFC 9457. Where the API has a token, send it as `Authorization: Bearer <token>`.
"""


def make_app(parts: Parts) -> FastAPI:
    """The application without its guard."""
    app = FastAPI(
        title="bandshift",
        version=version("bandshift"),
        description=_DESCRIPTION,
        docs_url=None,  # the usual pages load their assets from other hosts
        redoc_url=None,
        responses={
            401: {"model": problems.Problem, "description": "The token is missing or another one"},
            422: {"model": problems.Problem, "description": "A parameter is not as expected"},
        },
    )
    problems.install(app)
    for router in (
        customers.router(parts),
        bands.router(parts),
        models.router(parts),
        events.router(parts),
        touchpoints.router(parts),
        health.router(parts),
        page.router(),
    ):
        app.include_router(router)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Complete the OpenAPI description with what FastAPI cannot see."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = described()
            parts = found["components"]
            _, schema = models_json_schema(
                [(Touchpoint, "validation")], ref_template="#/components/schemas/{model}"
            )
            parts["schemas"] |= schema["$defs"]
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            found["security"] = [{"token": []}, {}]
            _problem_types(found)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _problem_types(found: dict[str, Any]) -> None:
    """Problems come as application/problem+json."""
    for path in found["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                schema = content.get("application/json", {}).get("schema", {})
                if schema.get("$ref", "").endswith("/Problem"):
                    response["content"] = {problems.MEDIA_TYPE: {"schema": schema}}


def make_asgi(parts: Parts) -> ASGIApp:
    """What a server serves."""
    return Guard(make_app(parts), parts.settings, parts.metrics)

"""What goes wrong, as problems of RFC 9457: type, title, status, detail."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from schemas.fields import MOST_ID_BYTES
from schemas.rejections import MEANINGS
from stream.errors import BandshiftError

MEDIA_TYPE: Final = "application/problem+json"
TITLES: Final[Mapping[str, str]] = {
    "not_json": "The request's body is not JSON",
    "invalid_request": "The request is not as expected",
    "unauthorized": "A token is needed",
    "unknown_host": "The request names another host",
    "not_found": "There is nothing here",
    "unscored": "The customer is unscored",
    "method_not_allowed": "This is done in another way here",
    "request_timeout": "The body came too slowly",
    "too_large": "The request is too large",
    "unsupported_media_type": "The body's content type is not taken here",
    "too_many_streams": "Too many live feeds are open",
    "rebuilding": "Scores are computed again from the log",
    "unavailable": "Kafka or Redis does not answer",
    "internal": "Something went wrong here",
}
"""Problems of a whole request; those of one touchpoint are in `schemas.rejections`."""
_BY_STATUS: Final = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
_ID: Final = (
    f"expected text of 1 to {MOST_ID_BYTES} bytes of UTF-8, with no space at its ends "
    "and no control or invisible characters"
)

logger = logging.getLogger("bandshift.api")


class Problem(BaseModel):
    """A problem of RFC 9457. `type` is a relative reference, /problems/<name>, which says more."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.name, self.detail = status, name, detail
        self.headers, self.members = dict(headers or {}), members

    def response(self) -> JSONResponse:
        """The answer that tells of it."""
        body = {
            "type": f"/problems/{self.name}",
            "title": meaning(self.name),
            "status": self.status,
            "detail": self.detail,
        }
        return JSONResponse(body | self.members, self.status, self.headers, media_type=MEDIA_TYPE)


def meaning(name: str) -> str:
    """The title of a problem; of a whole request's first."""
    found = TITLES.get(name)
    return found or next(words.title for reason, words in MEANINGS.items() if reason == name)


def install(app: FastAPI) -> None:
    """Let the app answer every failure with a problem."""

    @app.exception_handler(ProblemError)
    async def _problem(_: Request, error: ProblemError) -> JSONResponse:
        return error.response()

    @app.exception_handler(BandshiftError)
    async def _unavailable(_: Request, error: BandshiftError) -> JSONResponse:
        logger.warning("%s", error)
        return ProblemError(503, "unavailable", str(error), {"retry-after": "2"}).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = str(first["loc"][1] if len(first["loc"]) > 1 else first["loc"][0])
        expected = _ID if field in {"customer_id", "customer"} else first["msg"]
        return ProblemError(422, "invalid_request", f"{field}: {expected}", field=field).response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        name = _BY_STATUS.get(error.status_code, "invalid_request")
        detail = HTTPStatus(error.status_code).description or str(error.detail)
        return ProblemError(error.status_code, name, detail, error.headers).response()

    @app.exception_handler(Exception)
    async def _internal(_: Request, error: Exception) -> JSONResponse:
        # The server logs the trace; the caller gets no part of it, for it may hold a customer's data.
        del error
        return ProblemError(500, "internal", "The fault is in bandshift's log.").response()

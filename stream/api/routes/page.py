"""The call-center page: a few static files, without any data in them."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response

from stream.api.problems import ProblemError

_TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def router() -> APIRouter:
    """The routes of the page."""
    made = APIRouter(include_in_schema=False)
    folder = files("stream.api").joinpath("static")
    found = {name: folder.joinpath(name).read_bytes() for name in _TYPES}

    def answer(name: str) -> Response:
        # Asked again at every load: a page of one release must not talk to the API of another.
        return Response(found[name], media_type=_TYPES[name], headers={"cache-control": "no-cache"})

    @made.get("/")
    async def index() -> Response:
        return answer("index.html")

    @made.get("/favicon.ico")
    async def icon() -> Response:
        return answer("icon.svg")

    @made.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in found:
            raise ProblemError(404, "not_found", "There is no such file.")
        return answer(name)

    return made

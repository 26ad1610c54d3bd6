"""The call-center page: a few static files, without any data in them."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response

from stream.api.problems import ProblemError

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def router() -> APIRouter:
    """The routes of the page."""
    made = APIRouter(include_in_schema=False)
    folder = files("stream.api").joinpath("static")
    found = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}

    def answer(name: str) -> Response:
        # Asked again at every load: a page of one release must not talk to the API of another.
        kind = _TYPES[name.rpartition(".")[2]]
        return Response(found[name], media_type=kind, headers={"cache-control": "no-cache"})

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

"""The body of an intake request: read within limits, and cut into touchpoints without being understood."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.requests import Request

from schemas.explain import not_json
from stream.api.problems import ProblemError

JSON: Final = "application/json"
CLOUDEVENT: Final = "application/cloudevents+json"
CLOUDEVENTS: Final = "application/cloudevents-batch+json"
_READ_SECONDS: Final = 30.0
_ATTRIBUTE: Final = re.compile(r"ce-[a-z0-9]{1,64}")
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{},]', re.DOTALL)

KafkaHeaders = tuple[tuple[str, bytes], ...]


async def read_body(request: Request, most: int) -> bytes:
    """The whole body, of at most `most` bytes, whatever it says of its length; a problem if it is longer."""
    too_large = ProblemError(
        413, "too_large", f"body: expected at most {most} bytes; send it in parts"
    )
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_READ_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        detail = f"body: expected all of it within {_READ_SECONDS:.0f} seconds"
        raise ProblemError(408, "request_timeout", detail, {"connection": "close"}) from None
    return bytes(body)


def media_type(headers: Headers) -> str:
    """What the body is; a problem if it is nothing that is taken.

    Anything but JSON is refused, so that a page of another site cannot send touchpoints from a browser:
    it may send text without asking, but not these types.
    """
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in {JSON, CLOUDEVENT, CLOUDEVENTS}:
        detail = f"content-type: expected {JSON}, {CLOUDEVENT} or {CLOUDEVENTS}"
        raise ProblemError(415, "unsupported_media_type", detail)
    return found


def kafka_headers(headers: Headers, kind: str) -> KafkaHeaders:
    """The headers of a touchpoint's record: those by which the worker knows a CloudEvent."""
    if kind != JSON:
        return (("content-type", CLOUDEVENT.encode()),)
    # In HTTP, attributes of a CloudEvent are percent-encoded where they are not plain ASCII.
    attributes = tuple(
        (name.replace("-", "_", 1), unquote_to_bytes(value))
        for name, value in headers.items()
        if _ATTRIBUTE.fullmatch(name)
    )
    return (("content-type", JSON.encode()), *attributes) if attributes else ()


def split(body: bytes, most: int) -> list[bytes] | None:
    """The items of a JSON list, each as its own bytes; None if the body is no list.

    A problem if it is no JSON, empty, or longer than `most`.
    """
    if not body.lstrip().startswith(b"["):
        return None
    try:
        found = [bytes(item) for item in _items(body)]
    except (RecursionError, msgspec.DecodeError):
        found = _split_leniently(body)
    if not found:
        detail = "body: expected at least one touchpoint, got an empty list"
        raise ProblemError(400, "invalid_request", detail)
    if len(found) > most:
        detail = f"body: expected at most {most} touchpoints, got {len(found)}"
        raise ProblemError(413, "too_large", detail)
    return found


def _split_leniently(body: bytes) -> list[bytes]:
    """The same where one item is nested too deeply, or holds NaN: that is no fault of the others."""
    try:
        from_json(body)
    except ValueError as error:
        if not str(error).startswith("recursion"):
            rejection = not_json(body, str(error))
            name, detail = rejection.reason, f"body: {rejection.detail.removeprefix('record: ')}"
            raise ProblemError(400, name, detail, reason=name) from error
    return list(_cut(body))


def _cut(body: bytes) -> Iterator[bytes]:
    """The items of a list, found by counting brackets: each is looked at again by itself."""
    depth, begin = 0, body.index(b"[") + 1
    for token in _TOKENS.finditer(body):
        mark = token[0]
        if mark in {b"[", b"{"}:
            depth += 1
        elif mark in {b"]", b"}"}:
            depth -= 1
        if depth == 0 or (depth == 1 and mark == b","):
            yield body[begin : token.start()].strip()
            begin = token.end()
        if depth == 0:
            break
    if depth or body[begin:].strip():
        raise ProblemError(400, "not_json", "body: expected JSON, the list does not end as one")

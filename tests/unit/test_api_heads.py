"""Connections that do not say what they want."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.api import heads, serve
from tests.support.api import deployment

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Where a server listens that waits a twentieth of a second for a request's head."""
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.05)
    async with deployment(tmp_path) as made:
        await made.catch_up()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            started = asyncio.Event()
            server = serve._Server(made.parts, started.set)
            task = asyncio.create_task(server.serve([listener]))
            await started.wait()
            yield listener.getsockname()[1]
            server.should_exit = True
            await task


async def _answers(port: int, *parts: bytes) -> bytes:
    """What comes back until the server closes; each part is sent after the deadline has gone by."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(0.2)
            writer.write(part)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /livez HTTP/1.1\r\nHost: 127"])
async def test_a_connection_without_a_request_is_closed(port: int, begun: bytes) -> None:
    """Whoever connects and sends nothing, or half a head, holds no place for ever."""
    assert await _answers(port, begun) == b""


async def test_half_a_second_request_is_no_way_around(port: int) -> None:
    """After an answered request, too, a head must come to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(LIVEZ)
        assert (await reader.readuntil(b"\r\n")).split()[1] == b"200"
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /livez")
        assert b"HTTP/1.1" not in await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_a_request_that_has_begun_is_heard_out(port: int) -> None:
    """The deadline is the head's: a body that comes after it is read, and answered."""
    head = (
        b"POST /v1/touchpoints HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    )
    assert (await _answers(port, head, b"[]")).startswith(b"HTTP/1.1 4"), "of no touchpoints"


async def test_a_kept_connection_may_rest_longer(port: int) -> None:
    """Between two requests the longer keep-alive counts, not the head's deadline."""
    last = LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert (await _answers(port, LIVEZ, last)).count(b"HTTP/1.1 200") == 2

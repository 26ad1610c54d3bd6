"""The API's process: serves until told to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Final

import uvicorn

from stream.api.application import make_asgi
from stream.api.assemble import assemble
from stream.api.guard import check_token
from stream.api.heads import HeadDeadline
from stream.api.parts import Parts
from stream.errors import SettingsError
from stream.settings import ApiSettings, Settings

_SPARE_CONNECTIONS: Final = 256
"""Connections beside those of live feeds; more are answered with 503."""
_KEEP_ALIVE_SECONDS: Final = 15
_STOP_SECONDS: Final = 5
_STUCK_MS: Final = 30_000
"""A connection whose other end takes nothing for so long is cut by the system."""

logger = logging.getLogger("bandshift.api")


async def run(
    settings: Settings, stop: asyncio.Event, listening: Callable[[str], None] | None = None
) -> None:
    """Serve until `stop` is set. `listening` is called with the address as soon as it answers.

    Raises a BandshiftError where it cannot start: Kafka or Redis does not answer, the address or the
    view's file is taken, or there is no token where one is needed.
    """
    check_token(settings.api)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(settings.api))
        parts, work = await assemble(settings, stack)

        def started() -> None:
            address = _address(listener)
            logger.info("listening on %s", address)
            if listening is not None:
                listening(address)

        server = _Server(parts, started)
        beside = [asyncio.create_task(each) for each in work]
        serving = asyncio.create_task(server.serve([listener]))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            parts.feed.close()  # live feeds would go on for ever
            server.should_exit = True
            await serving
            for task in (*beside, stopping):
                task.cancel()
            await asyncio.gather(*beside, stopping, return_exceptions=True)


class _Server(uvicorn.Server):
    """uvicorn, without hands on the process's signals: whoever called `run` decides when it ends."""

    def __init__(self, parts: Parts, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            make_asgi(parts),
            http=HeadDeadline,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,  # paths hold customers' ids
            server_header=False,
            proxy_headers=False,
            limit_concurrency=parts.settings.max_streams + _SPARE_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        super().__init__(config)
        self._started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._started()


@contextmanager
def _listen(api: ApiSettings) -> Iterator[socket.socket]:
    """A bound socket; SettingsError where the address cannot be had."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            api.host, api.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind)
    except OSError as error:
        raise _unusable(api, error) from error
    with made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STUCK_MS)
        try:
            made.bind(address)
        except OSError as error:
            raise _unusable(api, error) from error
        yield made


def _unusable(api: ApiSettings, error: OSError) -> SettingsError:
    return SettingsError(
        f"api.host, api.port: expected an address to listen on, {api.host}:{api.port} is none: {error.strerror}",
        "end the program that uses it, or set BANDSHIFT_API__PORT to another port (0: any free one)",
    )


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

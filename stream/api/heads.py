"""Closes connections that do not say what they want."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""For a request's head to come in whole."""


class HeadDeadline(H11Protocol):
    """uvicorn's HTTP/1.1 with a deadline for every request's head.

    uvicorn's own timer runs between an answer and the next byte only. A connection that sends nothing, or
    half a head, would stay for ever, and as many as there are places would leave the API answering 503.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Take it in; what begins a further head must end it in time as well."""
        super().data_received(data)
        if getattr(self.cycle, "response_complete", True):  # there is no cycle before the first
            self._arm()

    def handle_events(self) -> None:
        """Answer what is complete; a complete head has met its deadline."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

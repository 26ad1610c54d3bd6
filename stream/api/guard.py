"""The outermost layer: who may ask, what every answer carries, and what is counted of it."""

from __future__ import annotations

import hmac
import ipaddress
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.api.metrics import Metrics
from stream.api.problems import ProblemError
from stream.errors import SettingsError
from stream.settings import ApiSettings

OPEN: Final = frozenset({"/livez", "/readyz", "/", "/favicon.ico"})
"""Asked without a token: whether all is well, and the page, which holds no data and then asks for it."""
OPEN_BELOW: Final = "/static/"
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def is_loopback(host: str) -> bool:
    """Whether a server at this address hears this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_token(api: ApiSettings) -> str | None:
    """The token to ask for; SettingsError where there is none and the address is not loopback."""
    token = api.token.get_secret_value().strip() if api.token else ""
    if not token and not is_loopback(api.host):
        raise SettingsError(
            f"api.token: expected a token, because {api.host} can be reached from other machines",
            "set BANDSHIFT_API__TOKEN to a long random text, or BANDSHIFT_API__HOST to 127.0.0.1",
        )
    return token or None


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, api: ApiSettings, metrics: Metrics) -> None:
        self._app = app
        self._token = check_token(api)
        self._local = is_loopback(api.host)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")  # customers' data
            await send(message)

        try:
            problem = self._refuse(scope)
            if problem is None:
                await self._app(scope, receive, answer)
            else:
                await problem.response()(scope, receive, answer)
        finally:
            self._metrics.asked(scope, status, time.perf_counter() - began)

    def _refuse(self, scope: Scope) -> ProblemError | None:
        headers = Headers(scope=scope)
        if self._local and _host(headers.get("host", "")) not in _LOOPBACK_NAMES:
            # A page of another site can point its own name at this machine (DNS rebinding).
            return ProblemError(421, "unknown_host", "host: expected localhost or 127.0.0.1")
        path = scope["path"]
        if self._token is None or path in OPEN or path.startswith(OPEN_BELOW):
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode(), self._token.encode()
        ):
            return None
        detail = "authorization: expected the header `Authorization: Bearer <token>` with this API's token"
        return ProblemError(401, "unauthorized", detail, {"www-authenticate": "Bearer"})


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header

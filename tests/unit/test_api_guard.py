"""Who may ask the API, and what every answer carries."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from stream.api.guard import check_token, is_loopback
from stream.errors import SettingsError
from stream.settings import ApiSettings
from tests.support.api import deployment
from tests.support.world import START, touchpoint

TOKEN = "a long random text"
PRIVATE = (
    "/v1/customers/2281", "/v1/customers/2281/bands", "/v1/customers?prefix=2", "/v1/outcomes",
    "/v1/customer?id=2281", "/v1/customer/bands?id=2281",
    "/v1/bands/purchase/high", "/v1/events", "/metrics", "/openapi.json", "/problems/unscored", "/nothing",
)  # fmt: skip
OPEN = ("/livez", "/readyz", "/", "/static/app.js", "/static/style.css", "/favicon.ico")


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", PRIVATE)
async def test_a_token_is_asked_for_everywhere_with_data(tmp_path: Path, path: str) -> None:
    """Without the token, or with another, nothing is told, not even whether a path exists."""
    wrong: tuple[dict[str, str], ...] = (
        {},
        bearer(""),
        bearer("x"),
        bearer(TOKEN + "x"),
        {"authorization": TOKEN},
        {"authorization": "Basic x"},
    )
    async with deployment(tmp_path, token=TOKEN) as made, made.client() as client:
        for headers in wrong:
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "/problems/unauthorized"


async def test_the_token_opens_everything(tmp_path: Path) -> None:
    """With the token, reading and sending work."""
    async with deployment(tmp_path, token=TOKEN) as made, made.client() as client:
        made.world.wall = START
        body = touchpoint(1, "2281", "purchase", START)
        headers = bearer(TOKEN) | {"content-type": "application/json"}
        assert (await client.post("/v1/touchpoints", content=body)).status_code == 401
        assert (
            await client.post("/v1/touchpoints", content=body, headers=headers)
        ).status_code == 202
        assert (await client.get("/v1/outcomes", headers=bearer(TOKEN))).status_code == 200
        assert (await client.get("/v1/outcomes?token=" + TOKEN)).status_code == 401, (
            "never in an address"
        )


@pytest.mark.parametrize("path", OPEN)
async def test_health_and_the_page_itself_need_no_token(tmp_path: Path, path: str) -> None:
    """Health checks and the page, which holds no data, load without it."""
    async with deployment(tmp_path, token=TOKEN) as made, made.client() as client:
        await made.watch.look()
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/v1/outcomes", "/static/app.js", "/v1/customers/nobody", "/nothing"]
)
async def test_every_answer_carries_the_headers_that_browsers_heed(
    tmp_path: Path, path: str
) -> None:
    """No inline script, no sniffing, no framing, no referrer, and no cache of customers' data."""
    async with deployment(tmp_path) as made, made.client() as client:
        headers = (await client.get(path)).headers

        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] in {"no-store", "no-cache"}
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::2]"]
)
async def test_a_name_that_points_here_is_not_answered(tmp_path: Path, host: str) -> None:
    """On loopback only loopback's own names are answered, or any web page could read through a name of its own."""
    async with deployment(tmp_path) as made, made.client() as client:
        answer = await client.get("/v1/outcomes", headers={"host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:80", "127.0.0.1:1", "[::1]:8080", "[::1]"]
)
async def test_loopback_has_several_names(tmp_path: Path, host: str) -> None:
    """All usual names of this machine to itself are answered."""
    async with deployment(tmp_path) as made, made.client() as client:
        assert (await client.get("/v1/outcomes", headers={"host": host})).status_code == 200


async def test_other_addresses_are_reached_by_any_name(tmp_path: Path) -> None:
    """Behind a proxy or in a container the name is not known; the token guards there."""
    async with (
        deployment(tmp_path, host="0.0.0.0", token=TOKEN) as made,
        made.client("scores.shop.example") as client,
    ):
        assert (await client.get("/v1/outcomes", headers=bearer(TOKEN))).status_code == 200
        assert (await client.get("/v1/outcomes")).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "scores.example"])
@pytest.mark.parametrize("token", [None, "", "  "])
def test_an_address_that_others_reach_needs_a_token(host: str, token: str | None) -> None:
    """Without one the API does not start, and says which setting is missing."""
    with pytest.raises(SettingsError, match=r"api\.token: expected a token") as raised:
        check_token(ApiSettings.model_validate({"host": host, "token": token}))
    assert raised.value.hint
    assert "BANDSHIFT_API__TOKEN" in raised.value.hint


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example", False)])  # fmt: skip
def test_loopback_is_known(host: str, loopback: bool) -> None:
    """Only addresses that no other machine reaches count as loopback."""
    assert is_loopback(host) is loopback


async def test_a_failure_inside_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What breaks inside is a problem of status 500, without a trace, a path or a customer in it."""

    async def broken(customer_id: str) -> None:
        raise RuntimeError(customer_id)

    async with deployment(tmp_path) as made, made.client() as client:
        monkeypatch.setattr(made.parts.current, "customer", broken)
        answer = await client.get("/v1/customers/2281")

        assert answer.status_code == 500
        assert answer.json()["type"] == "/problems/internal"
        assert "2281" not in answer.text
        assert "Traceback" not in answer.text


async def test_methods_that_are_not_there_are_a_problem(tmp_path: Path) -> None:
    """Deleting is not done here, and the answer is a problem like any other."""
    async with deployment(tmp_path) as made, made.client() as client:
        answer: httpx2.Response = await client.delete("/v1/customers/2281")
        assert answer.status_code == 405
        assert json.loads(answer.text)["type"] == "/problems/method_not_allowed"

"""What those who run the API are told: health, metrics, and a description that holds what it says."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.bands import Band
from schemas.decisions import Decisions
from schemas.outcomes import Outcome
from schemas.rejections import Reason
from schemas.types import TouchpointType
from stream.api import watch
from stream.api.application import make_app
from stream.api.problems import TITLES
from stream.errors import StoreError
from stream.partition.control import Kind
from stream.partition.ledger import Ledger, encode_ledger
from stream.pipeline import SETTINGS
from stream.store.memory import _Partition
from tests.support.api import Deployment, deployment
from tests.support.world import START, World, touchpoint


async def ready(client: httpx2.AsyncClient) -> dict[str, bool]:
    """The conditions of readiness; checks that the status tells the same."""
    answer = await client.get("/readyz")
    found = answer.json()
    checks = {each["name"]: each["ok"] for each in found["checks"]}
    assert found["ready"] == all(checks.values()) == (answer.status_code == 200)
    return checks


async def test_it_is_ready_when_everything_is_there(tmp_path: Path) -> None:
    """Kafka, Redis, view, partitions and settings in order: ready."""
    async with deployment(tmp_path) as made, made.client() as client:
        made.world.send("2281", touchpoint(1, "2281", "purchase", START), START)
        await made.catch_up()
        assert set(await ready(client)) == {
            "kafka",
            "redis",
            "view",
            "partitions",
            "states",
            "settings",
        }
        assert all((await ready(client)).values())


async def test_it_is_alive_even_when_it_is_not_ready(tmp_path: Path) -> None:
    """Before it has looked at anything it is alive, and not ready."""
    async with deployment(tmp_path) as made, made.client() as client:
        assert (await client.get("/livez")).status_code == 200
        assert not (await ready(client))["kafka"]


async def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each missing part makes its own condition fail, and its coming back mends it."""
    async with deployment(tmp_path) as made, made.client() as client:
        await made.catch_up()

        async def failing() -> str:
            await made.watch.look()
            checks = await ready(client)
            return " ".join(name for name, ok in checks.items() if not ok)

        async def no_answer(partitions: object) -> Any:
            raise StoreError(f"Redis: expected an answer, got none for {partitions}")

        assert await failing() == ""
        made.broker.down = True
        assert await failing() == "kafka"
        made.broker.down = False
        with monkeypatch.context() as down:
            down.setattr(made.world.store, "standings", no_answer)
            assert await failing() == "redis"
        made.progress.caught_up = False
        assert await failing() == "view"
        made.progress.caught_up, made.progress.error = True, "OSError: disk full"
        assert await failing() == "view"
        made.progress.error = None
        assert await failing() == ""


async def test_records_that_nobody_takes_in_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition with records waiting that does not move for a while is stalled; one that moves is not."""
    async with deployment(tmp_path, World(partitions=1)) as made, made.client() as client:
        await made.catch_up()
        made.world.send("2281", touchpoint(1, "2281", "purchase", START), START)
        await made.watch.look()
        assert made.watch.lag(0) == 1
        assert (await ready(client))["partitions"], "it may be about to be taken in"
        monkeypatch.setattr(watch, "PATIENCE_SECONDS", -1.0)
        assert not (await ready(client))["partitions"]
        await made.catch_up()
        assert made.watch.lag(0) == 0
        assert (await ready(client))["partitions"]


async def test_states_of_other_settings_are_noticed(tmp_path: Path) -> None:
    """An API whose outcomes are not those in force says so instead of telling wrong bands."""
    async with deployment(tmp_path) as made, made.client() as client:
        review = Outcome(name="review", horizon_days=14, types=("review",))
        adopt(made, Decisions(outcomes=(review,)))
        await made.watch.look()
        assert not (await ready(client))["settings"]


def adopt(made: Deployment, decisions: Decisions) -> None:
    """Let decisions be in force, as the ledgers of all partitions tell it."""
    for number in range(made.world.partitions):
        ledger = Ledger(settings=decisions.text, versions={SETTINGS: 1})
        made.world.store.partitions.setdefault(number, _Partition()).ledger = encode_ledger(ledger)


async def test_the_log_decides_and_not_the_apis_settings(tmp_path: Path) -> None:
    """Cut points, advice and types that the log has adopted are those that the API tells and takes."""
    async with deployment(tmp_path) as made, made.client() as client:
        first, *rest = made.world.outcomes
        other = first.model_copy(
            update={"cuts": (0.1, 0.2, 0.3, 0.4), "advice": {Band.LOW: "Wave."}}
        )
        fair = TouchpointType(name="trade_fair")
        adopt(made, Decisions(types=(fair,), outcomes=(other, *rest)))
        made.world.wall = START
        visit = touchpoint(1, "2281", "trade_fair", START)
        headers = {"content-type": "application/json"}
        before = await client.post("/v1/touchpoints", content=visit, headers=headers)

        await made.watch.look()

        after = await client.post("/v1/touchpoints", content=visit, headers=headers)
        (info, *_) = (await client.get("/v1/outcomes")).json()["outcomes"]
        assert (await ready(client))["settings"]
        assert (before.status_code, after.status_code) == (422, 202)
        assert [each["high"] for each in info["bands"]] == [0.1, 0.2, 0.3, 0.4, 1.0]
        assert info["bands"][1]["advice"] == "Wave."


async def test_an_engine_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that neither answers nor refuses is told as such after a while."""
    monkeypatch.setattr(watch, "_ANSWER_SECONDS", 0.01)

    async def hang() -> Any:
        await asyncio.Event().wait()

    async with deployment(tmp_path) as made:
        monkeypatch.setattr(made.broker, "ends", hang)
        await made.watch.look()
        assert made.watch.kafka_error is not None
        assert made.watch.redis_error is None


def value(text: str, name: str) -> float:
    """A metric's value, or all values of its name added up."""
    rows = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    assert rows, f"{name} is not told"
    return sum(map(float, rows))


async def _busy(made: Deployment, client: httpx2.AsyncClient) -> str:
    """Let much happen, and read the metrics."""
    world = made.world
    for number in range(12):
        customer = f"secret-{number % 5}"
        world.wall = at = START + number * 40_000
        world.send(customer, touchpoint(number, customer, "purchase", at), at)
    world.send("secret-1", touchpoint(11, "secret-1", "purchase", world.wall), world.wall)
    world.send("secret-1", touchpoint(11, "secret-1", "purchase", world.wall), world.wall)
    world.send("secret-1", b"{", world.wall)
    away = (made.home("secret-2") + 1) % world.partitions
    world.send("secret-2", touchpoint(40, "secret-2", "chat", world.wall), world.wall, away)
    world.control(Kind.LIVE, world.wall)
    world.control(Kind.TICK, world.wall + 60 * 86_400)
    await made.catch_up()
    await client.get("/v1/customers/secret-1")
    await client.get("/v1/customers/secret-77")
    await client.get("/secret-path")
    await client.post(
        "/v1/touchpoints",
        content=b'{"customer_id":"secret-9"}',
        headers={"content-type": "application/json"},
    )
    return (await client.get("/metrics")).text


async def test_metrics_reconcile_and_hold_no_customer(tmp_path: Path) -> None:
    """In = scored + duplicates + rejected + forwarded + control, and nowhere is a customer's id."""
    async with deployment(tmp_path) as made, made.client() as client:
        text = await _busy(made, client)

        def told(name: str) -> float:
            return value(text, f"bandshift_{name}_total")

        parts = (
            "touchpoints_scored",
            "touchpoints_duplicate",
            "touchpoints_rejected",
            "touchpoints_forwarded",
            "control_records",
        )
        assert told("touchpoints_in") == sum(map(told, parts))
        assert all(told(part) > 0 for part in parts)
        assert told("band_changes") == len(made.world.outputs("band-changes"))
        assert 'bandshift_touchpoints_rejected_total{reason="not_json"} 1.0' in text
        assert 'bandshift_band_changes_total{cause="silence"}' in text
        assert 'bandshift_intake_touchpoints_total{result="missing_field"} 1.0' in text
        assert 'status="404"' in text
        assert value(text, "bandshift_partition_live") == made.world.partitions
        assert "secret" not in text
        assert "_created" not in text


async def test_the_description_is_openapi_3_1_and_complete(tmp_path: Path) -> None:
    """Every route and parameter is described, problems have their own media type, and references lead somewhere."""
    async with deployment(tmp_path) as made, made.client() as client:
        described = (await client.get("/openapi.json")).json()

        assert described["openapi"].startswith("3.1")
        assert "/v1/touchpoints" in described["paths"]
        for path, operations in described["paths"].items():
            for operation in operations.values():
                assert operation["summary"], path
                assert operation["description"], path
                for code, response in operation["responses"].items():
                    assert response["description"], (path, code)
        schemas = described["components"]["schemas"]
        for name in re.findall(r"#/components/schemas/([\w-]+)", str(described)):
            assert name in schemas
        unscored = described["paths"]["/v1/customers/{customer_id}"]["get"]["responses"]["404"]
        assert list(unscored["content"]) == ["application/problem+json"]


async def test_there_is_no_page_with_assets_of_other_hosts(tmp_path: Path) -> None:
    """FastAPI's own documentation pages load scripts from elsewhere, so they are off."""
    async with deployment(tmp_path) as made, made.client() as client:
        for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
            assert (await client.get(path)).status_code == 404


async def test_the_page_names_no_other_host(tmp_path: Path) -> None:
    """No file of the page holds an address of another host, an inline script or a style attribute."""
    async with deployment(tmp_path) as made, made.client() as client:
        index = (await client.get("/")).text
        names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', index))
        assert names
        held = {each.name for each in files("stream.api").joinpath("static").iterdir()}
        assert {name.rpartition("/")[2] for name in names} <= held
        for name in held:
            answer = await client.get(f"/static/{name}")
            assert answer.status_code == 200
            text = answer.text.replace("http://www.w3.org/2000/svg", "")
            assert "//" not in re.sub(r"(?m)(^|\s)//.*$", "", text), name
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=", index)
        assert (await client.get("/static/..%2fguard.py")).status_code == 404


async def test_every_problem_can_be_looked_up(tmp_path: Path) -> None:
    """A problem's type is an address that says in words what it means."""
    async with deployment(tmp_path) as made, made.client() as client:
        for name in {*TITLES, *Reason}:
            answer = await client.get(f"/problems/{name}")
            assert answer.status_code == 200
            assert len(answer.text) > 10
        assert (await client.get("/problems/none")).status_code == 404


async def test_no_more_live_feeds_than_allowed(tmp_path: Path) -> None:
    """The feed beyond the limit is answered with a problem and a time to wait, and closing one makes room."""
    async with deployment(tmp_path, max_streams=1) as made:
        app = make_app(made.parts)
        opened, closing = asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, Any]:
            await closing.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                opened.set()

        scope = {
            "type": "http", "method": "GET", "path": "/v1/events", "raw_path": b"/v1/events",
            "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http", "root_path": "",
        }  # fmt: skip
        first = asyncio.create_task(app(scope, receive, send))
        await asyncio.wait_for(opened.wait(), 10)
        async with made.client() as client:
            app_client = httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1"
            )
            async with app_client:
                refused = await app_client.get("/v1/events")
            assert refused.status_code == 429
            assert refused.headers["retry-after"]
            assert value((await client.get("/metrics")).text, "bandshift_sse_clients") == 1
            closing.set()
            await asyncio.wait_for(first, 10)
            assert value((await client.get("/metrics")).text, "bandshift_sse_clients") == 0

"""While states are computed again from the log, the API says so instead of showing half a state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from stream.api.routes.events import freshness
from stream.partition.ledger import Position
from stream.partition.rebuilding import Rebuilding
from stream.store.memory import _Partition
from tests.support.api import Deployment, deployment
from tests.support.world import START, World, touchpoint

EVENTS = 40


@asynccontextmanager
async def at_work(
    tmp_path: Path, partitions: int = 2
) -> AsyncIterator[tuple[Deployment, httpx2.AsyncClient]]:
    """A deployment whose customers have been scored, and which was looked at since."""
    async with (
        deployment(tmp_path, World(partitions=partitions)) as made,
        made.client() as client,
    ):
        for number in range(EVENTS):
            customer = f"c{number % 8}"
            made.world.send(customer, touchpoint(number, customer, "purchase", START), START)
        await made.catch_up()
        await made.watch.look()
        yield made, client


def lose(made: Deployment, partition: int) -> None:
    """Empty a partition of the store."""
    made.world.store.partitions[partition] = _Partition()


def of(made: Deployment, partition: int) -> str:
    """Some customer of a partition."""
    return next(f"c{number}" for number in range(8) if made.home(f"c{number}") == partition)


async def test_an_emptied_store_is_told_at_once(tmp_path: Path) -> None:
    """Before the next look already: no scored customer is ever called unscored."""
    async with at_work(tmp_path) as (made, client):
        customer, other = of(made, 0), of(made, 1)
        assert (await client.get(f"/v1/customers/{customer}")).status_code == 200
        lose(made, 0)
        for path in (f"/v1/customers/{customer}", f"/v1/customer?id={customer}"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "5"
            body = answer.json()
            assert body["type"] == "/problems/rebuilding"
            assert body["state"] == "rebuilding"
            assert body["remaining_seconds"] is None
        assert (await client.get(f"/v1/customers/{other}")).status_code == 200


async def test_only_what_is_rebuilt_is_withheld(tmp_path: Path) -> None:
    """A customer of another partition is shown; lists by band, which are of all, are not."""
    async with at_work(tmp_path) as (made, client):
        customer, other = of(made, 0), of(made, 1)
        lists = "/v1/bands/purchase/high"
        assert (await client.get(lists)).status_code == 200
        lose(made, 0)
        await made.watch.look()
        assert set(made.watch.rebuilding) == {0}
        for path in (customer, f"{customer}/bands"):
            assert (await client.get(f"/v1/customers/{path}")).status_code == 503
        for path in (other, f"{other}/bands"):
            assert (await client.get(f"/v1/customers/{path}")).status_code == 200
        answer = await client.get(lists)
        assert answer.status_code == 503
        assert answer.json()["remaining_records"] == made.watch.committed[0]
        for path in ("/v1/outcomes", "/v1/customers?prefix=c", "/problems/rebuilding"):
            assert (await client.get(path)).status_code == 200


async def test_the_remaining_time_is_told(tmp_path: Path) -> None:
    """Share, records and seconds: in the problem, the live feed's hello, the metrics and readiness."""
    async with at_work(tmp_path, 1) as (made, client):
        end = made.watch.committed[0] or 0
        lose(made, 0)
        await made.watch.look()
        rate = 0.05
        made.watch.rebuilding = {0: Rebuilding((0,), end // 2, end, rate)}
        left = end - end // 2
        answer = await client.get("/v1/customers/c1")
        assert answer.headers["retry-after"] == "60", "the longest"
        assert answer.json()["remaining_seconds"] == left / rate
        assert "(50% done): about 7 minutes left" in answer.json()["detail"]
        assert freshness(made.parts)["rebuilding"] == {
            "partitions": [0],
            "done": 0.5,
            "remaining_records": left,
            "remaining_seconds": left / rate,
        }
        text = (await client.get("/metrics")).text
        assert f'bandshift_rebuild_remaining_records{{partition="0"}} {left}.0' in text
        assert f'bandshift_rebuild_remaining_seconds{{partition="0"}} {left / rate}' in text
        states = await _states(client)
        assert not states["ok"]
        assert states["detail"].startswith("1 of 1 partitions is rebuilt from the log: 50% done")


async def test_a_rebuild_ends_by_itself(tmp_path: Path) -> None:
    """Once the workers are where they were, everything is shown again, and readiness comes back."""
    async with at_work(tmp_path) as (made, client):
        before = (await client.get(f"/v1/customers/{of(made, 0)}")).json()
        lose(made, 0)
        await made.watch.look()
        assert (await client.get("/readyz")).status_code == 503
        made.world.owners = made.world.make_owners()
        await made.catch_up()
        assert made.watch.rebuilding == {}
        assert (await client.get(f"/v1/customers/{of(made, 0)}")).json() == before
        assert (await client.get("/readyz")).status_code == 200
        text = (await client.get("/metrics")).text
        assert 'bandshift_rebuild_remaining_seconds{partition="0"} 0.0' in text


async def test_two_looks_tell_the_rate(tmp_path: Path) -> None:
    """What moved between two looks gives the remaining seconds."""
    async with at_work(tmp_path, 1) as (made, _):
        lose(made, 0)
        await made.watch.look()
        await asyncio.sleep(0.25)
        made.world.store.partitions[0].position = Position(10)
        await made.watch.look()
        assert 0 < (made.watch.rebuilding[0].seconds or 0) < 10


async def test_a_worker_at_work_is_no_rebuild(tmp_path: Path) -> None:
    """Records that are taken in and committed between two reads of a look are not mistaken for one."""
    async with at_work(tmp_path, 1) as (made, client):
        standings = made.world.store.standings

        async def slow(partitions: Any) -> Any:
            found = await standings(partitions)
            made.world.send("c1", touchpoint(99, "c1", "purchase", START), START)
            await made.world.work()
            return found

        made.world.store.standings = slow  # type: ignore[method-assign]
        await made.watch.look()
        assert made.watch.rebuilding == {}
        assert (await client.get("/v1/customers/c1")).status_code == 200


async def _states(client: httpx2.AsyncClient) -> dict[str, Any]:
    (found,) = [
        each for each in (await client.get("/readyz")).json()["checks"] if each["name"] == "states"
    ]
    return dict(found)

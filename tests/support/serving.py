"""The API as it runs in earnest, over real Kafka and Redis, and a client of its live feed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2

from stream.api import serve
from stream.broker import client, golive, setup
from stream.broker.topics import Topics
from stream.partition.control import Signer
from stream.settings import Settings


class Told(NamedTuple):
    """One server-sent event."""

    name: str
    id: str
    data: Any


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """The API of these settings, in this process; its address. Stopped at the end as a signal would."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve.run(settings, stop, address.set_result))
    try:
        await asyncio.wait([task, address], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield await address
    finally:
        stop.set()
        await task


async def until(look: Callable[[], Awaitable[bool]], within: float = 30) -> None:
    """Look again and again until it is so; an AssertionError if it takes too long."""
    for _ in range(round(within * 10)):
        if await look():
            return
        await asyncio.sleep(0.1)
    message = f"not so within {within:.0f} seconds"
    raise AssertionError(message)


async def ready(http: httpx2.AsyncClient) -> None:
    """Return when the API is ready."""

    async def is_ready() -> bool:
        return (await http.get("/readyz")).status_code == 200

    await until(is_ready)


async def metric(http: httpx2.AsyncClient, line: str) -> None:
    """Return when the metrics hold a line."""

    async def has_line() -> bool:
        return line in (await http.get("/metrics")).text.splitlines()

    await until(has_line)


async def events(http: httpx2.AsyncClient, last: str = "", query: str = "") -> AsyncGenerator[Told]:
    """What the live feed tells, until it ends; after the event `last`, if there is one."""
    headers = {"last-event-id": last} if last else {}
    async with http.stream("GET", f"/v1/events?{query}", headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line and not line.startswith(":"):
                name, _, text = line.partition(": ")
                fields[name] = text
            elif fields:
                yield Told(fields["event"], fields["id"], json.loads(fields["data"]))
                fields = {}


async def go_live(settings: Settings) -> None:
    """Let the broker's clock rule."""
    topics = Topics(settings.namespace)
    signer = Signer(settings.control_key(), topics.touchpoints)
    async with client.admin(settings.kafka) as admin, client.producer(settings.kafka) as producer:
        partitions = await setup.partitions(admin, topics)
        await golive.go_live(admin, producer, topics, partitions, signer)

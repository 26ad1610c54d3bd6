"""A Faust app with one agent on a channel: what Faust keeps is the worker, supervision, the agent.

Topic streams of Faust stay off the way (docs/adr/0001), so its own consumer and producer are never started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import faust
from faust.app.base import BootStrategy

Put = Callable[[Any], Awaitable[Any]]


class _Channels(BootStrategy):
    """Faust's own consumer and producer have nothing to do here, and without topics its conductor crashes."""

    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy = _Channels

    def _new_consumer(self) -> Any:
        """Streams ask for a consumer, but none is started: close the event loop of its thread at once."""
        made: Any = super()._new_consumer()
        made._thread.thread_loop.close()  # noqa: SLF001
        return made

    def _create_directories(self) -> None:
        """Faust would keep tables there; a worker keeps nothing on disk, and may have none to write to."""

    async def _producer_flush(self, logger: Any) -> None:
        """Faust's producer was never started; waiting for it to be empty would never end."""


async def serve(
    name: str, handle: Callable[[Any], Awaitable[None]], run: Callable[[Put], Awaitable[None]]
) -> None:
    """Let agent `name` handle what `run` puts, until `run` returns."""
    app = _App("bandshift", broker="kafka://", web_enabled=False, topic_disable_leader=True)
    channel = app.channel(maxsize=1)

    @app.agent(channel, name=name)
    async def agent(items: Any) -> None:
        async for item in items:
            await handle(item)

    await app.start()
    try:
        while not channel.subscriber_count:  # noqa: ASYNC110 -- Faust tells nobody; what is put before vanishes
            await asyncio.sleep(0.01)
        app.flow_control.resume()  # suspended until told otherwise: put() would wait for ever
        await run(cast("Put", channel.put))
    finally:
        await app.stop()

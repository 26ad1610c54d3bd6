"""The live feed over server-sent events, with resume: an event's id says how far all partitions have been told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stream.api import queries
from stream.api.describe import Describer
from stream.api.feed import Feed, Offsets, Waiting
from stream.api.queries import Queries
from stream.api.view import KEPT_SCORES, FeedRow

HEARTBEAT_SECONDS: Final = 10.0
_SEND_SECONDS: Final = 30.0
"""A client that takes nothing for so long is dropped."""
_AT_ONCE: Final = 200

logger = logging.getLogger("bandshift.api")
_encode = msgspec.json.Encoder().encode


def event(name: str, data: bytes, offsets: Offsets | None = None) -> bytes:
    """One event; `data` is a single line."""
    identity = f"id: {offsets}\n" if offsets else ""
    return f"{identity}event: {name}\ndata: ".encode() + data + b"\n\n"


class LiveFeed:
    """One client's way through the feed."""

    def __init__(
        self,
        feed: Feed,
        ask: Queries,
        describe: Describer,
        freshness: Callable[[], dict[str, Any]],
        customer: str | None,
        home: int,
    ) -> None:
        """`home` is the customer's partition."""
        self._feed, self._queries, self._describe = feed, ask, describe
        self._freshness, self._customer, self._home = freshness, customer, home
        self._offsets = feed.offsets.copy()
        self._last = feed.last
        self._generation = feed.generation
        self._models = dict(feed.models)

    async def resume(self, told: str, *, caught_up: bool) -> bool:
        """Go on after the event of that id; False where that cannot be done without loss."""
        found = Offsets.parse(told, len(self._offsets.moves))
        now = self._feed.offsets
        if found is None or (caught_up and _beyond(found, now)):
            return False
        self._last, whole = await self._queries.ask(
            partial(queries.feed_start, offsets=found.moves)
        )
        self._offsets = found
        return whole

    async def go_back(self, number: int) -> None:
        """Begin with the latest so many band changes."""
        seq = await self._queries.ask(partial(queries.feed_recent, number=number))
        rows = await self._queries.ask(partial(queries.feed_after, seq=seq, limit=number))
        moves = self._offsets.moves
        for row in rows:
            moves[row.partition] = min(moves[row.partition], row.offset)
        self._last = min(seq, self._last)

    async def run(self, *, whole: bool) -> AsyncGenerator[bytes]:
        """Events without end. Unless `whole`, the first says that something is missing."""
        if not whole:
            yield self._reset("what came after this id is not kept any more")
        customer = self._customer
        if customer is None:
            async for part in self._run(None):
                yield part
            return
        with self._feed.waiting(customer) as waiting:
            async for part in self._run(waiting):
                yield part

    async def _run(self, waiting: Waiting | None) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        yield self._hello()
        beat = loop.time() + HEARTBEAT_SECONDS
        while not self._feed.closed:
            if self._generation != self._feed.generation:
                self._generation = self._feed.generation
                self._offsets, self._last = self._feed.offsets.copy(), self._feed.last
                yield self._reset("the topics were made anew")
            news = self._feed.news
            part, full = await self._moves()
            part += self._model_news()
            if waiting is not None and waiting.scored:
                waiting.scored = False
                part += await self._scores()
            if part:
                yield b"".join(part)
            if loop.time() >= beat:
                yield b": heartbeat\n\n" + self._hello()
                beat = loop.time() + HEARTBEAT_SECONDS
            if not full:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(beat):
                        await news.wait()

    async def _moves(self) -> tuple[list[bytes], bool]:
        """The next band changes, and whether there may be more at once."""
        rows = self._feed.after(self._last, _AT_ONCE)
        if rows is None:
            rows = await self._queries.ask(
                partial(queries.feed_after, seq=self._last, limit=_AT_ONCE)
            )
        found = [
            self._move(row) for row in rows if row.offset >= self._offsets.moves[row.partition]
        ]
        if rows:
            self._last = rows[-1].seq
        return found, len(rows) == _AT_ONCE

    def _move(self, row: FeedRow) -> bytes:
        self._offsets.moves[row.partition] = row.offset + 1
        return event("band-change", row.body, self._offsets)

    async def _scores(self) -> list[bytes]:
        after = self._offsets.scores[self._home] - 1
        rows = await self._queries.ask(
            partial(
                queries.scores,
                chances=self._describe.chances,
                customer=self._customer or "",
                limit=KEPT_SCORES,
                after=after,
            )
        )
        found = []
        for row in rows:
            self._offsets.scores[self._home] = max(
                self._offsets.scores[self._home], row.read_offset + 1
            )
            told = self._describe.score(self._customer or "", row)
            found.append(event("score", _encode(told), self._offsets))
        return found

    def _model_news(self) -> list[bytes]:
        """Which outcomes' models there is news of; what it is, the API's other answers tell."""
        told, self._models = self._models, dict(self._feed.models)
        return [
            event("model", _encode({"outcome": name}), self._offsets)
            for name, number in self._models.items()
            if told.get(name) != number
        ]

    def _hello(self) -> bytes:
        return event("hello", _encode(self._freshness()), self._offsets)

    def _reset(self, why: str) -> bytes:
        return event("reset", _encode({"why": why}), self._offsets)


def _beyond(found: Offsets, now: Offsets) -> bool:
    """Whether offsets lie where the topics have not come yet: they are other topics'."""
    return any(
        there > here
        for there, here in zip(found.moves + found.scores, now.moves + now.scores, strict=True)
    )


class EventStream(Response):
    """Sends events until the client goes away, takes nothing any more, or the API stops."""

    media_type = "text/event-stream"

    def __init__(self, parts: AsyncGenerator[bytes], done: Callable[[], None]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._parts, self._done = parts, done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client."""
        del scope
        tasks = [asyncio.create_task(self._write(send)), asyncio.create_task(_gone(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    logger.warning("a live feed ended: %s", type(ended).__name__)
            self._done()

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._parts) as parts:
            async for part in parts:
                async with asyncio.timeout(_SEND_SECONDS):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""A call of the store that is cancelled stays cancelled, even where its answer has come already."""

from __future__ import annotations

import asyncio

import pytest

from stream.store.redis import RedisStore


class _Swallows:
    """A client that forgets that it was cancelled, as redis-py does where the answer comes at that moment."""

    async def execute_command(self, *_: object) -> list[None]:
        """Answer, after having been cancelled."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return [None, None]
        raise AssertionError


async def test_a_cancelled_call_is_cancelled() -> None:
    """Whoever awaits it learns that it was cancelled; a time-out around it is one."""
    store = RedisStore("redis://127.0.0.1:1/0", "x")
    store.client = _Swallows()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await store.standings([0])

"""The worker's loop: every partition goes on by itself, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition

from stream.agents.source import Poll, Source
from stream.partition.intake import Record
from stream.settings import WorkerSettings


class StubOwner:
    """Takes in records at once, or hangs for ever; counts its turns."""

    def __init__(self, partition: int, *, hangs: bool) -> None:
        self.partition, self.hangs = partition, hangs
        self.ready, self.busy, self.turns = True, False, 0

    async def work(self, records: Sequence[Record]) -> None:
        """Count; then hang, if this is such a one."""
        del records
        self.turns += 1
        if self.hangs:
            await asyncio.Event().wait()

    def to_commit(self) -> None:
        """There is nothing to commit."""

    async def acknowledged(self) -> None:
        """There is nothing to wait for."""


class StubConsumer:
    """Has a record for whoever asks."""

    async def getmany(self, *tps: TopicPartition, **_: Any) -> dict[TopicPartition, list[object]]:
        """One record per partition."""
        await asyncio.sleep(0)
        return {tp: [object()] for tp in tps}

    def pause(self, *_: TopicPartition) -> None:
        """It makes no difference here."""

    resume = pause


async def test_a_stuck_partition_holds_up_no_other() -> None:
    """While one owner waits for an answer that does not come, the other is given records again and again."""
    owners = {number: StubOwner(number, hangs=number == 0) for number in range(2)}
    settings = WorkerSettings(gather_ms=0)
    log: Any = None
    consumer: Any = StubConsumer()
    source = Source(consumer, log, "touchpoints", lambda _: owners[0], settings, 2)  # type: ignore[arg-type, return-value]
    source.owners = owners  # type: ignore[assignment]

    async def put(poll: Poll) -> None:
        poll.begin()

    async def enough() -> None:
        while owners[1].turns < 20:  # noqa: ASYNC110 - the owner is a stub that tells nobody
            await asyncio.sleep(0)

    running = asyncio.create_task(source.run(put, lambda: False))
    await asyncio.wait_for(enough(), 30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert owners[0].turns == 1
    for task in list(source._working.values()):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""The worker's loop: every partition goes on by itself, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from stream.agents.source import Poll, Source
from stream.agents.watch import Standing
from stream.errors import StoreError, StuckError
from stream.partition.intake import Record
from stream.partition.ledger import Position
from stream.settings import WorkerSettings


class StubOwner:
    """Takes in records at once, or hangs for ever; counts its turns."""

    def __init__(self, partition: int, *, hangs: bool) -> None:
        self.partition, self.hangs = partition, hangs
        self.ready, self.busy, self.turns, self.offset = True, False, 0, 7

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

    def standing(self, end: int | None) -> Standing:
        """It has records at hand, always."""
        del end
        return Standing(Position(self.offset), 5)


class StubConsumer:
    """Has a record for whoever asks."""

    async def getmany(self, *tps: TopicPartition, **_: Any) -> dict[TopicPartition, list[object]]:
        """One record per partition."""
        await asyncio.sleep(0)
        return {tp: [object()] for tp in tps}

    def pause(self, *_: TopicPartition) -> None:
        """It makes no difference here."""

    resume = pause

    def assignment(self) -> set[TopicPartition]:
        """None: the ends of the log are not known."""
        return set()


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


def _watched(owner: StubOwner, tmp_path: Path) -> tuple[Source, Path]:
    file = tmp_path / "ready"
    settings = WorkerSettings(stuck_seconds=60, ready_file=file)
    log: Any = None
    consumer: Any = StubConsumer()
    source = Source(consumer, log, "touchpoints", lambda _: owner, settings, 1)  # type: ignore[arg-type, return-value]
    source.owners = {0: owner}  # type: ignore[dict-item]
    return source, file


async def test_a_worker_that_does_not_get_on_ends_with_a_diagnosis(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A partition that hangs with records at hand ends the worker after the stated time, and says where it hangs."""
    owner = StubOwner(0, hangs=True)
    source, file = _watched(owner, tmp_path)
    source._begin(owner, ())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    source._check_progress(0)
    assert file.exists()
    source._check_progress(61)
    assert not file.exists()
    with pytest.raises(StuckError, match="partition 0 has stood still at offset 7 for 61 s with 5"):
        await source.run(_never, lambda: False)
    assert "StubOwner.work" in caplog.text
    for task in list(source._working.values()):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_ready_file_is_gone_while_a_server_does_not_answer(tmp_path: Path) -> None:
    """It is there while all partitions get on, gone while one waits for Redis, and back when it goes on."""
    owner = StubOwner(0, hangs=False)
    source, file = _watched(owner, tmp_path)
    source._check_progress(0)
    assert file.exists()
    for now in range(0, 600, 5):
        source._watch.failed(0, StoreError("Redis is away"), now)
        source._check_progress(now)
        assert not file.exists()
    owner.offset += 1
    source._check_progress(600)
    assert file.exists()


async def _never(poll: Poll) -> None:
    raise AssertionError(poll)

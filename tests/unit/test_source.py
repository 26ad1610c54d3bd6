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

    def standing(self, unread: int) -> Standing:
        """It has records at hand, always."""
        del unread
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

    def partitions_for_topic(self, topic: str) -> set[int]:
        """One."""
        del topic
        return {0}


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
    await source._check_progress(0)
    assert file.exists()
    for now in range(5, 61, 5):
        await source._check_progress(now)
    assert not file.exists()
    with pytest.raises(StuckError, match="partition 0 has stood still at offset 7 for 60 s with 5"):
        await source.run(_never, lambda: False)
    assert "StubOwner.work" in caplog.text
    for task in list(source._working.values()):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_ready_file_is_gone_while_a_server_does_not_answer(tmp_path: Path) -> None:
    """It is there while all partitions get on, gone while one waits for Redis, and back when it goes on."""
    owner = StubOwner(0, hangs=False)
    source, file = _watched(owner, tmp_path)
    await source._check_progress(0)
    assert file.exists()
    for now in range(0, 600, 5):
        source._watch.failed(0, StoreError("Redis is away"), now)
        await source._check_progress(now)
        assert not file.exists()
    owner.offset += 1
    await source._check_progress(600)
    assert file.exists()


async def _never(poll: Poll) -> None:
    raise AssertionError(poll)


class _AwayLog:
    """A log whose broker is away: nothing is answered, and nothing fails."""

    away = True

    async def commit(self, offsets: object) -> None:
        """For ever."""
        del offsets
        while self.away:  # noqa: ASYNC110 -- as Kafka's client does
            await asyncio.sleep(0.01)

    async def end(self, partition: int) -> int:
        """For ever, too."""
        await self.commit(partition)
        return 0


async def test_a_broker_that_is_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Kafka answers nothing the loop goes on, readiness is down, nobody is stuck, and a stop is obeyed."""
    monkeypatch.setattr("stream.agents.source._ANSWER_SECONDS", 0.02)
    monkeypatch.setattr("stream.agents.source._CHECK_SECONDS", 0.05)
    owner = StubOwner(0, hangs=False)
    source, file = _watched(owner, tmp_path)
    source._settings = source._settings.model_copy(update={"commit_seconds": 0.05})
    source._watch.patience = 0.3
    source._log = _AwayLog()  # type: ignore[assignment]
    monkeypatch.setattr(owner, "to_commit", lambda: 9)
    stop = asyncio.Event()

    async def put(poll: Poll) -> None:
        poll.begin()

    running = asyncio.create_task(source.run(put, stop.is_set))
    await asyncio.sleep(1)
    assert not running.done()
    assert not file.exists()
    stop.set()
    await asyncio.wait_for(running, 10)


async def test_records_of_a_partition_that_was_taken_away_are_dropped() -> None:
    """What a fetch brings after a rebalance is not given to the owner from before it."""
    before, after = StubOwner(0, hangs=False), StubOwner(0, hangs=False)
    consumer: Any = StubConsumer()
    log: Any = None
    source = Source(consumer, log, "touchpoints", lambda _: after, WorkerSettings(), 1)  # type: ignore[arg-type, return-value]
    source.owners = {0: before}  # type: ignore[dict-item]

    async def getmany(*tps: TopicPartition, **_: Any) -> dict[TopicPartition, list[object]]:
        source.owners = {0: after}  # type: ignore[dict-item]
        return {tp: [object()] for tp in tps}

    consumer.getmany = getmany
    assert (await source._next()).work == []

"""The follower reads the output topics into the view, whatever happens to either."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from stream.api import follower, queries
from stream.api.follower import Follower
from stream.api.view import Log, View
from stream.broker.memory import MemoryRecord
from stream.broker.topics import Topics
from stream.partition.outputs import BAND_CHANGES, SCORES
from tests.support.api import Deployment, deployment
from tests.support.world import START, World, touchpoint


class Consumer:
    """A consumer over the world's output topics, as aiokafka's is used."""

    def __init__(self, world: World) -> None:
        self._topics = world.log.topics
        self._at: dict[TopicPartition, int] = {}
        self.first: dict[str, int] = {}
        self.markers = 0
        """Offsets at the end of every partition that no record has: ends of transactions."""

    def _records(self, tp: TopicPartition) -> list[MemoryRecord]:
        return self._topics[tp.topic, tp.partition]

    def assign(self, tps: Iterable[TopicPartition]) -> None:
        self._at = dict.fromkeys(tps, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._at[tp] = offset

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.first.get(tp.topic, 0) for tp in tps}

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.highwater(tp) for tp in tps}

    def highwater(self, tp: TopicPartition) -> int:
        return len(self._records(tp)) + self.markers

    async def position(self, tp: TopicPartition) -> int:
        return self._at[tp] + self.markers

    async def getmany(
        self, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, Sequence[MemoryRecord]]:
        del timeout_ms, max_records
        await asyncio.sleep(0.001)
        found: dict[TopicPartition, Sequence[MemoryRecord]] = {}
        for tp, at in self._at.items():
            if at > len(self._records(tp)):  # as auto_offset_reset="earliest" does
                at = 0  # noqa: PLW2901
            found[tp] = self._records(tp)[at:]
            self._at[tp] = len(self._records(tp))
        return found


@asynccontextmanager
async def following(
    made: Deployment, view: View | None = None, *, live: bool = True
) -> AsyncIterator[Follower]:
    """A follower at work over a deployment's topics."""
    one = Follower(
        Consumer(made.world), Topics(), made.world.partitions, view or made.view, made.feed, made.metrics, lambda _: live
    )  # fmt: skip
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_ends_of_transactions_are_no_lag(tmp_path: Path) -> None:
    """Where a topic ends in offsets that no record has, the view still is caught up."""
    async with deployment(tmp_path) as made:
        await buy(made, 0, 3)
        async with following(made) as one:
            one._consumer.markers = 1
            await until(lambda: one.caught_up and not one.lag)


async def until(so: Callable[[], bool]) -> None:
    """Return when it is so."""
    for _ in range(1_000):
        if so():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not become so")


async def buy(made: Deployment, begin: int, number: int) -> None:
    """Let customers buy, and the workers decide."""
    for each in range(begin, begin + number):
        made.world.wall = at = START + each * 1_000
        made.world.send(f"c{each % 5}", touchpoint(each, f"c{each % 5}", "purchase", at), at)
    await made.world.work()


def all_read(made: Deployment) -> bool:
    """Whether the feed has come to the end of all topics."""
    topics = made.world.log.topics
    parts = range(made.world.partitions)
    return made.feed.offsets.moves == [len(topics[BAND_CHANGES, each]) for each in parts] and (
        made.feed.offsets.scores == [len(topics[SCORES, each]) for each in parts]
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_REST_SECONDS", 0.001)


async def test_it_reads_everything_and_goes_on(tmp_path: Path) -> None:
    """What was there is read, then what comes; then it is caught up, and the view knows where it is."""
    async with deployment(tmp_path) as made:
        await buy(made, 0, 10)
        async with following(made) as one:
            await until(lambda: all_read(made) and one.caught_up)
            await buy(made, 10, 10)
            await until(lambda: all_read(made))
            assert one.lag == 0
        reached = {log: there.next for log, there in made.view.reached().items()}
        for partition in range(made.world.partitions):
            for kind in (BAND_CHANGES, SCORES):
                number = len(made.world.log.topics[kind, partition])
                assert reached.get(Log(kind, partition), 0) == number
        names = await made.queries.ask(lambda asked: queries.named(asked, "c", 10))
        assert names == [f"c{number}" for number in range(5)]


async def test_it_goes_on_where_the_view_is(tmp_path: Path) -> None:
    """A second start reads nothing twice and leaves nothing out."""
    async with deployment(tmp_path) as made:
        await buy(made, 0, 10)
        async with following(made):
            await until(lambda: all_read(made))
        last = made.feed.last
        await buy(made, 10, 10)
        async with following(made):
            await until(lambda: all_read(made))
        new = len(made.world.outputs(BAND_CHANGES)) - last
        assert made.feed.last == made.view.last == last + new


async def test_a_view_that_cannot_be_written_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk makes the view not ready and loses nothing: once there is room, it goes on."""

    def full(batch: object) -> None:
        raise sqlite3.OperationalError(f"disk full, not of {type(batch)}")

    async with deployment(tmp_path) as made:
        await buy(made, 0, 10)
        with monkeypatch.context() as broken:
            broken.setattr(made.view, "write", full)
            async with following(made) as one:
                await until(lambda: one.error is not None)
                assert "disk full" in str(one.error)
                assert not one.caught_up
                broken.undo()
                await until(lambda: all_read(made) and one.error is None)
        assert made.feed.last == len(made.world.outputs(BAND_CHANGES))


async def test_topics_made_anew_while_it_reads_are_noticed(tmp_path: Path) -> None:
    """When the topics begin again from nothing, so does the view, and readers of the feed are told."""
    async with deployment(tmp_path, World(partitions=1)) as made:
        await buy(made, 0, 10)
        async with following(made):
            await until(lambda: all_read(made))
            again = World(partitions=1)
            again.send("new", touchpoint(1, "new", "purchase", START), START)
            await again.work()
            for kind in (BAND_CHANGES, SCORES):
                made.world.log.topics[kind, 0][:] = again.log.topics[kind, 0]
            await until(lambda: made.feed.generation == 1 and all_read(made))
        names = await made.queries.ask(lambda asked: queries.named(asked, "", 10))
        assert names == ["new"]


async def test_a_new_view_does_not_read_all_old_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trends need the latest scores only; band changes are read from their beginning."""
    monkeypatch.setattr(follower, "_SCORES_BACK", 4)
    async with deployment(tmp_path, World(partitions=1)) as made:
        await buy(made, 0, 30)
        async with following(made):
            await until(lambda: all_read(made))
        rows = await made.queries.ask(
            lambda asked: asked.execute("SELECT count(*) FROM scores").fetchone()
        )
        assert rows == (4,)
        assert made.feed.last == len(made.world.outputs(BAND_CHANGES))


@pytest.mark.parametrize("live", [True, False])
async def test_latency_is_measured_once_live(tmp_path: Path, live: bool) -> None:
    """Times from append to band change are taken when the broker's clock rules, and never of history."""
    async with deployment(tmp_path) as made, made.client() as client:
        async with following(made, live=live) as one:
            await until(lambda: one.caught_up)
            await buy(made, 0, 5)
            await until(lambda: all_read(made))
        text = (await client.get("/metrics")).text
        number = float(len(made.world.outputs(BAND_CHANGES)) if live else 0)
        assert f"bandshift_band_change_publish_seconds_count {number}" in text
        assert f"bandshift_band_change_read_seconds_count {number}" in text


async def test_in_a_steady_flow_it_is_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is always one record more to read, what counts is whether those of a moment ago were read."""

    def one_more(self: Consumer, tp: Any) -> int:
        return len(self._records(tp)) + int(tp.topic == SCORES)

    monkeypatch.setattr(Consumer, "highwater", one_more)
    async with deployment(tmp_path, World(partitions=1)) as made:
        await buy(made, 0, 3)
        async with following(made) as one:
            await until(lambda: all_read(made))
            assert not one.caught_up
            await buy(made, 3, 1)
            await until(lambda: one.caught_up)
            assert one.lag == 1

"""The live feed tells every band change once, wherever a reader comes in, drops out and comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas.home import home
from stream.api import events, feed
from stream.api.events import EventStream, LiveFeed
from stream.api.feed import Offsets
from stream.api.routes.events import freshness
from tests.support.api import Deployment, deployment
from tests.support.world import START, touchpoint

CUSTOMERS = [f"c{number}" for number in range(12)]


class Told(NamedTuple):
    """One event as a client reads it."""

    name: str
    id: str
    data: Any


def read(text: bytes) -> list[Told]:
    """The events in what a stream sent."""
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and line[0] != ":")
        if fields:
            found.append(Told(fields["event"], fields["id"], json.loads(fields["data"])))
    return found


def live(made: Deployment, customer: str | None = None) -> LiveFeed:
    """A new reader."""
    partition = home(customer or "", made.world.partitions)
    return LiveFeed(
        made.feed, made.queries, made.describe, lambda: freshness(made.parts), customer, partition
    )


async def take(stream: AsyncGenerator[bytes], names: set[str], number: int) -> list[Told]:
    """The next so many events of these names."""
    found: list[Told] = []
    async with asyncio.timeout(10):
        while len(found) < number:
            found += [each for each in read(await anext(stream)) if each.name in names]
    return found


async def happen(
    made: Deployment, begin: int, number: int, customer: str | None = None
) -> list[str]:
    """Let customers buy; the ids of all band changes that were published, in the feed's order."""
    for count in range(begin, begin + number):
        who = customer or CUSTOMERS[count % len(CUSTOMERS)]
        made.world.wall = at = START + count * 40_000
        made.world.send(who, touchpoint(count, who, "purchase", at), at)
    await made.world.work()
    return [json.loads(row.body)["id"] for row in made.follow().moves]


def ids(told: list[Told]) -> list[str]:
    """The ids of the band changes told."""
    return [each.data["id"] for each in told]


@pytest.mark.parametrize("recent", [2_000, 3], ids=["from memory", "from the file"])
async def test_every_band_change_is_told_once(
    tmp_path: Path, recent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that is there gets all band changes in order, also one so slow that memory has lost them."""
    monkeypatch.setattr(feed, "_RECENT", recent)
    monkeypatch.setattr(events, "_AT_ONCE", 5)
    async with deployment(tmp_path) as made, aclosing(live(made).run(whole=True)) as stream:
        assert [each.name for each in read(await anext(stream))] == ["hello"]
        published = await happen(made, 0, 30) + await happen(made, 30, 30)

        told = await take(stream, {"band-change"}, len(published))

        assert len(published) > 30
        assert ids(told) == published


async def test_a_reader_resumes_after_every_event(tmp_path: Path) -> None:
    """Whichever event was the last one seen, the next stream tells exactly those that came after it."""
    async with deployment(tmp_path) as made:
        async with aclosing(live(made).run(whole=True)) as stream:
            published = await happen(made, 0, 40)
            told = await take(stream, {"hello", "band-change"}, len(published) + 1)
        for number, seen in enumerate(told):
            again = live(made)
            assert await again.resume(seen.id, caught_up=True)
            rest = len(published) - number
            async with aclosing(again.run(whole=True)) as stream:
                assert ids(await take(stream, {"band-change"}, rest)) == published[number:]


async def test_a_reader_resumes_at_an_api_with_a_new_view(tmp_path: Path) -> None:
    """Event ids are the topics' own offsets: a view that was made anew goes on where the old one was."""
    (tmp_path / "other").mkdir()
    async with deployment(tmp_path) as made:
        async with aclosing(live(made).run(whole=True)) as stream:
            first = await happen(made, 0, 20)
            last = (await take(stream, {"band-change"}, len(first)))[-1]
        async with deployment(tmp_path / "other", made.world) as other:
            second = set(await happen(other, 20, 20)) - set(first)
            again = live(other)
            assert await again.resume(last.id, caught_up=True)
            async with aclosing(again.run(whole=True)) as stream:
                assert set(ids(await take(stream, {"band-change"}, len(second)))) == second


async def test_the_latest_band_changes_come_first_where_asked_for(tmp_path: Path) -> None:
    """A page that has just been opened gets the last few moves, and can resume from any of them."""
    async with deployment(tmp_path) as made:
        published = await happen(made, 0, 40)
        opened = live(made)
        await opened.go_back(10)
        async with aclosing(opened.run(whole=True)) as stream:
            told = await take(stream, {"band-change"}, 10)
        assert ids(told) == published[-10:]

        again = live(made)
        assert await again.resume(told[3].id, caught_up=True)
        async with aclosing(again.run(whole=True)) as stream:
            assert ids(await take(stream, {"band-change"}, 6)) == published[-6:]


async def test_a_customers_scores_are_told_to_who_asks_for_them(tmp_path: Path) -> None:
    """With a customer, its scores come too, each once, and resume goes on after the last."""
    async with deployment(tmp_path) as made:
        async with aclosing(live(made, "c1").run(whole=True)) as stream:
            await anext(stream)
            await happen(made, 0, 5, "c1")
            await happen(made, 5, 7, "c2")
            told = await take(stream, {"score"}, 5)
        at = [each.data["decided_at"] for each in told]
        assert {each.data["customer_id"] for each in told} == {"c1"}
        assert len(set(at)) == 5
        assert {score["outcome"] for score in told[0].data["scores"]} == {
            "purchase",
            "coupon",
            "churn",
        }

        again = live(made, "c1")
        assert await again.resume(told[2].id, caught_up=True)
        async with aclosing(again.run(whole=True)) as stream:
            assert [each.data["decided_at"] for each in await take(stream, {"score"}, 2)] == at[3:]


async def test_what_is_not_kept_any_more_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who comes back too late is told so first, and then gets what there is."""
    monkeypatch.setattr("stream.api.view.KEPT_FEED", 10)
    async with deployment(tmp_path) as made:
        early = str(made.feed.offsets)
        for begin in range(0, 60, 5):
            await happen(made, begin, 5)
        again = live(made)
        whole = await again.resume(early, caught_up=True)
        async with aclosing(again.run(whole=whole)) as stream:
            assert not whole
            assert read(await anext(stream))[0].name == "reset"
            assert (await take(stream, {"band-change"}, 10))[-1].data["id"]


@pytest.mark.parametrize(
    "told",
    [
        "",
        "17",
        "b:1;s:1",
        "b:1,x,3,4;s:1,2,3,4",
        "b:-1,2,3,4;s:1,2,3,4",
        "b:1,2,3,4",
        "b:9,9,9,9;s:9,9,9,9",
    ],
)
async def test_an_id_of_other_topics_is_not_resumed(tmp_path: Path, told: str) -> None:
    """An id that these topics cannot have made is answered with a reset, never with a guess."""
    async with deployment(tmp_path) as made:
        assert not await live(made).resume(told, caught_up=True)


async def test_an_id_ahead_of_a_view_that_catches_up_is_waited_for(tmp_path: Path) -> None:
    """While the view is behind, an id beyond it is no other topic's: nothing is told twice."""
    async with deployment(tmp_path) as made:
        again = live(made)
        assert await again.resume("b:1000,1000,1000,1000;s:0,0,0,0", caught_up=False)
        async with aclosing(again.run(whole=True)) as stream:
            await anext(stream)
            await happen(made, 0, 20)
            made.feed.close()
            assert [each async for part in stream for each in read(part)] == []


async def test_offsets_are_read_as_they_were_written() -> None:
    """An event's id is the offsets of all partitions, and back."""
    offsets = Offsets([12, 7, 0], [44, 3, 9])
    assert str(offsets) == "b:12,7,0;s:44,3,9"
    read_back = Offsets.parse(str(offsets), 3)
    assert read_back is not None
    assert (read_back.moves, read_back.scores) == ([12, 7, 0], [44, 3, 9])
    assert Offsets.parse(str(offsets), 4) is None


async def test_other_topics_under_a_reader_are_said(tmp_path: Path) -> None:
    """When the view is made anew from other topics, whoever reads is told, and goes on with the new ones."""
    async with deployment(tmp_path) as made, aclosing(live(made).run(whole=True)) as stream:
        await anext(stream)
        await happen(made, 0, 12)
        await take(stream, {"band-change"}, 12)
        made.view.rebuild()
        made.feed.reset()
        (told,) = await take(stream, {"reset"}, 1)
        assert told.id == "b:0,0,0,0;s:0,0,0,0"


async def test_hello_tells_how_fresh_everything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first event and every heartbeat say whether Kafka, Redis, view and workers are up to date."""
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    async with deployment(tmp_path) as made, aclosing(live(made).run(whole=True)) as stream:
        await made.watch.look()
        (first,) = read(await anext(stream))
        made.broker.down = True
        await made.watch.look()
        beat = await anext(stream)

        assert (first.data["kafka"], first.data["redis"], first.data["caught_up"]) == (
            True,
            True,
            True,
        )
        assert first.data["stalled"] == []
        assert beat.startswith(b": ")
        assert read(beat)[0].data["kafka"] is False


async def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose other end takes nothing ends by itself, and its place is given free."""
    monkeypatch.setattr(events, "_SEND_SECONDS", 0.01)
    freed = asyncio.Event()

    async def parts() -> AsyncGenerator[bytes]:
        while True:
            yield b"data: x\n\n"

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async with asyncio.timeout(10):
        await EventStream(parts(), freed.set)({}, receive, send)

    assert freed.is_set()

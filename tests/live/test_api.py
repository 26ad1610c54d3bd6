"""The API on real Kafka and Redis: from a touchpoint over HTTP to the feed, through every interruption."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka.admin import NewPartitions

from stream.broker import client, deadletters
from stream.broker.topics import Topics
from stream.embedded.ports import free_port
from stream.embedded.redis import EmbeddedRedis
from stream.errors import BrokerError, SettingsError, StoreError
from stream.partition.outputs import BAND_CHANGES
from stream.settings import ApiSettings
from tests.engines import MakeSettings, environment
from tests.support.live import Space, space
from tests.support.serving import Told, events, go_live, metric, ready, serving, until
from tests.support.shop import touches
from tests.support.world import iso, touchpoint

pytestmark = pytest.mark.timeout(120)
HISTORY = 2_000


def now(number: int, customer: str, kind: str = "purchase", **more: Any) -> dict[str, Any]:
    """A touchpoint that happens now."""
    return json.loads(touchpoint(number, customer, kind, time.time())) | more  # type: ignore[no-any-return]


async def post(http: httpx2.AsyncClient, body: Any) -> httpx2.Response:
    """Send touchpoints."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await http.post(
        "/v1/touchpoints", content=content, headers={"content-type": "application/json"}
    )


async def published(at: Space) -> Counter[str]:
    """How often each band change's id is in the topic."""
    return Counter(json.loads(record.value or b"")["id"] for record in await at.read(BAND_CHANGES))


async def test_from_a_request_to_the_feed_and_the_card(live_settings: MakeSettings) -> None:
    """A touchpoint over HTTP changes a band, which the feed tells with its cause; score, history and lists agree."""
    settings = await live_settings(partitions=1)
    await go_live(settings)
    async with (
        space(settings) as at,
        at.worker(),
        serving(settings) as address,
        httpx2.AsyncClient(base_url=address) as http,
        aclosing(events(http)) as feed,
    ):
        await ready(http)
        await metric(http, 'bandshift_partition_live{partition="0"} 1.0')
        assert (await anext(feed)).name == "hello"
        assert (await http.get("/v1/customers/anna")).status_code == 404

        answer = await post(http, [now(1, "anna"), now(2, "anna", "dance")])
        told = [await anext(feed) for _ in range(3)]

        assert answer.status_code == 202
        assert answer.headers["bandshift-clock"] == "live"
        assert answer.json()["accepted"] == ["e1"]
        assert {each.name for each in told} == {"band-change"}
        assert {each.data["data"]["touchpoint"]["event_id"] for each in told} == {"e1"}
        bands = {each.data["data"]["outcome"]: each.data["data"]["to"] for each in told}
        customer = (await http.get("/v1/customers/anna")).json()
        assert {each["outcome"]: each["band"] for each in customer["outcomes"]} == bands
        assert customer["live"] is True
        history = (await http.get("/v1/customers/anna/bands")).json()["changes"]
        assert {each["outcome"]: each["to"] for each in history} == bands
        path = f"/v1/bands/churn/{bands['churn'].replace(' ', '-')}"
        (member,) = (await http.get(path)).json()["customers"]
        assert (member["customer_id"], member["from"]) == ("anna", "unscored")
        metrics = (await http.get("/metrics")).text
        for name in ("publish", "read"):
            assert f"bandshift_band_change_{name}_seconds_count 3.0" in metrics
        assert not re.search(r"\banna\b", metrics)


async def _read_with_interruptions(
    http: httpx2.AsyncClient, told: list[Told], done: asyncio.Event
) -> None:
    """Follow the feed, cut it off again and again, and go on after the last event seen."""
    last, cut = "", 1
    while not done.is_set():
        try:
            async with aclosing(events(http, last, "" if last else "recent=500")) as feed:
                number = 0
                async for each in feed:
                    last = each.id
                    number += each.name == "band-change"
                    assert each.name != "reset"
                    if each.name == "band-change":
                        told.append(each)
                    if number >= cut:
                        break
            cut = cut * 3 % 101  # after 1 event, after 3, 9, 27, 81, 41, ...
        except httpx2.HTTPError:
            if done.is_set():
                return
            await asyncio.sleep(0.05)  # the API is being started again


@asynccontextmanager
async def _reading(address: str) -> AsyncIterator[list[Told]]:
    """What a reader with interruptions has been told so far."""
    told: list[Told] = []
    done = asyncio.Event()
    async with httpx2.AsyncClient(base_url=address) as http:
        task = asyncio.create_task(_read_with_interruptions(http, told, done))
        yield told
        done.set()
        await task


async def test_the_feed_loses_and_repeats_nothing(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """Cut off dozens of times, through two starts of the API, one of them with a new view: every band change once."""
    log = touches(HISTORY)
    port = free_port()
    settings = await live_settings(
        partitions=3, api={"port": port, "view": tmp_path / "view.sqlite3"}
    )
    other = settings.model_copy(
        update={"api": ApiSettings(port=port, view=tmp_path / "new.sqlite3")}
    )
    address = f"http://127.0.0.1:{port}"
    expected: Counter[str] = Counter()
    async with space(settings) as at, at.worker(), _reading(address) as told:
        records = after = 0
        for chosen, part in (
            (settings, log[:300]),
            (settings, log[300:1_000]),
            (other, log[1_000:]),
        ):
            async with serving(chosen), httpx2.AsyncClient(base_url=address) as http:
                await ready(http)
                records += await at.produce(part, after=after, last=part[-1] == log[-1])
                after = part[-1].at
                await at.taken_in(records)
                if chosen is other:
                    expected = await published(at)

                    async def complete(number: int = len(expected)) -> bool:
                        return len(told) >= number

                    await until(complete)
                    await asyncio.sleep(0.3)  # for what must not come
    assert len(expected) > 1_000
    assert Counter(each.data["id"] for each in told) == Counter(dict.fromkeys(expected, 1))
    places = [each.data["data"]["position"] for each in told]
    for partition in range(3):
        offsets = [place["offset"] for place in places if place["partition"] == partition]
        assert offsets == sorted(offsets), "in the order of each partition"


POISON = [
    b"\xff\xfe", b"{", b'"text"', b"{}", b'{"customer_id": 7}',
    json.dumps(now(1, "p", "dance")).encode(),
    json.dumps(now(2, "p", occurred_at="2026-01-31T09:30:00")).encode(),
    json.dumps(now(3, "p", occurred_at=iso(time.time() + 4_000))).encode(),
    json.dumps(now(4, "p", occurred_at="2001-01-31T09:30:00Z")).encode(),
    json.dumps(now(5, "p", value=float("nan"))).encode(),
    json.dumps(now(6, "")).encode(),
    json.dumps(now(7, "x" * 257)).encode(),
    json.dumps(now(8, "a\nb")).encode(),
    json.dumps(now(9, "p", attributes={"x": "y" * 70_000})).encode(),
    json.dumps(now(10, "p"))[:-1].encode() + b', "attributes": {"a": ' + b"[" * 1_000 + b"]" * 1_000 + b"}}",
]  # fmt: skip


async def _bury(at: Space) -> list[str]:
    """Write the poison to Kafka itself; the reasons of the dead letters, in order."""
    async with client.producer(at.settings.kafka) as producer:
        for value in POISON:
            await producer.send_and_wait(at.topics.touchpoints, value, b"p", partition=0)
    found: list[str] = []
    async with asyncio.timeout(30):
        while len(found) < len(POISON):
            dead = [
                deadletters.read(each.key, each.value, each.headers)
                for each in await at.read("touchpoints-dlq")
            ]
            found = [each.reason for each in dead if each is not None]
    return found


async def test_poison_is_told_with_the_codes_of_the_dead_letters(
    live_settings: MakeSettings,
) -> None:
    """What the worker would bury, the intake rejects with the same code; neither stops, and the counts reconcile."""
    settings = await live_settings(partitions=1)
    await go_live(settings)
    async with (
        space(settings) as at,
        at.worker(),
        serving(settings) as address,
        httpx2.AsyncClient(base_url=address) as http,
    ):
        await ready(http)
        reasons = []
        for value in POISON:
            body = (await post(http, value)).json()
            problem = body if "reason" in body else body["rejected"][0]["problem"]
            reasons.append(problem["reason"])
        sent = await at.read("touchpoints")
        assert {each.value for each in sent} == {None}, "control records; nothing bad was sent on"
        assert reasons == await _bury(at)
        assert (await post(http, now(20, "anna"))).status_code == 202
        counts = await at.taken_in(len(sent) + len(POISON) + 1)
        assert counts["in"] == counts["scored"] + counts["rejected"] + counts["control"]
        assert (counts["scored"], counts["rejected"]) == (1, len(POISON))


async def test_a_topic_made_anew_makes_the_view_anew(live_settings: MakeSettings) -> None:
    """A view made from topics that are gone is noticed at the start, and none of it is shown."""
    settings = await live_settings(partitions=1)
    async with space(settings) as at:
        kept = [b"\x00not one of ours", b"{}"]
        async with client.producer(settings.kafka) as producer:
            for value in kept:
                await producer.send_and_wait(at.topics.band_changes, value, b"x", partition=0)
        async with serving(settings) as address, httpx2.AsyncClient(base_url=address) as http:
            await ready(http)
        async with client.admin(settings.kafka) as admin:
            await admin.delete_topics([at.topics.band_changes])
        again = await live_settings(partitions=1, namespace=settings.namespace)
        async with client.producer(settings.kafka) as producer:
            for value in (b"other", b"records", b"more than there were"):
                await producer.send_and_wait(at.topics.band_changes, value, b"x", partition=0)
        async with serving(again) as address, httpx2.AsyncClient(base_url=address) as http:
            await ready(http)
            metrics = (await http.get("/metrics")).text
    assert "bandshift_view_unreadable_records_total 3.0" in metrics, (
        "all three were read, none was skipped"
    )


async def test_a_dead_redis_is_said_and_survived(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """Without Redis a customer is a problem of status 503, lists still answer, and its return mends everything."""
    with EmbeddedRedis(tmp_path / "redis") as own:
        settings = await live_settings(partitions=1, redis={"url": own.url, "timeout_seconds": 1})
        async with space(settings) as at:
            async with at.worker():
                await at.taken_in(await at.produce(touches(50)))
            async with (
                serving(settings) as address,
                httpx2.AsyncClient(base_url=address, timeout=30) as http,
            ):
                await ready(http)
                customer = touches(1)[0].customer
                assert (await http.get(f"/v1/customers/{customer}")).status_code == 200
                own.kill()
                answer = await http.get(f"/v1/customers/{customer}")
                assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
                assert own.password not in answer.text
                await metric(http, "bandshift_redis_up 0.0")
                checks = (await http.get("/readyz")).json()["checks"]
                assert [each["name"] for each in checks if not each["ok"]] == ["redis"]
                assert (await http.get(f"/v1/customers/{customer}/bands")).json()["changes"]
                own.start()
                await ready(http)
                assert (await http.get(f"/v1/customers/{customer}")).status_code == 200


async def test_other_addresses_need_a_token(live_settings: MakeSettings, tmp_path: Path) -> None:
    """On an address that others reach it does not start without a token, and answers nobody who lacks it."""
    api = {"host": "0.0.0.0", "port": 0, "view": tmp_path / "view.sqlite3"}
    settings = await live_settings(partitions=1, api=api)
    with pytest.raises(SettingsError, match=r"api\.token"):
        async with serving(settings):
            pass
    settings = await live_settings(partitions=1, api=api | {"token": "a long random text"})
    async with serving(settings) as address:
        local = address.replace("0.0.0.0", "127.0.0.1")
        async with httpx2.AsyncClient(base_url=local) as http:
            assert (await http.get("/v1/outcomes")).status_code == 401
            assert (await http.get("/v1/events")).status_code == 401
            assert (await http.get("/livez")).status_code == 200
            headers = {"authorization": "Bearer a long random text"}
            assert (await http.get("/v1/outcomes", headers=headers)).status_code == 200


async def test_what_keeps_it_from_starting_is_one_sentence(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """A taken port, a view in use, missing topics, no Redis: each is an error that says so."""
    settings = await live_settings(partitions=1)
    async with serving(settings) as address:
        port = int(address.rpartition(":")[2])
        taken = {"port": port, "view": tmp_path / "other.sqlite3"}
        nowhere = {"url": "redis://127.0.0.1:1/0"}
        for wrong, error, words in (
            (await live_settings(partitions=1, api=taken), SettingsError, "expected an address"),
            (settings, SettingsError, "in use by another bandshift api"),
            (await live_settings(create=False), BrokerError, "it is missing"),
            (await live_settings(redis=nowhere), StoreError, "Redis: expected an answer"),
        ):
            with pytest.raises(error, match=words):
                async with serving(wrong):
                    pass


async def test_more_partitions_are_noticed(live_settings: MakeSettings) -> None:
    """When partitions are added customers' homes have moved: the API says so instead of looking in the wrong one."""
    settings = await live_settings(partitions=1)
    topics = Topics(settings.namespace)
    async with serving(settings) as address, httpx2.AsyncClient(base_url=address) as http:
        await ready(http)
        async with client.admin(settings.kafka) as admin:
            await admin.create_partitions({name: NewPartitions(2) for name in topics.declared()})

        async def noticed() -> bool:
            return "expected 1 partitions, now there are 2" in (await http.get("/readyz")).text

        await until(noticed)


async def test_it_runs_as_a_process_of_its_own(live_settings: MakeSettings, tmp_path: Path) -> None:
    """`bandshift api` says where it listens, answers there, and ends well when asked to."""
    settings = await live_settings(partitions=1)
    more = {"BANDSHIFT_API__PORT": "0", "BANDSHIFT_API__VIEW": str(tmp_path / "view.sqlite3")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream.cli", "api"),
        env=environment(settings) | more,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            said = (
                await process.stderr.readuntil(b"listening on ")
            ) + await process.stderr.readline()
        address = said.rpartition(b" ")[2].decode().strip()
        async with httpx2.AsyncClient(base_url=address) as http:
            await ready(http)
            async with aclosing(events(http)) as feed:
                assert (await anext(feed)).name == "hello"
                process.terminate()
                assert await asyncio.wait_for(process.wait(), 20) == 0, (
                    "an open feed holds up no end"
                )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_many_readers_share_one_feed(live_settings: MakeSettings) -> None:
    """Thirty open feeds all get every band change, and closing them leaves nothing behind."""
    settings = await live_settings(partitions=2)
    async with space(settings) as at, at.worker(), serving(settings) as address:
        limits = httpx2.Limits(max_connections=100)
        async with httpx2.AsyncClient(base_url=address, limits=limits) as http:
            await ready(http)

            async def follow(started: asyncio.Event, number: int) -> list[str]:
                found = []
                async with aclosing(events(http)) as feed:
                    async for each in feed:
                        started.set()
                        if each.name == "band-change":
                            found.append(each.data["id"])
                        if len(found) == number:
                            break
                return found

            log = touches(300)
            started = [asyncio.Event() for _ in range(30)]
            readers = [asyncio.create_task(follow(each, 100)) for each in started]
            await asyncio.gather(*(each.wait() for each in started))
            await at.taken_in(await at.produce(log))
            found = await asyncio.wait_for(asyncio.gather(*readers), 30)
            assert len({tuple(each) for each in found}) == 1
            assert len(set(found[0])) == 100
            await metric(http, "bandshift_sse_clients 0.0")

"""`bandshift rebuild`: a log copied into a new namespace gives the same states there, on real Kafka and Redis."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions

from schemas.home import home
from stream import app
from stream.broker import client, golive
from stream.broker.topics import Topics
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.snapshot import encode_snapshot
from stream.partition.control import CONTROL, ORIGIN, Kind
from stream.pipeline import MODEL
from stream.settings import Settings
from tests.engines import MakeSettings
from tests.support.command import Cli, ended
from tests.support.learned import random_snapshot
from tests.support.live import Space, space
from tests.support.shop import touches
from tests.support.world import TICK_SECONDS, touchpoint

pytestmark = pytest.mark.timeout(120)
LOG = touches(800)
LAST = LOG[-1][0]
WRONG = 20
VERSION = 5


def named(settings: Settings, namespace: str, partitions: int) -> Settings:
    """The same deployment, another namespace."""
    kafka = settings.kafka.model_copy(update={"partitions": partitions})
    return settings.model_copy(update={"namespace": namespace, "kafka": kafka})


@asynccontextmanager
async def worked(settings: Settings, records: int) -> AsyncIterator[Space]:
    """A namespace after its workers have taken in so many records."""
    async with space(settings) as at:
        async with at.worker():
            await at.taken_in(records)
        yield at


async def misrouted(at: Space) -> int:
    """Touchpoints that arrive at the wrong partition, and a tick after them; how many records that makes."""
    signer = app.signer(at.settings, at.topics)
    async with client.producer(at.settings.kafka) as producer:
        for number in range(WRONG):
            customer = LOG[number][1]
            value = touchpoint(number, customer, "purchase", LAST + number)
            wrong = (home(customer, at.partitions) + 1) % at.partitions
            await (await at._send(producer, wrong, customer.encode(), value, (), LAST + number))
        for number in range(at.partitions):
            tick, headers = signer.control(number, Kind.TICK)
            at_end = LAST + 3 * TICK_SECONDS
            await (await at._send(producer, number, b"", tick, headers, at_end))
    return 2 * WRONG + at.partitions  # each is there twice: as it came, and forwarded


async def test_a_copy_has_the_same_digest(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Real touchpoints, some of which arrived elsewhere, after the topic was given more partitions: nothing is lost or twice."""
    settings = await live_settings(partitions=3)
    async with space(settings) as old:
        records = await old.produce(LOG) + await misrouted(old)
        async with old.worker():
            counts = await old.taken_in(records)
        digest, values = await old.digest(), await old.read("touchpoints")
    assert counts["forwarded"] == WRONG
    name, cli = f"{settings.namespace}-next", Cli(settings, tmp_path)
    async with client.admin(settings.kafka) as admin:
        topic = Topics(settings.namespace).touchpoints
        await admin.create_partitions({topic: NewPartitions(5)})
    told = cli.data("rebuild", "--namespace", name)
    assert (told["misrouted"], told["forwards"], told["missing"]) == (WRONG, WRONG, 0)
    async with space(named(settings, name, 5)) as new:
        copied = await new.read("touchpoints")
        async with new.worker():
            found = await new.taken_in(len(copied))
        assert await new.digest() == digest
    assert found["scored"] == counts["scored"]
    assert "forwarded" not in found
    assert all(ORIGIN not in dict(each.headers) for each in copied)
    assert {each.value for each in copied} == {each.value for each in values}
    assert "expected an empty topic" in cli.refused("rebuild", "--namespace", name)


async def test_models_come_along(live_settings: MakeSettings, tmp_path: Path) -> None:
    """The same version decides from the same record on; left out, nobody waits for it."""
    settings = await live_settings(partitions=2, learning={"enabled": True})
    vectorizer = Vectorizer(Layout(settings.registry))
    published = [
        encode_snapshot(random_snapshot(outcome, vectorizer, VERSION, VERSION))
        for outcome in settings.outcomes
    ]
    quiet = settings.model_copy(
        update={"learning": settings.learning.model_copy(update={"enabled": False})}
    )
    half = len(LOG) // 2
    async with space(quiet) as at:
        async with client.producer(settings.kafka) as producer:
            for outcome, snapshot in zip(settings.outcomes, published, strict=True):
                topic, where = at.topics.model_snapshots, home(outcome.name, 2)
                await producer.send_and_wait(topic, snapshot, outcome.name.encode(), where)
        records = await at.produce(LOG[:half], last=False)
        signer = app.signer(settings, at.topics)
        async with client.producer(settings.kafka) as producer:
            for number in range(2):
                for outcome in settings.outcomes:
                    adopted = golive.Adopted(f"{MODEL}{outcome.name}", VERSION)
                    await golive._append(
                        producer, at.topics, signer, number, Kind.ADOPT, adopted, at=0
                    )
                    records += 1
        records += await at.produce(LOG[half:], after=LOG[half - 1][0])
    async with worked(settings, records) as old:
        digest = await old.digest()
    cli, next_one = Cli(settings, tmp_path), f"{settings.namespace}-next"
    said = cli.call("rebuild", "--namespace", next_one).stdout
    assert "3 records of models copied" in said
    assert f"bandshift learner --namespace {next_one}" in said
    async with worked(named(settings, next_one, 2), records) as new:
        assert await new.digest() == digest
        assert [each.value for each in await new.read("model-snapshots")]
        versions = {
            each["model_version"] for body in await new.bodies("scores") for each in body["scores"]
        }
        assert versions == {0, VERSION}
    anew = f"{settings.namespace}-anew"
    assert "models left out" in cli.call("rebuild", "--namespace", anew, "--relearn").stdout
    async with space(named(settings, anew, 2)) as new:
        assert not [
            each for each in await new.read("touchpoints") if MODEL.encode() in (each.value or b"")
        ]
        assert not await new.read("model-snapshots")


async def test_it_follows_until_told_to_stop(live_settings: MakeSettings, tmp_path: Path) -> None:
    """What comes after it has caught up is copied too; SIGTERM ends it well."""
    settings = await live_settings(partitions=2)
    name = f"{settings.namespace}-next"
    async with space(settings) as old, space(named(settings, name, 2)) as new:
        await old.produce(LOG[:500])
        with Cli(settings, tmp_path).started("rebuild", "--namespace", name, "--follow") as process:
            assert process.stderr is not None
            while "has caught up" not in (line := process.stderr.readline()):
                assert line, "it ended before it had caught up"
            await old.send("late", touchpoint(9, "late", "purchase", LAST), LAST)
            ended(process, signal.SIGTERM, 0)
        copied = [each for each in await new.read("touchpoints") if not _is_control(each.headers)]
        assert len(copied) == 501
        assert sum(each.key == b"late" for each in copied) == 1


def _is_control(headers: tuple[tuple[str, bytes | None], ...]) -> bool:
    return CONTROL in dict(headers)

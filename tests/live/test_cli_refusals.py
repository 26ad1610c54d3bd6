"""What must not be worked with is refused: one clear line, exit status not 0, no traceback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from stream import app
from stream.broker import client
from stream.broker.topics import Topics
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.ports import free_port
from stream.embedded.redis import EmbeddedRedis
from stream.errors import LogLostError
from stream.partition.ledger import Ledger, Position, encode_ledger
from stream.settings import RedisSettings, Settings
from stream.store.connect import connect
from stream.store.port import Write
from tests.engines import MakeSettings
from tests.support.command import Cli
from tests.support.live import space
from tests.support.shop import touches

pytestmark = pytest.mark.timeout(200)


def check(cli: Cli, expected: str, hint: str) -> None:
    """A worker and the doctor say the same one line, and what to do about it."""
    done = cli.call("worker", status=1)
    line, told = done.stderr.splitlines()
    assert line.startswith("bandshift: ")
    assert expected in line
    assert hint in told
    assert done.stdout == ""
    lines = cli.call("doctor", status=1).stdout.splitlines()
    (wrong,) = [number for number, text in enumerate(lines) if text.startswith("wrong")]
    assert expected in lines[wrong]
    assert hint in lines[wrong + 1]
    assert lines[-1] == "1 thing is wrong"


async def test_kafka_down(live_settings: MakeSettings, tmp_path: Path) -> None:
    """A Kafka that does not answer is named with its address."""
    nowhere = f"127.0.0.1:{free_port()}"
    cli = Cli(await live_settings(), tmp_path, {"BANDSHIFT_KAFKA__BOOTSTRAP": nowhere})

    check(cli, f"Kafka at {nowhere}: expected an answer", "start Kafka")
    for command in (["topics"], ["live"], ["tail"], ["digest"], ["dlq", "list"], ["score", "ann"]):
        assert f"Kafka at {nowhere}: expected an answer" in cli.refused(*command)


async def test_redis_down(live_settings: MakeSettings, tmp_path: Path) -> None:
    """A Redis that does not answer is named with its address, without its password."""
    port = free_port()
    url = f"redis://:geheim@127.0.0.1:{port}/0"
    cli = Cli(await live_settings(), tmp_path, {"BANDSHIFT_REDIS__URL": url})

    check(cli, f"Redis at redis://127.0.0.1:{port}/0: expected an answer", "start Redis")
    for command in (["digest"], ["score", "ann"]):
        assert "Redis: expected an answer" in cli.refused(*command)


async def test_a_wrong_password(
    live_settings: MakeSettings, kafka: EmbeddedKafka, redis: EmbeddedRedis, tmp_path: Path
) -> None:
    """A refused login is told as such, and no password is shown."""
    settings = await live_settings()
    url = f"redis://:geheim@127.0.0.1:{redis.port}/0"
    check(Cli(settings, tmp_path, {"BANDSHIFT_REDIS__URL": url}), "AuthenticationError", "password")

    login = {"BANDSHIFT_KAFKA__PASSWORD": "geheim"}
    check(Cli(settings, tmp_path, login), f"Kafka at {kafka.bootstrap}", "__PASSWORD")


async def test_a_redis_that_evicts(live_settings: MakeSettings, tmp_path: Path) -> None:
    """A Redis that may forget customers when it is full is refused."""
    settings = await live_settings()
    with EmbeddedRedis(tmp_path / "redis", policy="allkeys-lru") as evicting:
        cli = Cli(settings, tmp_path, {"BANDSHIFT_REDIS__URL": evicting.url})
        check(cli, "expected maxmemory-policy noeviction, got allkeys-lru", "redis-cli config set")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("BANDSHIFT_WORKER__STEP_RECORDS", "some", "worker.step_records: "),
        ("BANDSHIFT_KAFKA__BOOTSRAP", "localhost", "kafka.bootsrap: "),
        ("BANDSHIFT_RULES", '[{"name":"r","outcome":"fame","band":"high"}]', "rules.r.outcome: "),
        ("BANDSHIFT_CONFIG", "/nowhere/bandshift.toml", "expected a readable file"),
    ],
)
async def test_wrong_settings(
    name: str, value: str, expected: str, live_settings: MakeSettings, tmp_path: Path
) -> None:
    """A wrong setting is named with what was expected, before anything is connected to."""
    cli = Cli(await live_settings(create=False), tmp_path, {name: value})

    for command in ("worker", "doctor"):
        assert expected in cli.refused(command)


async def test_no_control_key(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Without the key that signs control records nobody works."""
    cli = Cli(await live_settings(), tmp_path, missing=("BANDSHIFT_CONTROL__KEY",))

    check(cli, "control.key: expected a secret", "BANDSHIFT_CONTROL__KEY")


async def test_missing_topics(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Topics that are not there are named, with the command that makes them."""
    cli = Cli(await live_settings(create=False), tmp_path)

    check(
        cli, f"expected the topic {cli.settings.namespace}.touchpoints", "bandshift topics --create"
    )


async def test_a_changed_partition_count(live_settings: MakeSettings, tmp_path: Path) -> None:
    """States made with another number of partitions stop everybody: customers' homes have moved."""
    settings = await live_settings(partitions=2)
    await _pretend_states(settings)
    cli = Cli(settings, tmp_path)
    async with client.admin(settings.kafka) as admin:
        topics = Topics(settings.namespace)
        await admin.create_partitions({topics.touchpoints: NewPartitions(3)})
        while not await _has(settings, topics.touchpoints, 3):
            pass
        check(cli, "expected 3 partitions in", "same number of partitions")

        others = [name for name in topics.declared() if name != topics.touchpoints]
        await admin.create_partitions({name: NewPartitions(3) for name in others})
        for name in others:
            while not await _has(settings, name, 3):
                pass
    check(cli, "the states were made with 2 partitions, now there are 3", "bandshift rebuild")


async def _has(settings: Settings, topic: str, partitions: int) -> bool:
    """Whether the broker shows so many partitions."""
    async with client.admin(settings.kafka) as admin:
        (found,) = await admin.describe_topics([topic])
        return len(found["partitions"]) == partitions


async def _pretend_states(settings: Settings) -> None:
    """What a worker leaves in the store after its first step, here with 2 partitions."""
    store = connect(settings)
    try:
        await store.claim(0, "claim")
        ledger = encode_ledger(Ledger(partitions=2))
        await store.apply(0, "claim", None, Write(Position(0), ledger, b"", ()))
    finally:
        await store.close()


async def test_a_topic_with_other_settings(live_settings: MakeSettings, tmp_path: Path) -> None:
    """A topic that would forget its log is told; --repair sets it right and keeps an operator's own settings."""
    settings = await live_settings(partitions=1)
    cli = Cli(settings, tmp_path)
    name = Topics(settings.namespace).touchpoints
    week = {"retention.ms": "604800000", "min.insync.replicas": "1"}
    async with client.admin(settings.kafka) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, week)])

    assert name in cli.refused("topics")
    report = cli.data("doctor")
    warnings = [each["text"] for each in report["findings"] if each["check"] == "topic settings"]
    assert len(warnings) == 1
    assert "expected retention.ms=-1 (it is 604800000)" in warnings[0]

    cli.call("topics", "--repair")
    assert "retention.ms=-1" in cli.told("topics")
    async with client.admin(settings.kafka) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        (answer,) = await admin.describe_configs([resource])
        own = {entry[0]: entry[1] for entry in answer.resources[0][4] if entry[3] == 1}
    assert own["min.insync.replicas"] == "1"


async def test_a_changed_partition_count_with_an_empty_redis(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """What stands beside the committed offsets tells that the topic was enlarged, where no states are left to."""
    settings = await live_settings(partitions=2)
    async with space(settings) as at:
        records = await at.produce(touches(50))
        async with at.worker():
            await at.taken_in(records)
    async with client.admin(settings.kafka) as admin:
        topics = Topics(settings.namespace)
        await admin.create_partitions({name: NewPartitions(3) for name in topics.declared()})
        for name in topics.declared():
            while not await _has(settings, name, 3):
                pass
    emptied = settings.model_copy(update={"redis": RedisSettings(url=_elsewhere(settings))})
    said = "it was read when it had 2 partitions, now there are 3"
    with pytest.raises(LogLostError, match=said):
        await app.run(emptied, asyncio.Event())
    check(Cli(emptied, tmp_path), said, "bandshift rebuild")


def _elsewhere(settings: Settings) -> SecretStr:
    """Another database of the same Redis, in which there is nothing."""
    url, _, _ = settings.redis.url.get_secret_value().rpartition("/")
    return SecretStr(f"{url}/7")

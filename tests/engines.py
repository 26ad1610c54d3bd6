"""Real Kafka and Redis for a whole test run, and settings for a namespace of each test's own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.broker import client, setup
from stream.broker.topics import Topics
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis
from stream.settings import Settings, load

MakeSettings = Callable[..., Awaitable[Settings]]
"""Makes settings of a fresh namespace with its topics created: `await make(partitions=4, rules=[...])`."""

CONTROL_KEY = "the control key of the tests"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """One Kafka for the whole run."""
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One Redis for the whole run."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(redis: EmbeddedRedis) -> str:
    """Where that Redis is, password included."""
    return redis.url


def connections(kafka: EmbeddedKafka, redis_url: str) -> dict[str, Any]:
    """The settings that lead to these engines."""
    return {
        "kafka": {
            "bootstrap": kafka.bootstrap,
            "security": "SASL_PLAINTEXT",
            "username": kafka.username,
            "password": kafka.password,
        },
        "redis": {"url": redis_url},
        "control": {"key": CONTROL_KEY},
    }


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a program of another process has the same connections and namespace."""
    kafka = settings.kafka
    found = {
        "BANDSHIFT_NAMESPACE": settings.namespace,
        "BANDSHIFT_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "BANDSHIFT_KAFKA__SECURITY": kafka.security,
        "BANDSHIFT_KAFKA__USERNAME": kafka.username or "",
        "BANDSHIFT_KAFKA__PASSWORD": kafka.password.get_secret_value() if kafka.password else "",
        "BANDSHIFT_KAFKA__PARTITIONS": str(kafka.partitions),
        "BANDSHIFT_REDIS__URL": settings.redis.url.get_secret_value(),
        "BANDSHIFT_CONTROL__KEY": CONTROL_KEY,
        "BANDSHIFT_LEARNING": settings.learning.model_dump_json(),
    }
    return {
        name: text for name, text in os.environ.items() if not name.startswith("BANDSHIFT_")
    } | found


@pytest.fixture
async def live_settings(kafka: EmbeddedKafka, redis_url: str, tmp_path: Path) -> MakeSettings:
    """A function that makes settings of a fresh namespace, its topics created.

    Nothing is learned there: a worker would wait for a learner. `learning={"enabled": True}` changes that.
    """

    async def make(*, partitions: int = 4, create: bool = True, **given: Any) -> Settings:
        values = connections(kafka, redis_url) | given
        values["kafka"] = values["kafka"] | {"partitions": partitions}
        values.setdefault("learning", {"enabled": False})
        values.setdefault("namespace", f"t{os.getpid()}-{next(_numbers)}")
        values.setdefault("api", {"port": 0, "view": tmp_path / "view.sqlite3"})
        settings = load(**values)
        if create:
            async with client.admin(settings.kafka) as admin:
                await setup.create(admin, Topics(settings.namespace), partitions, 1)
        return settings

    return make

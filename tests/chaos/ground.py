"""Kafka and Redis of a run's own, older copies of Redis' file, and the settings that lead there."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path
from typing import Final, NamedTuple

from redis.asyncio import Redis

from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis
from stream.settings import Settings, load
from tests.chaos.options import Options
from tests.engines import connections

_FILE: Final = "appendonly.aof"
_COPY_SECONDS: Final = 1.0
KEPT_SECONDS: Final = 320.0


class Copy(NamedTuple):
    """Redis' append-only file as it was: it only grows, so a hard link and a length are enough."""

    at: float
    link: Path
    size: int


class Ground:
    """The engines, and what may be done to them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kafka = EmbeddedKafka(directory / "kafka")
        self.redis = EmbeddedRedis(directory / "redis")
        self._copies: list[Copy] = []
        self._file = directory / "redis" / _FILE

    def start(self) -> None:
        """Both engines."""
        self.kafka.start()
        self.redis.start()

    def stop(self) -> None:
        """Both engines."""
        self.redis.kill()
        self.kafka.kill()

    def settings(self, options: Options) -> Settings:
        """Of the deployment itself: no namespace, so signatures hold in the tests' own world too."""
        values = connections(self.kafka, self.redis.url)
        values["kafka"] = values["kafka"] | {"partitions": options.partitions}
        if options.kafka_timeout is not None:
            values["kafka"]["timeout_seconds"] = options.kafka_timeout
        view = self.directory / "view.sqlite3"
        return load(**values, namespace="", api={"port": 0, "view": view})

    # -- Redis' file -----------------------------------------------------------------------------------------

    async def copy(self) -> None:
        """Keep older copies, until cancelled."""
        while True:
            self._note()
            await asyncio.sleep(_COPY_SECONDS)

    def _note(self) -> None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return
        link = self._file.with_name(f"copy-{found.st_ino}")
        if not link.exists():
            os.link(self._file, link)
        now = time.monotonic()
        self._copies.append(Copy(now, link, found.st_size))
        while self._copies[0].at < now - KEPT_SECONDS:
            old = self._copies.pop(0)
            if all(each.link != old.link for each in self._copies):
                old.link.unlink(missing_ok=True)

    def turn_redis_back(self, seconds: float) -> float:
        """Kill Redis and put its file back as it was; returns how old that is, in seconds."""
        now = time.monotonic()
        old = max(
            (each for each in self._copies if each.at <= now - seconds),
            key=lambda each: each.at,
            default=self._copies[0],
        )
        self.redis.kill()
        made = self._file.with_name("older")
        shutil.copyfile(old.link, made)
        os.truncate(made, old.size)
        made.replace(self._file)
        return now - old.at

    def lose_redis(self) -> None:
        """Kill Redis, and its file with it."""
        self.redis.kill()
        self._file.unlink(missing_ok=True)

    def client(self) -> Redis:
        """A client, to be closed."""
        return Redis.from_url(self.redis.url, socket_timeout=5)

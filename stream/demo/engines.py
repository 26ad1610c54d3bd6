"""The embedded Kafka and Redis of one run, started while the shop's log is read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from stream.embedded.files import Progress
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis
from stream.embedded.shop import ShopTouchpoint, touchpoints


class Ground(NamedTuple):
    """What a run stands on."""

    directory: Path
    kafka: EmbeddedKafka
    redis: EmbeddedRedis
    rows: list[ShopTouchpoint]
    prepared: float
    """Seconds that went into downloads and other things done once per machine."""


@contextmanager
def ground(directory: Path, progress: Progress) -> Iterator[Ground]:
    """Running engines whose data lie in `directory`, and the shop's log; EmbeddedError if they cannot be had."""
    first = last = 0.0

    def told(done: int, total: int, what: str, /) -> None:
        nonlocal first, last
        last = time.monotonic()
        first = first or last
        progress(done, total, what)

    with ThreadPoolExecutor(1) as aside:
        reading = aside.submit(lambda: list(touchpoints()))
        with (
            EmbeddedRedis(directory / "redis") as redis,
            EmbeddedKafka(directory / "kafka", progress=told) as kafka,
        ):
            yield Ground(directory, kafka, redis, reading.result(), last - first)

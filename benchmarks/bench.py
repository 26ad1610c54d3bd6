"""What every measurement has at hand: engines, cores, how much and how often, and somebody who is told."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.log import SEED
from benchmarks.machine import Cores
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis
from stream.settings import Settings, load

Told = Callable[[str], None]


@dataclass
class Bench:
    """The surroundings of all measurements."""

    connections: Mapping[str, Any]
    directory: Path
    """For what programs write besides: their logs, a Redis of its own."""
    cores: Cores = field(default_factory=Cores)
    events: int = 60_000
    customers: int = 5_000
    runs: int = 3
    seed: int = SEED
    flood_minutes: int = 10
    quick: bool = False
    """Smaller everywhere: to see that it works, not for the figures."""
    told: Told = lambda _: None
    """Told what is under way, again and again."""
    _what: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def tell(self, what: str) -> None:
        """Say what begins now."""
        self._what = what
        self.told(what)

    def far(self, done: int, total: int) -> None:
        """Say how far it is."""
        self.told(f"{self._what}: {done:,} of {total:,}")

    def settings(self, what: str, **given: Any) -> Settings:
        """Settings of a fresh namespace; nothing is learned there unless asked for."""
        values: dict[str, Any] = {"learning": {"enabled": False}} | dict(self.connections) | given
        return load(namespace=f"{what}-{next(self._numbers)}", **values)


def connections(kafka: EmbeddedKafka, redis: EmbeddedRedis) -> dict[str, Any]:
    """The settings that lead to embedded engines."""
    return {
        "kafka": {
            "bootstrap": kafka.bootstrap,
            "security": "SASL_PLAINTEXT",
            "username": kafka.username,
            "password": kafka.password,
        },
        "redis": {"url": redis.url},
        "control": {"key": "the control key of the benchmarks"},
    }

"""What a run is asked to do."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

WHERE: Final = Path("var/chaos")
ONCE_TIMEOUT: Final = 6.0
"""Seconds of a request to Kafka in a short run, which has no time to wait for the shipped 15."""


@dataclass(frozen=True)
class Options:
    """One run. The same seed and settings inject the same faults in the same order."""

    seed: int = 1
    minutes: float = 10.0
    once: bool = False
    """Every kind of fault once."""
    workers: int = 3
    partitions: int = 6
    rate: float = 100.0
    """Touchpoints a second."""
    worker_kills: int | None = None
    kafka_losses: int | None = None
    redis_losses: int | None = None
    rebuilds: int | None = None
    only: tuple[str, ...] = ()
    """Kinds of fault, in this order, instead of all of them by chance."""
    session_seconds: float | None = None
    """None: as shipped, and so for the two below."""
    kafka_timeout: float | None = None
    delivery: str | None = None
    page: Path | None = None
    """Where the report is written into, between its marks."""
    directory: Path = WHERE

    @property
    def counted(self) -> bool:
        """Whether it says how many faults there are to be, instead of how long they go on."""
        counts = self.worker_kills, self.kafka_losses, self.redis_losses, self.rebuilds
        return self.once or bool(self.only) or any(each is not None for each in counts)

    def environment(self) -> dict[str, str]:
        """Settings of the programs that differ from the shipped ones, as environment variables."""
        found = {
            "BANDSHIFT_WORKER__SESSION_SECONDS": self.session_seconds,
            "BANDSHIFT_KAFKA__TIMEOUT_SECONDS": self.kafka_timeout,
            "BANDSHIFT_WORKER__DELIVERY": self.delivery,
        }
        return {name: str(value) for name, value in found.items() if value is not None}


def parse(arguments: list[str] | None = None) -> Options:
    """The options of a command line."""
    parser = argparse.ArgumentParser(
        "python -m tests.chaos",
        description="Break real Kafka, Redis, workers and learner; then compare with an undisturbed run.",
    )
    say = parser.add_argument
    say("--seed", type=int, default=1, help="decides which faults, when and how (1)")
    say("--minutes", type=float, default=10.0, help="for how long, without counts (10)")
    say("--once", action="store_true", help="every kind of fault once, in about three minutes")
    say("--workers", type=int, default=3)
    say("--partitions", type=int, default=6)
    say("--rate", type=float, default=100.0, help="touchpoints a second (100)")
    say("--worker-kills", type=int, help="so many, instead of for so long")
    say("--kafka-losses", type=int, help="kills and pauses of Kafka")
    say("--redis-losses", type=int, help="kills, stalls and older copies of Redis")
    say("--rebuilds", type=int, help="so many times Redis is emptied once all is in, and timed")
    say("--only", type=lambda text: tuple(text.split(",")), default=(), metavar="KIND,...")
    say("--session-seconds", type=float, help="the group's session time-out (as shipped)")
    say("--kafka-timeout", type=float, help="a request's time-out, in seconds (as shipped)")
    say("--delivery", help="at_least_once or exactly_once (as shipped)")
    say("--page", type=Path, help="write the report into this page, between its marks")
    say("--directory", type=Path, default=WHERE, help="for data, logs and results (var/chaos)")
    found = Options(**vars(parser.parse_args(arguments)))
    if found.once and found.kafka_timeout is None:
        return replace(found, kafka_timeout=ONCE_TIMEOUT)
    return found

"""Which faults, in which order: decided by the seed and the settings alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.chaos.faults import FAULTS, KAFKA, REDIS
from tests.chaos.options import Options

_OTHERS = 2
"""Of every kind that has no count of its own, where there are counts."""


def listed(options: Options, chance: random.Random) -> list[str]:
    """All faults of a run that says how many."""
    if options.only:
        return list(options.only)
    if options.once:
        found = list(FAULTS)
    else:
        found = ["worker-killed"] * (options.worker_kills or 0)
        found += [KAFKA[n % len(KAFKA)] for n in range(options.kafka_losses or 0)]
        found += [REDIS[n % len(REDIS)] for n in range(options.redis_losses or 0)]
        counted = {"worker-killed", *KAFKA, *REDIS}
        found += [each for each in FAULTS if each not in counted] * _OTHERS
    chance.shuffle(found)
    return _placed(found, chance)


def _placed(found: list[str], chance: random.Random) -> list[str]:
    """The learner publishes while history comes in, wall clocks matter once live, and age needs time."""
    middle = len(found) // 2
    early = [each for each in found if each == "learner-killed"]
    late = [each for each in found if each in {"clock-stepped", "redis-5min-old"}]
    others = [each for each in found if each not in {*early, *late}]
    cut = max(0, middle - len(early))
    first, second = others[:cut] + early, others[cut:] + late
    chance.shuffle(first)
    chance.shuffle(second)
    return first + second


def rounds(chance: random.Random) -> Iterator[str]:
    """Faults without end: every kind once a round, kills of workers three times."""
    while True:
        found = [*FAULTS, "worker-killed", "worker-killed"]
        chance.shuffle(found)
        yield from found

from __future__ import annotations

import random

from tests.chaos.faults import FAULTS
from tests.chaos.options import Options, parse
from tests.chaos.schedule import listed


def of(options: Options) -> list[str]:
    """The faults of a run."""
    return listed(options, random.Random(options.seed))


def test_once_is_every_kind_once() -> None:
    """A short run has every kind of fault, and the learner dies while history still comes in."""
    for seed in range(20):
        found = of(Options(seed=seed, once=True))
        assert sorted(found) == sorted(FAULTS)
        assert found.index("learner-killed") < len(found) // 2 <= found.index("clock-stepped")


def test_the_seed_decides() -> None:
    """The same seed gives the same faults in the same order, another one another order."""
    assert of(Options(once=True)) == of(Options(once=True))
    assert of(Options(once=True)) != of(Options(seed=2, once=True))


def test_counts_are_kept() -> None:
    """So many kills and losses as were asked for, and some of every other kind."""
    found = of(parse(["--worker-kills", "100", "--kafka-losses", "10", "--redis-losses", "10"]))
    assert found.count("worker-killed") == 100
    assert sum(each.startswith("kafka") for each in found) == 10
    losses = ("redis-killed", "redis-stalled", "redis-5s-old", "redis-5min-old")
    assert sum(each in losses for each in found) == 10
    assert set(found) == set(FAULTS)

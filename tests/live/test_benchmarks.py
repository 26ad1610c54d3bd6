"""The benchmarks compare programs that do the same: they publish the same band changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import throughput
from benchmarks.bench import Bench, connections
from benchmarks.contestants import ALL
from stream.embedded.kafka import EmbeddedKafka
from stream.embedded.redis import EmbeddedRedis


@pytest.mark.timeout(180)
async def test_all_contestants_decide_the_same(
    kafka: EmbeddedKafka, redis: EmbeddedRedis, tmp_path: Path
) -> None:
    """1,500 touchpoints through the worker and every peer: each scores all, and band changes are the same."""
    bench = Bench(connections(kafka, redis), tmp_path, events=1_500, customers=200, runs=1)
    found = await throughput.measure(bench)  # raises where band changes differ
    assert found["contestants"].keys() == {each.name for each in ALL}
    assert found["band_changes"] > 3 * bench.customers, (
        "customers move after their first touchpoint"
    )

"""The same log gives the same states and the same outputs, however it is cut and whatever dies on the way."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from stream.partition.outputs import BAND_CHANGES, SCORES
from tests.engines import MakeSettings
from tests.support.live import Space, space, unique
from tests.support.shop import Touch, touches
from tests.support.world import World

EVENTS = 8_000
PARTITIONS = 4
KILLS = 5
Result = tuple[str, dict[str, bytes], dict[str, bytes], dict[str, int]]


@pytest.fixture(scope="module")
def log() -> tuple[Touch, ...]:
    """The shop's first touchpoints."""
    return touches(EVENTS)


async def _in_memory(log: tuple[Touch, ...]) -> Result:
    world = World(partitions=PARTITIONS)
    world.history(log)
    await world.work()
    changes, scores = (unique(world.outputs(topic)) for topic in (BAND_CHANGES, SCORES))
    return await world.digest(), changes, scores, world.counts()


async def _result(at: Space, counts: dict[str, int]) -> Result:
    changes, scores = unique(await at.read(BAND_CHANGES)), unique(await at.read(SCORES))
    return await at.digest(), changes, scores, counts


async def _with_kills(at: Space, records: int, log: Path) -> dict[str, int]:
    """Work through the log with a worker that is killed several times at moments of its own."""
    pauses = random.Random(5)
    for kill in range(KILLS):
        wanted = records * (kill + 1) // (KILLS + 1)
        process = at.spawn(log, BANDSHIFT_WORKER__STEP_RECORDS="400")
        try:
            await at.taken_in(wanted)
            await asyncio.sleep(pauses.random() / 5)
        finally:
            process.kill()
            process.wait()
    process = at.spawn(log)
    try:
        return await at.taken_in(records)
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0, "a worker asked to stop ends well"


@pytest.mark.timeout(400)
async def test_any_batching_and_any_death_gives_the_same(
    live_settings: MakeSettings, log: tuple[Touch, ...], tmp_path: Path
) -> None:
    """8,000 real events by ones, by five hundreds, through kills and in memory: the same digest and records."""
    expected = await _in_memory(log)
    assert expected[3]["in"] == len(log) + expected[3]["control"]
    for step_records in (1, 500):
        settings = await live_settings(partitions=PARTITIONS, worker={"step_records": step_records})
        async with space(settings) as at:
            records = await at.produce(log)
            async with at.worker():
                counts = await at.taken_in(records, within=200)
            _same(await _result(at, counts), expected)
            assert len(await at.read(BAND_CHANGES)) == len(expected[1]), (
                "nothing was published twice"
            )
    settings = await live_settings(partitions=PARTITIONS)
    async with space(settings) as at:
        records = await at.produce(log)
        counts = await _with_kills(at, records, tmp_path / "worker.log")
        _same(await _result(at, counts), expected)


def _same(found: Result, expected: Result) -> None:
    for number, what in enumerate(("digest", "band changes", "scores", "counts")):
        assert found[number] == expected[number], f"{what} differ"

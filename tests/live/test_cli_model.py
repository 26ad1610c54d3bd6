"""`bandshift model` on real Kafka and Redis: what it lists, and what a learner makes of its orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.home import home
from stream import app
from stream.broker import client
from stream.commands import model
from stream.commands.model_words import as_data
from stream.errors import ModelError
from stream.features.layout import Layout
from stream.features.vector import Vectorizer
from stream.model.learning.orders import promotion
from stream.model.snapshot import Snapshot, decode_snapshot, encode_snapshot
from stream.partition.control import Signer
from stream.partition.examples import watermark
from stream.settings import DEFAULT_OUTCOMES
from tests.engines import MakeSettings
from tests.support.command import Cli
from tests.support.learned import random_snapshot
from tests.support.live import Space, space

pytestmark = pytest.mark.timeout(120)
PARTITIONS = 2
OUTCOME = DEFAULT_OUTCOMES[0]
HOUR = 3_600


async def _publish(at: Space, versions: int) -> list[Snapshot]:
    vectorizer = Vectorizer(Layout(at.settings.registry))
    made = [random_snapshot(OUTCOME, vectorizer, n, n) for n in range(1, versions + 1)]
    async with client.producer(at.settings.kafka) as producer:
        for each in made:
            await producer.send_and_wait(
                at.topics.model_snapshots,
                encode_snapshot(each),
                OUTCOME.name.encode(),
                partition=home(OUTCOME.name, PARTITIONS),
            )
    return made


async def _say_time(at: Space, known_to: int) -> None:
    """Every partition has told all labels known up to then."""
    async with client.producer(at.settings.kafka) as producer:
        for number in range(PARTITIONS):
            mark = watermark(number, known_to, 0, adopts=False)
            await producer.send_and_wait(at.topics.examples, mark.value, mark.key, partition=number)


async def _learned(at: Space, known_to: int) -> Snapshot:
    """The version that a learner has published for the period that ended then."""
    async with asyncio.timeout(60):
        while True:
            for record in await at.read("model-snapshots"):
                found = decode_snapshot(record.value or b"")
                if found.outcome == OUTCOME.name and found.known_s == known_to and found.version:
                    return found
            await asyncio.sleep(0.2)


@asynccontextmanager
async def _learner(at: Space) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(app.learn(at.settings, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def test_an_old_version_comes_back(live_settings: MakeSettings, tmp_path: Path) -> None:
    """Versions are listed; the learner finds a rollback and a promotion in `examples`, and does as they say."""
    settings = await live_settings(partitions=PARTITIONS, learning={"enabled": True})
    cli, end = Cli(settings, tmp_path), 1_700_000_000 // HOUR * HOUR
    async with space(settings) as at:
        made = await _publish(at, 12)
        listed = as_data((await model._list(settings, 10))[0])
        assert [each["version"] for each in listed["versions"]] == list(range(12, 2, -1))
        assert listed["in_force"] == {"0": 0, "1": 0}
        with pytest.raises(ModelError, match="got 99, there are 1 to 12"):
            await model._read(settings, OUTCOME.name, 99)
        assert "version 2 comes back" in cli.told("model", "rollback", OUTCOME.name, "2")
        signer = Signer(settings.control_key(), at.topics.examples)
        async with _learner(at):
            await _say_time(at, end)
            held = await _learned(at, end)
            assert (held.stages, held.means) == (made[1].stages, made[1].means)
            assert held.metrics["held"] == 2
            await model._append(settings, signer, OUTCOME.name, 0, promotion("river-lr"))
            await _say_time(at, end + HOUR)
            released = await _learned(at, end + HOUR)
        assert (released.version, released.champion) == (held.version + 1, "river-lr")
        assert "held" not in released.metrics
        kinds = [each["kind"] for each in await at.bodies("model-events")]
        assert kinds == ["rolled_back", "promoted"]

"""The learner on real Kafka and Redis: in step with a replay, and the same whatever dies on the way."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from schemas.learning import Learning
from stream import app
from stream.agents.lesson import Lesson
from stream.evaluation.driver import Driver, Touch
from stream.model.learning.school import School
from stream.model.learning.trainer import Event, Trainer
from stream.model.snapshot import Snapshot, decode_snapshot
from stream.partition.control import Signer
from stream.partition.outputs import BAND_CHANGES, EXAMPLES
from stream.partition.step import Step
from stream.settings import Settings
from tests.engines import MakeSettings
from tests.support.live import Space, space, unique
from tests.support.shop import Touch as ShopTouch
from tests.support.shop import touches
from tests.support.world import touchpoint

PARTITIONS = 3
KILLS = 5
"""Of both, worker and learner."""
LEARNING = Learning(every_days=7, lag_hours=12)
DAY = 86_400
WHOLE = {"enabled": True, **LEARNING.model_dump()}


@pytest.fixture(scope="module")
def log() -> tuple[ShopTouch, ...]:
    """Some weeks of some households of the shop."""
    found = [each for each in touches(13_000) if crc32(each.customer.encode()) % 10 == 0]
    return tuple(found)


async def _done(at: Space, records: int, programs: list[subprocess.Popen[bytes]]) -> None:
    try:
        await at.taken_in(records, within=150)
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            assert program.wait(timeout=30) == 0, "a program asked to stop ends well"


async def _models(at: Space) -> dict[tuple[str, int], Snapshot]:
    """Every version that was published, one each; fails where a version has two contents."""
    found: dict[tuple[str, int], Snapshot] = {}
    for record in await at.read("model-snapshots"):
        made = decode_snapshot(record.value or b"")
        if made.version:
            key = made.outcome, made.version
            assert found.setdefault(key, made) == made, f"{key} was published with two contents"
    return found


async def _calm(at: Space, records: int, tmp_path: Path) -> None:
    worker, learner = at.spawn(tmp_path / "log"), at.spawn(tmp_path / "log", program="learner")
    await _done(at, records, [worker, learner])


async def _killed(at: Space, records: int, tmp_path: Path) -> None:
    chance = random.Random(11)
    programs = {name: at.spawn(tmp_path / "log", program=name) for name in ("worker", "learner")}
    for kill in range(KILLS):
        await at.taken_in(records * (kill + 1) // (KILLS + 2), within=150)
        for name in chance.sample(sorted(programs), len(programs)):
            await asyncio.sleep(chance.random() / 5)
            programs[name].kill()
            programs[name].wait()
            programs[name] = at.spawn(tmp_path / "log", program=name)
    await _done(at, records, list(programs.values()))


def _evaluated(
    settings: Settings, log: tuple[ShopTouch, ...]
) -> tuple[set[bytes], dict[str, Trainer]]:
    found: set[bytes] = set()

    def watch(step: Step) -> None:
        found.update(each.value for each in step.outputs if each.topic == EXAMPLES)

    driver = Driver(settings.decisions, PARTITIONS, watch)
    rows = (Touch(each.customer, each.at * 1000, each.value) for each in log)
    driver.run(rows, lambda _: None)
    return found, driver.school.trainers


class _Nowhere:
    """A desk on which nothing is kept."""

    async def publish(self, snapshots: Sequence[Snapshot]) -> None:
        pass

    async def tell(self, events: Sequence[tuple[str, int, Event]]) -> None:
        pass

    async def adopt(self, partition: int, outcome: str, version: int) -> None:
        pass

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        pass


async def _learned_again(at: Space, models: dict[tuple[str, int], Snapshot]) -> None:
    """A new learner over the recorded examples ends with the weights that were published last."""
    decisions = at.settings.decisions
    vectorizer = app.pipelines(at.settings, at.topics, PARTITIONS).get("").vectorizer
    school = School(vectorizer, decisions)
    signer = Signer(b"", at.topics.examples)
    lesson = Lesson(school, PARTITIONS, _Nowhere(), signer)
    for record in await at.read(EXAMPLES):
        number = json.loads(record.value or b"")["data"]["partition"]
        lesson.take(number, [record])
    await lesson.teach()
    for name, trainer in school.trainers.items():
        last = max(version for outcome, version in models if outcome == name)
        assert trainer.version == last
        assert trainer.snapshot().stages == models[name, last].stages


@pytest.mark.timeout(500)
async def test_kills_leave_the_same_weights_and_an_evaluation_has_the_same_examples(
    live_settings: MakeSettings, log: tuple[ShopTouch, ...], tmp_path: Path
) -> None:
    """Ten kills of worker and learner change no weight, band change or state, bit for bit, nor does evaluating."""
    results: list[Any] = []
    settings = await live_settings(partitions=PARTITIONS, learning=WHOLE)
    for run in (_calm, _killed):
        if results:
            settings = await live_settings(partitions=PARTITIONS, learning=WHOLE)
        async with space(settings) as at:
            records = await at.produce(log)
            await run(at, records, tmp_path)
            examples = unique(await at.read(EXAMPLES))
            changes = unique(await at.read(BAND_CHANGES))
            models = await _models(at)
            results.append((await at.digest(), models, examples, changes))
            await _learned_again(at, models)
    calm, killed = results
    assert len(calm[1]) > 20
    for number, what in enumerate(("states", "models", "examples", "band changes")):
        assert calm[number] == killed[number], f"{what} differ"
    versions = {json.loads(each)["data"]["model_version"] for each in calm[3].values()}
    assert len(versions) > 5, "learned versions took effect"
    evaluated, trainers = _evaluated(settings, log)
    assert evaluated == set(calm[2].values())
    for name, trainer in trainers.items():
        last = max(version for outcome, version in calm[1] if outcome == name)
        assert trainer.version == last
        assert trainer.snapshot().stages == calm[1][name, last].stages


def _shopping(days: int) -> list[ShopTouch]:
    """Purchases of some customers up to now: some come often, some hardly ever."""
    chance, begin = random.Random(3), int(time.time()) - days * DAY
    found: list[ShopTouch] = []
    for day in range(days):
        for customer in range(60):
            if chance.random() < 0.02 + customer / 200:
                at, name = begin + day * DAY + chance.randrange(DAY), f"c{customer}"
                found.append(ShopTouch(at, name, touchpoint(len(found), name, "purchase", at)))
    return sorted(found)


async def _more(at: Space, seen: int) -> int:
    """Wait until the learner has published more than so many snapshots; how many there are."""
    async with asyncio.timeout(60):
        while (found := len(await at.read("model-snapshots"))) <= seen:  # noqa: ASYNC110 -- Kafka tells nobody
            await asyncio.sleep(0.05)
    return found


async def _all_learned(at: Space) -> dict[tuple[str, int], Snapshot]:
    """What was published, once all labels that are out have been learned."""
    marks: dict[int, float] = {}
    for record in await at.read(EXAMPLES):
        data = json.loads(record.value or b"")["data"]
        if "known_to" in data:
            known = datetime.fromisoformat(data["known_to"]).timestamp()
            marks[data["partition"]] = max(known, marks.get(data["partition"], 0))
    async with asyncio.timeout(90):
        while True:
            made = [decode_snapshot(each.value or b"") for each in await at.read("model-snapshots")]
            reached = {each.outcome: each.known_s for each in made}
            if len(reached) == len(at.settings.outcomes) and min(reached.values()) >= min(
                marks.values()
            ):
                return await _models(at)
            await asyncio.sleep(0.3)


@pytest.mark.timeout(300)
async def test_live_a_learner_that_is_killed_ends_as_one_that_reads_all_at_once(
    live_settings: MakeSettings, tmp_path: Path
) -> None:
    """Live, five kills of the learner and one of the worker leave the weights that the recorded examples give."""
    learning = WHOLE | {"live_hours": 24}
    settings = await live_settings(partitions=PARTITIONS, learning=learning)
    async with space(settings) as at:
        records = await at.produce(_shopping(45), live=True)
        programs = {
            name: at.spawn(tmp_path / "log", program=name) for name in ("worker", "learner")
        }
        seen = 0
        for _ in range(KILLS):
            seen = await _more(at, seen)
            programs["learner"].kill()
            programs["learner"].wait()
            programs["learner"] = at.spawn(tmp_path / "log", program="learner")
        programs["worker"].kill()
        programs["worker"].wait()
        programs["worker"] = at.spawn(tmp_path / "log")
        await at.taken_in(records, within=150)
        models = await _all_learned(at)
        await at.taken_in(records + PARTITIONS * len(settings.outcomes))  # adopt records
        await _done(at, records, list(programs.values()))
        assert max(version for _, version in models) > 10
        await _learned_again(at, models)
        assert (await at.counts())["adoptions_purchase"] > 0, "learned versions took effect"

"""Before a log goes live, workers and learner keep step: the same log gives the same models and scores."""

from __future__ import annotations

from random import Random

import pytest

from schemas.learning import Learning
from schemas.outcomes import Outcome
from stream.evaluation.driver import Driver, Touch
from stream.partition.control import Kind
from stream.partition.outputs import BAND_CHANGES, EXAMPLES, SCORES
from stream.partition.step import Step
from tests.support.learning import Class
from tests.support.shop import Touch as ShopTouch
from tests.support.world import START, World, touchpoint

DAY = 86_400
LEARNING = Learning(every_days=3, lag_hours=6)
OUTCOMES = (
    Outcome(name="purchase", horizon_days=7, types=("purchase",), base_rate=0.2),
    Outcome(name="churn", horizon_days=10, kind="absence", types=("purchase",), base_rate=0.5),
)


def _log(days: int = 36, customers: int = 14) -> list[Touch]:
    """Customers who buy at rates of their own, and are written to; the days of two of them begin at midnight."""
    chance = Random(7)
    names = ["k660827", "k718464", *(f"c{number}" for number in range(2, customers))]
    rates = [chance.uniform(0.02, 0.5) for _ in range(customers)]
    found: list[Touch] = []
    for day in range(days):
        for number, rate in enumerate(rates):
            for kind in ("purchase", "email_open"):
                if chance.random() < rate:
                    at = START + day * DAY + chance.randrange(DAY)
                    value = touchpoint(len(found), names[number], kind, at, value=9.5)
                    found.append(Touch(names[number], at * 1000, value))
    return sorted(found, key=lambda touch: touch.at)


def _world(partitions: int = 3) -> World:
    world = World(partitions=partitions, outcomes=OUTCOMES, rules=(), learning=LEARNING)
    world.history(ShopTouch(each.at // 1000, each.customer_id, each.value) for each in _log())
    return world


async def _learned(world: World, kills: Random | None = None, batch: int = 500) -> Class:
    learner = Class(world)
    moved = True
    while moved:
        moved = await world.work_once(batch)
        if kills is not None and kills.random() < 0.1:
            world.owners = world.make_owners()
        if kills is not None and kills.random() < 0.2:
            await learner.keep()
        if kills is not None and kills.random() < 0.2:
            await learner.killed()
            moved = True
        moved = bool(await learner.learn()) or moved
    return learner


def _weights(learner: Class) -> dict[str, object]:
    trainers = learner.lesson.school.trainers.items()
    return {name: trainer.snapshot(resume=True).resume for name, trainer in trainers}


async def test_two_replays_of_one_log_end_alike() -> None:
    """However a log is cut into batches, the states, the models and the band changes are the same."""
    one, two = _world(), _world()
    first, second = await _learned(one), await _learned(two, batch=7)
    assert await one.digest() == await two.digest()
    assert _weights(first) == _weights(second)
    for topic in (EXAMPLES, BAND_CHANGES, SCORES):
        assert one.outputs(topic) == two.outputs(topic)
    assert first.lesson.school.trainers["purchase"].version > 10
    versions = {each["model_version"] for each in one.bodies(BAND_CHANGES)}
    assert len(versions) > 3


@pytest.mark.parametrize("seed", range(2))
async def test_kills_change_nothing(seed: int) -> None:
    """Owners and learner that are killed again and again end in the same states and weights, bit for bit."""
    calm, wild = _world(), _world()
    first = await _learned(calm)
    second = await _learned(wild, Random(seed), batch=50)
    assert await calm.digest() == await wild.digest()
    assert _weights(first) == _weights(second)
    assert set(first.desk.snapshots) == set(second.desk.snapshots)


@pytest.mark.parametrize("most", [1, 3, 10])
async def test_reading_by_few_learns_the_same(most: int) -> None:
    """Recorded examples lead to the same weights however they are read, labels at a period's very end included."""
    world = _world()
    whole = await _learned(world)
    again = Class(world)
    while await again.learn(lambda: most) or not again.read_all:
        pass
    assert _weights(again) == _weights(whole)
    ends = {each["labelled_at"] for each in world.bodies(EXAMPLES) if "labelled_at" in each}
    assert any(end.endswith("T00:00:00Z") for end in ends)


async def test_evaluation_makes_the_same_examples() -> None:
    """The examples of an evaluation are those of a replay, byte for byte, and so are the models."""
    world = _world()
    learner = await _learned(world)
    decisions = world.pipelines.own
    found: list[list[bytes]] = [[], [], []]

    def watch(step: Step) -> None:
        for output in step.outputs:
            if output.topic == EXAMPLES:
                found[output.partition].append(output.value)

    driver = Driver(decisions, 3, watch)
    driver.run(_log(), lambda _: None)
    for number in range(3):
        records = world.log.topics[EXAMPLES, number]
        assert [record.value for record in records] == found[number]
        assert len(records) > 40
    for name, trainer in learner.lesson.school.trainers.items():
        assert trainer.snapshot(resume=True) == driver.school.trainers[name].snapshot(resume=True)


async def test_live_versions_come_by_adopt_records() -> None:
    """Live, nobody waits: a version takes effect at the record that adopts it, at most one an hour."""
    world = _world(1)
    learner = await _learned(world)
    end = _log()[-1].at // 1000
    world.control(Kind.LIVE, end)
    before = learner.lesson.school.trainers["purchase"].version
    for hour in range(1, 24 * 4):
        world.control(Kind.TICK, end + hour * 3600)
        await world.work_once()
        await world.work_once()
        await learner.learn()
    await world.work_once()
    adopted = [version for _, name, version in learner.desk.adopted if name == "purchase"]
    assert adopted == sorted(set(adopted))
    assert adopted[0] >= before
    assert len(adopted) > 3
    assert len(adopted) < 24 * 4
    again = Class(world)
    while await again.learn(lambda: 7) or not again.read_all:
        pass
    assert _weights(again) == _weights(learner), (
        "a learner that starts again comes to the same weights"
    )

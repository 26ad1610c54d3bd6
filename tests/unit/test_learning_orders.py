"""A learner is told of another champion, or of an older version, by records: whoever reads them does the same."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from schemas.home import home
from schemas.learning import Learning
from schemas.model import ModelSnapshot
from schemas.outcomes import Outcome
from stream.broker.memory import MemoryRecord
from stream.model.learning.hazards import NAMES
from stream.model.learning.orders import promotion, rollback
from stream.model.learning.records import Watermark, read_example
from stream.model.snapshot import Snapshot, decode_snapshot, encode_snapshot
from stream.partition.control import CONTROL, Kind, Signer
from stream.partition.examples import watermark
from stream.partition.ledger import decode_ledger
from stream.partition.outputs import EXAMPLES
from stream.pipeline import MODEL
from tests.support.learning import ORDERS, Class
from tests.support.shop import Touch
from tests.support.world import START, World, touchpoint

DAY = 86_400
PARTITIONS = 3
OUTCOMES = (
    Outcome(name="purchase", horizon_days=5, types=("purchase",), base_rate=0.2),
    Outcome(name="churn", horizon_days=7, kind="absence", types=("purchase",), base_rate=0.5),
)
LEARNING = Learning(every_days=3, lag_hours=6)
FIRST, SECOND = NAMES[:2]
Topic = list[list[MemoryRecord]]


def _world(partitions: int = PARTITIONS) -> World:
    return World(partitions=partitions, outcomes=OUTCOMES, rules=(), learning=LEARNING)


def _history(world: World, days: int, customers: int) -> int:
    """Customers who buy at rates of their own; returns the last time."""
    chance, found = Random(7), []
    rates = [chance.uniform(0.02, 0.5) for _ in range(customers)]
    for day in range(days):
        for number, rate in enumerate(rates):
            if chance.random() < rate:
                at = START + day * DAY + chance.randrange(DAY)
                found.append((at, f"c{number}"))
    found.sort()
    world.history(
        Touch(at, customer, touchpoint(number, customer, "purchase", at, value=9.5))
        for number, (at, customer) in enumerate(found)
    )
    return found[-1][0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def topic() -> AsyncIterator[Topic]:
    """What `examples` holds at the end of a replay."""
    world = _world()
    _history(world, 36, 15)
    await Class(world).until_done()
    yield [world.log.topics[EXAMPLES, number] for number in range(PARTITIONS)]


def _recorded(topic: Topic) -> Class:
    """A learner over such records, which has read none yet."""
    world = _world()
    for number, records in enumerate(topic):
        for each in records:
            world.log.add(EXAMPLES, number, each.key, each.value, each.headers)
    return Class(world)


def _with(topic: Topic, *orders: tuple[float, str], outcome: str = "purchase") -> Topic:
    """The same records, with orders among them: each behind that part of its partition's."""
    found, number = [list(records) for records in topic], home(outcome, PARTITIONS)
    whole = len(topic[number])
    for part, body in reversed(orders):
        value, headers = ORDERS.control(number, Kind.ADOPT, MODEL + outcome, 0, body)
        found[number].insert(int(part * whole), MemoryRecord(0, 0, b"", value, headers))
    return found


async def _learned(topic: Topic) -> Class:
    learner = _recorded(topic)
    await learner.learn()
    return learner


def _published(learner: Class, outcome: str = "purchase") -> list[Snapshot]:
    """All of an outcome's snapshots, those included that only say how far it has come."""
    found = [decode_snapshot(each) for each in learner.desk.snapshots]
    return [each for each in found if each.outcome == outcome]


def _versions(learner: Class, outcome: str = "purchase") -> list[Snapshot]:
    return [each for each in _published(learner, outcome) if each.version]


def _events(learner: Class, *kinds: str) -> list[tuple[str, int, str]]:
    return [(name, n, each.text) for name, n, each in learner.desk.events if each.kind in kinds]


def _state(learner: Class) -> dict[str, bytes]:
    trainers = learner.lesson.school.trainers.items()
    return {name: encode_snapshot(each.snapshot(resume=True)) for name, each in trainers}


def _say_time(learner: Class, known_to: Sequence[int]) -> None:
    """A watermark of each partition, without labels."""
    for number, at in enumerate(known_to):
        mark = watermark(number, at, 0, adopts=False)
        learner.world.log.add(EXAMPLES, number, mark.key, mark.value, mark.headers)


async def _rolled_back(topic: Topic, version: int = 4, *more: tuple[float, str]) -> Class:
    old = _versions(await _learned(topic))[version - 1]
    return await _learned(_with(topic, (0.6, rollback(encode_snapshot(old))), *more))


async def test_a_promotion_takes_effect_with_the_next_period(topic: Topic) -> None:
    """From the version after the order on, another is champion; it is told once, and before it nothing is other."""
    plain = _versions(await _learned(topic))
    learner = await _learned(_with(topic, (0.6, promotion(SECOND))))
    told = _versions(learner)
    first = next(n for n, each in enumerate(told) if each.champion == SECOND)
    assert 0 < first < len(told) - 3
    assert told[:first] == plain[:first]
    assert {each.champion for each in told[first:]} == {SECOND}
    ((name, version, text),) = _events(learner, "promoted")
    assert (name, version) == ("purchase", first + 1)
    assert text.startswith(f"{SECOND} is champion in place of {FIRST}")
    assert _versions(learner, "churn") == _versions(await _learned(topic), "churn")


async def test_a_promotion_needs_no_labels(topic: Topic) -> None:
    """A period without labels brings a version too, where somebody asked for a champion."""
    learner = await _learned(topic)
    trainer = learner.lesson.school.trainers["purchase"]
    before, at = trainer.version, trainer.known_to + DAY
    learner.order("purchase", promotion(SECOND))
    _say_time(learner, [at] * PARTITIONS)
    assert await learner.learn() == 1
    last_one = _versions(learner)[-1]
    assert (last_one.version, last_one.champion, last_one.known_s) == (before + 1, SECOND, at)


async def test_an_order_is_obeyed_once_where_its_partition_skips_periods(topic: Topic) -> None:
    """A learner that starts again before the next watermark of that partition reads the order again, in vain."""
    learner = await _learned(topic)
    trainer = learner.lesson.school.trainers["purchase"]
    before, at = trainer.version, trainer.known_to
    learner.order("purchase", promotion(SECOND))
    ahead = home("purchase", PARTITIONS)
    _say_time(learner, [at + DAY * (1 + (number == ahead)) for number in range(PARTITIONS)])
    assert await learner.learn() == 1
    assert _versions(learner)[-1].version == before + 1
    await learner.keep()
    await learner.killed()
    _say_time(learner, [at + 2 * DAY] * PARTITIONS)
    assert await learner.learn() == 1
    assert _versions(learner)[-1].version == before + 1
    assert len(_events(learner, "promoted")) == 1


async def test_a_rollback_publishes_an_old_version_as_a_new_one_and_holds_it(topic: Topic) -> None:
    """The old weights come back under the next number; then learning goes on, and nothing is published."""
    plain = await _learned(topic)
    learner = await _rolled_back(topic)
    told, all_ = _versions(learner), _versions(plain)
    last, old = told[-1], all_[3]
    assert len(told) < len(all_)
    assert told[:-1] == all_[: len(told) - 1]
    assert last.version == len(told)
    assert (last.stages, last.means, last.champion) == (old.stages, old.means, old.champion)
    assert last.stages != all_[len(told) - 1].stages
    assert last.metrics["held"] == 4
    assert ModelSnapshot.model_validate_json(encode_snapshot(last)).metrics.held == 4
    assert _events(learner, "rolled_back", "promoted", "refused") == [
        (
            "purchase",
            last.version,
            "rolled back to version 4: no newer one is published until a promotion",
        )
    ]
    assert _published(learner)[-1].version == 0
    assert _published(learner)[-1].known_s == _published(plain)[-1].known_s
    mine, other = (each.lesson.school.trainers["purchase"] for each in (learner, plain))
    assert mine.trained == other.trained
    for name, contender in mine.contenders.items():
        assert contender.state()["stages"] == other.contenders[name].state()["stages"]
    assert mine.scores.latest == other.scores.latest


@pytest.mark.parametrize("name", [FIRST, SECOND])
async def test_a_promotion_lets_a_held_outcome_go(topic: Topic, name: str) -> None:
    """Whoever is promoted, the present champion included, the outcome publishes what it has learned again."""
    learner = await _rolled_back(topic, 4, (0.8, promotion(name)))
    told = _versions(learner)
    assert [each.version for each in told] == list(range(1, len(told) + 1))
    held = [each for each in told if "held" in each.metrics]
    assert len(held) == 1
    after = told[held[0].version :]
    assert len(after) > 2
    assert {each.champion for each in after} == {name}
    assert after[0].stages not in [each.stages for each in told[: held[0].version]]
    kinds = [event.kind for _, _, event in learner.desk.events]
    assert [kind for kind in kinds if kind != "drift"] == ["rolled_back", "promoted"]


@pytest.mark.parametrize("seed", range(3))
async def test_kills_between_orders_change_nothing(topic: Topic, seed: int) -> None:
    """However the records arrive, and whatever dies, each order is obeyed once, at the same period.

    Former owners repeat watermarks meanwhile.
    """
    old = _versions(await _learned(topic))[2]
    orders = ((0.3, promotion(SECOND)), (0.5, rollback(encode_snapshot(old))))
    told = [
        _repeating(each)
        for each in _with(topic, *orders, (0.75, promotion(NAMES[3])), (0.9, promotion(FIRST)))
    ]
    calm, wild = await _learned(told), _recorded(told)
    assert len([each for each in calm.desk.events if each[2].kind == "promoted"]) == 3
    chance = Random(seed)
    while not wild.read_all:
        await wild.learn(lambda: chance.randrange(90))
        if chance.random() < 0.3:
            await wild.keep()
        if chance.random() < 0.25:
            await wild.killed()
    assert _state(wild) == _state(calm)
    assert set(wild.desk.snapshots) == set(calm.desk.snapshots)
    assert set(_events(wild, "promoted", "rolled_back", "refused")) == set(
        _events(calm, "promoted", "rolled_back", "refused")
    )


def _repeating(records: list[MemoryRecord]) -> list[MemoryRecord]:
    """Each watermark comes again a little later."""
    found, late = list[MemoryRecord](), list[tuple[int, MemoryRecord]]()
    for number, each in enumerate(records):
        found.append(each)
        found += [record for due, record in late if due == number]
        control = any(name == CONTROL for name, _ in each.headers)
        if not control and isinstance(read_example(each.value or b""), Watermark):
            late.append((number + 4, each))
    return found


def _forgeries(body: str) -> list[tuple[int, Any]]:
    here, other = home("purchase", PARTITIONS), (home("purchase", PARTITIONS) + 1) % PARTITIONS
    what = (Kind.ADOPT, MODEL + "purchase", 0, body)
    value, headers = ORDERS.control(here, *what)
    return [
        (here, Signer(b"another key", EXAMPLES).control(here, *what)),
        (here, Signer(b"", "touchpoints").control(here, *what)),
        (here, ORDERS.control(other, *what)),
        (here, (value, headers[:1])),
        (here, ((value or b"").replace(SECOND.encode(), NAMES[3].encode()), headers)),
    ]


async def test_what_is_not_signed_is_not_obeyed(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    """Another key, another topic, another partition, no signature, or another body: told, counted, and ignored."""
    plain = await _learned(topic)
    told = [list(records) for records in topic]
    forged = _forgeries(promotion(SECOND))
    for number, (value, headers) in forged:
        told[number].insert(len(told[number]) // 2, MemoryRecord(0, 0, b"", value, headers))
    with caplog.at_level(logging.WARNING):
        learner = await _learned(told)
    assert learner.lesson.forged == len(forged)
    told_of = [each for each in caplog.messages if "signature does not hold" in each]
    assert len(told_of) == len(forged)
    assert learner.desk.snapshots == plain.desk.snapshots
    assert _state(learner) == _state(plain)


async def test_an_order_in_another_partition_is_not_obeyed(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    """Two partitions have no order among them: an outcome is told in its own alone."""
    other = (home("purchase", PARTITIONS) + 1) % PARTITIONS
    value, headers = ORDERS.control(other, Kind.ADOPT, MODEL + "purchase", 0, promotion(SECOND))
    told = [list(records) for records in topic]
    told[other].insert(len(told[other]) // 2, MemoryRecord(0, 0, b"", value, headers))
    learner = await _learned(told)
    assert "elsewhere" in caplog.text
    assert learner.desk.snapshots == (await _learned(topic)).desk.snapshots


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "order: "),
        ('{"action":"forget"}', "order: "),
        ('{"action":"promote"}', "order: "),
        ('{"action":"rollback","snapshot":{"format":1}}', "order: "),
    ],
)
async def test_an_order_that_makes_no_sense_is_told(
    topic: Topic, body: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A signed record that asks for nothing known changes nothing, and does not stop the learner."""
    learner = await _learned(_with(topic, (0.5, body)))
    assert told in caplog.text
    assert learner.desk.snapshots == (await _learned(topic)).desk.snapshots


async def test_what_cannot_be_done_is_refused(topic: Topic) -> None:
    """A contender that there is not, and a version of another outcome, are refused as events; no version comes of it."""
    plain = await _learned(topic)
    churn = encode_snapshot(_versions(plain, "churn")[3])
    learner = await _learned(_with(topic, (0.5, promotion("best")), (0.6, rollback(churn))))
    assert [text for _, _, text in _events(learner, "refused")] == [
        "not promoted: there is no contender 'best'",
        "not rolled back to version 4: snapshot: it is of 'churn'",
    ]
    assert learner.desk.snapshots == plain.desk.snapshots


async def test_workers_score_by_what_was_rolled_back_to() -> None:
    """Live, the old weights come into force under their new number, and stay there."""
    world = _world(1)
    end = _history(world, 24, 8)
    learner = Class(world)
    await learner.until_done()
    world.control(Kind.LIVE, end)
    old = _versions(learner)[2]
    learner.order("purchase", rollback(encode_snapshot(old)))
    for hour in range(1, 24 * 4):
        world.control(Kind.TICK, end + hour * 3600)
        await world.work_once()
        await world.work_once()
        await learner.learn()
    await world.work_once()
    held = _versions(learner)[-1]
    assert held.stages == old.stages
    ledger = decode_ledger(world.store.partitions[0].ledger)
    assert ledger.versions[MODEL + "purchase"] == held.version > old.version
    assert learner.desk.adopted[-1][1] == "churn"

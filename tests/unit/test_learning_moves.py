"""Touchpoint types may be added while an outcome is learned: nothing that was learned is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.decisions import Decisions
from schemas.learning import Learning
from schemas.outcomes import Outcome
from schemas.types import TouchpointType, TypeRegistry
from stream.agents.lesson import Lesson
from stream.errors import ModelError
from stream.features.layout import Layout
from stream.features.state import CustomerState
from stream.features.vector import Vectorizer
from stream.model.learned import Learned, log_odds_by
from stream.model.learning.school import School
from stream.model.learning.trainer import Trainer
from stream.model.prior import prior_terms
from stream.model.snapshot import Snapshot, decode_snapshot, encode_snapshot, learned
from stream.partition.control import IN_STEP, Kind
from stream.partition.outputs import SCORES
from tests.support.learned import random_snapshot
from tests.support.learning import ORDERS, Class, Desk
from tests.support.shop import Touch
from tests.support.world import START, World, touchpoint

DAY = 86_400
OUTCOME = Outcome(name="purchase", horizon_days=7, types=("purchase",))
ADDED = TouchpointType(name="app_open", family="app")


async def _learned() -> tuple[World, Snapshot]:
    world = World(outcomes=(OUTCOME,), rules=(), learning=Learning(every_days=2))
    chance = np.random.default_rng(3)
    touches: list[Touch] = []
    for day in range(30):
        for customer in range(8):
            if chance.random() < 0.1 + customer / 16:
                at = START + day * DAY + int(chance.integers(DAY))
                name = f"c{customer}"
                touches.append(Touch(at, name, touchpoint(len(touches), name, "purchase", at)))
    world.history(sorted(touches))
    learner = Class(world)
    moving = True
    while moving:
        moving = await world.work_once()
        moving = bool(await learner.learn()) or moving
    await learner.keep()
    return world, decode_snapshot(learner.desk.states[0])


def _trainer(*types: TouchpointType) -> tuple[Vectorizer, Trainer]:
    vectorizer = Vectorizer(Layout(TypeRegistry(types)))
    decisions = Decisions(types=types, outcomes=(OUTCOME,), learning=Learning(every_days=2))
    return vectorizer, School(vectorizer, decisions).trainers["purchase"]


def _log_odds(vectorizer: Vectorizer, trainer: Trainer, made: Snapshot) -> list[int]:
    """Of one busy customer, by the features' names."""
    x = np.zeros((1, len(vectorizer.features)))
    for name, value in (("purchase_30d", 0.7), ("purchase_freshness", 0.4), ("freshness", 0.4)):
        x[0, vectorizer.column[name]] = value
    found: Learned = learned(made, OUTCOME, trainer.basis, vectorizer)
    terms = prior_terms(OUTCOME, vectorizer)
    return log_odds_by([found], OUTCOME, terms, trainer.basis, x)


async def test_a_learner_goes_on_over_more_types() -> None:
    """After a type was added a learner has the same version, weights and uncertainty as before, by name."""
    _, state = await _learned()
    before, old = _trainer()
    after, new = _trainer(ADDED)
    old.resume(state)
    new.resume(state)
    assert before.schema_hash != after.schema_hash
    assert new.version == old.version > 5
    first, second = old.snapshot(resume=True), new.snapshot(resume=True)
    assert first.means == second.means
    assert _log_odds(before, old, first) == _log_odds(after, new, second)
    again = decode_snapshot(encode_snapshot(second))
    back = _trainer(ADDED)[1]
    back.resume(again)
    assert back.snapshot(resume=True) == second
    spread = [each.stages[0].covariance().trace() for each in _bayes(old, new)]
    columns = [old.basis.size, new.basis.size]
    # Columns that nobody has seen keep the prior's variance of 1 each.
    assert abs((spread[1] - spread[0]) - (columns[1] - columns[0])) < 1e-9


def _bayes(*trainers: Trainer) -> list[Any]:
    return [trainer.contenders["bayes-0.998"] for trainer in trainers]


async def test_examples_of_other_features_are_marked() -> None:
    """An example that was opened before types were added names the features it was frozen with."""
    world, _ = await _learned()
    pipeline = world.pipeline
    state = next(iter(world.owners[0]._states.values()))
    (first, *_) = state.examples()
    assert first.features == pipeline.vectorizer.schema
    other = Vectorizer(Layout(TypeRegistry((ADDED,))))
    assert other.schema != first.features


async def test_a_version_of_other_stages_leaves_the_prior_in_force() -> None:
    """After an outcome's horizon was changed by adoption, versions of the old one score no more, and nothing stops."""
    world = World(outcomes=(OUTCOME,), rules=())
    world.pipelines.library.add(random_snapshot(OUTCOME, world.pipeline.vectorizer, 1, 5))
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    world.control(Kind.ADOPT, START + 60, "model:purchase", 1)
    world.send("ann", touchpoint(2, "ann", "web_visit", START + 120), START + 120)
    longer = OUTCOME.model_copy(update={"horizon_days": 28})
    text = Decisions(outcomes=(longer,)).text
    world.control(Kind.ADOPT, START + 180, "settings", 7, text)
    world.send("ann", touchpoint(3, "ann", "web_visit", START + 240), START + 240)
    await world.work()
    bases = [each["scores"][0]["basis"] for each in world.bodies(SCORES)]
    assert bases == ["prior", "learned", "prior"]


def test_features_are_finite_where_producers_clocks_run_ahead() -> None:
    """A first touchpoint that lies ahead of the log's clock, across the edge of a day, gives finite features."""
    vectorizer = Vectorizer(Layout(TypeRegistry()))
    state = CustomerState("ann", vectorizer.layout, 1)
    edge = (START // DAY + 1) * DAY
    state.advance(edge - 100)
    state.add(1, 0, 1, edge + 100, 1_000)
    assert np.isfinite(vectorizer.matrix(vectorizer.raw([state.snapshot()]))).all()


async def _taught(*types: TouchpointType) -> Trainer:
    """What a learner that knows the added type learns of one log, which begins with these and adopts it halfway."""
    learning = Learning(every_days=2)
    world = World(outcomes=(OUTCOME,), rules=(), types=types, learning=learning)
    whole = Decisions(types=(ADDED,), outcomes=(OUTCOME,), learning=learning)
    world.control(Kind.ADOPT, 0, IN_STEP, 1)
    chance = np.random.default_rng(3)
    for day in range(30):
        if day == 15:
            world.control(Kind.ADOPT, START + day * DAY, "settings", 1, whole.text)
        for customer in range(8):
            if chance.random() < 0.1 + customer / 16:
                at, name = START + day * DAY + 3_600 * customer, f"c{customer}"
                world.send(name, touchpoint(day, name, "purchase", at), at)
        world.control(Kind.TICK, START + (day + 1) * DAY - 1)
    learner = Class(world, decisions=whole)
    moving = True
    while moving:
        moving = await world.work_once()
        moving = bool(await learner.learn()) or moving
    return learner.lesson.school.trainers["purchase"]


async def test_examples_that_are_open_when_types_are_added_are_trained() -> None:
    """What waits for its labels when a type is adopted teaches the same as if the type had been known before."""
    before, after = await _taught(), await _taught(ADDED)
    assert before.trained == after.trained
    assert min(before.trained) > 0
    assert before.snapshot().stages == after.snapshot().stages
    assert before.snapshot(resume=True) == after.snapshot(resume=True)


async def test_a_learner_without_the_types_that_the_log_has_adopted_ends() -> None:
    """An example of features that its settings do not have is never passed over: the learner says so and ends."""
    world = World(types=(ADDED,), outcomes=(OUTCOME,), rules=(), learning=Learning(every_days=2))
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    world.control(Kind.TICK, START + 30 * DAY)
    await world.work()
    school = School(Vectorizer(Layout(TypeRegistry())), Decisions(outcomes=(OUTCOME,)))
    lesson = Lesson(school, 1, Desk(world), ORDERS)
    with pytest.raises(
        ModelError, match=r"offset \d+: the example is of features that these"
    ) as told:
        lesson.take(0, world.log.topics["examples", 0])
    assert told.value.hint is not None
    assert "settings that the log has adopted" in told.value.hint

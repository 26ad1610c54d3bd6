"""What the pipeline publishes is what the schemas of outputs say, field for field."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas.bands import UNSCORED, Band
from schemas.outcomes import Outcome
from schemas.outputs import BandChangeEvent, ScoreEvent, TriggerEvent
from schemas.rules import Rule
from scripts.generate_docs import json_schema
from stream.partition.control import Kind
from stream.partition.outputs import BAND_CHANGES, SCORES, TRIGGERS
from tests.support.world import START, World, touchpoint

DAY = 86_400
OUTCOMES = (
    Outcome(name="purchase", horizon_days=7, base_rate=0.05, cuts=(0.02, 0.06, 0.1, 0.15)),
    Outcome(name="churn", horizon_days=28, kind="absence", base_rate=0.8),
)
RULES = tuple(
    Rule(name=f"{outcome.name}-{band.name.lower()}", outcome=outcome.name, band=band)
    for outcome in OUTCOMES
    for band in Band
)
TOPICS = [
    (SCORES, ScoreEvent, "score"),
    (BAND_CHANGES, BandChangeEvent, "band-change"),
    (TRIGGERS, TriggerEvent, "trigger"),
]


@pytest.fixture
async def world() -> World:
    """A small live deployment after three customers' purchases, visits and 100 silent days."""
    world = World(outcomes=OUTCOMES, rules=RULES)
    world.control(Kind.LIVE, START)
    for number, (customer, kind) in enumerate(
        [("ann", "web_visit"), ("Zoë 😀", "purchase"), ("ann", "purchase"), ("bob", "email_sent")]
    ):
        value = touchpoint(number, customer, kind, START + number, value=12.5 * number)
        world.send(customer, value, START + number)
    world.control(Kind.TICK, START + 100 * DAY)
    await world.work()
    return world


def published(world: World, topic: str) -> list[dict[str, Any]]:
    """The records of a topic as JSON; there are some."""
    found = [json.loads(record.value or b"") for record in world.outputs(topic)]
    assert found
    return found


@pytest.mark.parametrize(("topic", "model", "_"), TOPICS)
def test_every_record_reads_back_whole(
    world: World, topic: str, model: type[BaseModel], _: str
) -> None:
    """Every published record is read by its schema, which knows every field and changes none."""
    for record in published(world, topic):
        back = model.model_validate(record, by_alias=True)
        assert json.loads(back.model_dump_json(by_alias=True)) == record


@pytest.mark.parametrize(("topic", "_", "name"), TOPICS)
def test_every_record_keeps_to_the_json_schema(
    world: World, topic: str, _: type[BaseModel], name: str
) -> None:
    """Every published record is valid by the JSON Schema in the documentation."""
    validator = Draft202012Validator(json.loads(json_schema(name)))
    for record in published(world, topic):
        assert list(validator.iter_errors(record)) == []


@pytest.mark.parametrize(("topic", "_", "name"), TOPICS)
def test_the_json_schema_notices_a_missing_field(
    world: World, topic: str, _: type[BaseModel], name: str
) -> None:
    """A record that lacks any of its fields is not valid by the JSON Schema."""
    validator = Draft202012Validator(json.loads(json_schema(name)))
    record = published(world, topic)[0]
    for field in record["data"]:
        less = {each: found for each, found in record["data"].items() if each != field}
        assert not validator.is_valid(record | {"data": less}), field


async def test_both_causes_are_published(world: World) -> None:
    """The records tried here come from touchpoints and from silence, with and without a touchpoint in them."""
    for topic in (SCORES, BAND_CHANGES, TRIGGERS):
        causes = {(each["cause"], each["touchpoint"] is None) for each in world.bodies(topic)}
        assert causes == {("event", False), ("silence", True)}


async def test_a_band_change_names_both_bands_and_adds_up(world: World) -> None:
    """From and to differ, and the base and all reasons add up to the log-odds of the probability."""
    for change in (
        BandChangeEvent.model_validate(each).data for each in published(world, BAND_CHANGES)
    ):
        assert change.from_band != change.to_band
        assert (change.previous_probability is None) == (change.from_band == UNSCORED)
        total = change.base_log_odds + math.fsum(each.contribution for each in change.reasons)
        assert round(total * 1_000_000) == round(change.log_odds * 1_000_000)
        chance = 1 / (1 + math.exp(-change.log_odds))
        assert change.probability == pytest.approx(chance, abs=1e-6)


async def test_a_trigger_points_to_the_band_change_that_fired_it(world: World) -> None:
    """The band change that a trigger names was published, of the same customer, outcome and bands."""
    changes = {each["id"]: each["data"] for each in published(world, BAND_CHANGES)}
    for trigger in world.bodies(TRIGGERS):
        change = changes[trigger["band_change_id"]]
        for field in ("customer_id", "outcome", "from", "to", "decided_at", "advice", "position"):
            assert trigger[field] == change[field]

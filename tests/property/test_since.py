"""Over any history, what moved a customer since its last band change adds up to the log-odds exactly."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.outcomes import Outcome
from stream.features.grid import DAY
from stream.model.linear import MILLION
from stream.partition.control import Kind
from stream.partition.outputs import BAND_CHANGES, SCORES
from tests.support.learned import random_snapshot
from tests.support.world import START, World, touchpoint

OUTCOMES: Final = (
    Outcome(name="purchase", horizon_days=28, cuts=(0.04, 0.08, 0.15, 0.3), hysteresis=0.01),
    Outcome(name="churn", kind="absence", horizon_days=7, base_rate=0.7, hysteresis=0.01),
)
KINDS: Final = ("purchase", "web_visit", "email_open", "email_sent")
VERSIONS: Final = 3

pauses = st.one_of(st.integers(0, 2 * DAY), st.integers(0, 30 * DAY))
happenings = st.lists(
    st.tuples(
        pauses,
        st.one_of(
            st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(KINDS)),
            st.tuples(st.sampled_from(OUTCOMES).map(lambda each: each.name), st.none()),
        ),
    ),
    min_size=1,
    max_size=15,
)
Happening = tuple[int, tuple[str, str | None]]


def lived(history: list[Happening], batch: int = 500) -> World:
    """A world after touchpoints, and after models that came into force between them."""
    world = World(outcomes=OUTCOMES, rules=())
    adopted = dict.fromkeys([outcome.name for outcome in OUTCOMES], 0)
    at = START
    for number, (pause, (who, kind)) in enumerate(history):
        at += pause
        if kind is not None:
            world.send(who, touchpoint(number, who, kind, at, value=number * 7.5), at)
        elif adopted[who] < VERSIONS:
            adopted[who] += 1
            outcome = next(each for each in OUTCOMES if each.name == who)
            vectorizer = world.pipeline.vectorizer
            made = random_snapshot(outcome, vectorizer, adopted[who], adopted[who])
            world.pipelines.library.add(made)
            world.control(Kind.ADOPT, at, what=f"model:{who}", version=adopted[who])
    world.control(Kind.TICK, at + 5 * DAY)
    asyncio.run(world.work(batch))
    return world


def exact(log_odds: float) -> int:
    """Millionths."""
    return round(log_odds * MILLION)


@settings(max_examples=60)
@given(happenings)
def test_what_moved_a_customer_adds_up_exactly(history: list[Happening]) -> None:
    """A change begins at the log-odds of the one before; events, silence and model lead to its own, exactly."""
    before: dict[tuple[str, str], dict[str, Any]] = {}
    for change in lived(history).bodies(BAND_CHANGES):
        key = change["customer_id"], change["outcome"]
        since, last = change["since_last_change"], before.get(key)
        before[key] = change
        reasons = sum(exact(each["contribution"]) for each in change["reasons"])
        assert exact(change["base_log_odds"]) + reasons == exact(change["log_odds"])
        if last is None:
            assert change["from"] == "unscored"
            assert since is None
            continue
        assert since["log_odds"] == last["log_odds"]
        assert sum(map(exact, since.values())) == exact(change["log_odds"])
        if last["model_version"] == change["model_version"]:
            assert since["model"] == 0


@settings(max_examples=20)
@given(happenings)
def test_how_a_log_is_cut_into_batches_moves_nobody(history: list[Happening]) -> None:
    """Record by record or all at once: the same scores, and the same is said of the same band changes."""
    one, all_ = lived(history, batch=1), lived(history)
    for topic in (SCORES, BAND_CHANGES):
        assert one.bodies(topic) == all_.bodies(topic)


def test_silence_and_models_are_told_apart_from_events() -> None:
    """What time alone did is silence's, and the first change that another model makes names the model."""
    purchase, adopted = ("ann", "purchase"), ("purchase", None)
    world = lived([(0, purchase), (40 * DAY, adopted), (3 * DAY, purchase)])
    told = [each for each in world.bodies(BAND_CHANGES) if each["outcome"] == "purchase"][1:]
    silent = [each for each in told if each["model_version"] == 0]
    assert silent
    for change in silent:
        since = change["since_last_change"]
        assert (since["events"], since["model"]) == (0, 0)
        assert since["silence"] < 0
    learned = next(each for each in told if each["model_version"] == 1)
    assert learned["since_last_change"]["model"] != 0


def test_what_a_change_of_models_moved_is_not_the_next_touchpoints_doing() -> None:
    """Minutes after a model came into force nothing is silence's: the touchpoint and the model moved all."""
    moved = 0
    for seed in range(20):
        world = World(outcomes=OUTCOMES, rules=())
        made = random_snapshot(OUTCOMES[0], world.pipeline.vectorizer, 1, seed)
        world.pipelines.library.add(made)
        world.send("ann", touchpoint(1, "ann", "purchase", START, value=7.5), START)
        world.control(Kind.ADOPT, START + 60, what="model:purchase", version=1)
        at = START + 120
        world.send("ann", touchpoint(2, "ann", "web_visit", at), at)
        asyncio.run(world.work())
        for change in world.bodies(BAND_CHANGES):
            since = change["since_last_change"]
            if since is not None and change["outcome"] == "purchase":
                moved += 1
                # Two ways of computing the prior differ by rounding.
                assert abs(exact(since["silence"])) <= 5
                assert since["model"]
    assert moved > 5

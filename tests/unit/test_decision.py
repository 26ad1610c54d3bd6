"""The whole decision over in-memory twins: what comes in, what is counted, what goes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.decisions import Decisions
from schemas.home import home
from schemas.intake import MOST_BYTES
from schemas.outcomes import Outcome
from schemas.rules import Rule
from schemas.types import TouchpointType
from stream.broker import deadletters
from stream.broker.memory import DEAD_LETTERS
from stream.broker.packing import Original
from stream.errors import LogLostError
from stream.partition.control import Headers, Kind
from stream.partition.ledger import decode_ledger
from stream.partition.outputs import BAND_CHANGES, SCORES, TOUCHPOINTS, TRIGGERS, Output
from stream.partition.size import size_of
from stream.partition.step import MOST_FORWARDED
from tests.support.live import unique
from tests.support.poison import POISON
from tests.support.world import START, World, touchpoint

DAY = 86_400
TWITCHY = Outcome(name="purchase", horizon_days=7, base_rate=0.05, cuts=(0.02, 0.06, 0.1, 0.15))


def dead(world: World) -> list[deadletters.Kept]:
    """The dead letters so far."""
    found = [
        deadletters.read(each.key, each.value, each.headers) for each in world.outputs(DEAD_LETTERS)
    ]
    return [each for each in found if each]


def reconciles(counts: dict[str, int]) -> bool:
    """Everything that came in is in exactly one of the parts."""
    parts = ("scored", "duplicates", "rejected", "forwarded", "control")
    return counts["in"] == sum(counts.get(part, 0) for part in parts)


async def test_a_touchpoint_becomes_a_score_and_first_bands() -> None:
    """The first touchpoint of a customer leads to one score and a band change from unscored per outcome."""
    world = World()
    world.send("ann", touchpoint(1, "ann", "purchase", START, value=12.5), START)
    await world.work()
    (score,) = world.bodies(SCORES)
    changes = world.bodies(BAND_CHANGES)
    assert score["customer_id"] == "ann"
    assert score["cause"] == "event"
    assert score["touchpoint"] == {"event_id": "e1", "type": "purchase"}
    assert {(each["basis"], each["model_version"]) for each in score["scores"] + changes} == {
        ("prior", 0)
    }
    assert [each["outcome"] for each in score["scores"]] == ["purchase", "coupon", "churn"]
    assert [each["from"] for each in changes] == ["unscored"] * 3
    assert [each["to"] for each in changes] == [each["band"] for each in score["scores"]]
    assert [each["probability"] for each in changes] == [
        each["probability"] for each in score["scores"]
    ]
    assert all(each["previous_probability"] is None and each["advice"] for each in changes)
    assert world.counts() == {
        "in": 1,
        "scored": 1,
        "band_changes_event": 3,
    }


async def test_silence_moves_a_customer_down_without_any_event() -> None:
    """Ticks alone bring a customer down band by band, at times of the customer's own."""
    world = World(outcomes=[TWITCHY], rules=[])
    world.send("ann", touchpoint(1, "ann", "purchase", START, value=12.5), START)
    world.control(Kind.TICK, START + 100 * DAY)
    await world.work()
    first, *silent = world.bodies(BAND_CHANGES)
    assert first["cause"] == "event"
    assert [each["cause"] for each in silent] == ["silence"] * len(silent)
    assert silent[-1]["to"] == "low" or silent[-1]["to"] == "very low"
    assert [each["from"] for each in silent] == [each["to"] for each in [first, *silent[:-1]]]
    assert all(each["previous_probability"] > each["probability"] for each in silent)
    assert all(each["touchpoint"] is None for each in silent)
    assert world.counts()["silence_scorings"] >= 100


async def test_the_same_event_within_a_day_is_ignored() -> None:
    """A repeated event id is counted as a duplicate and changes nothing; a day later it counts again."""
    world = World()
    for pause in (0, 1, 3600, DAY - 1):
        world.send("ann", touchpoint(1, "ann", "purchase", START), START + pause)
    await world.work()
    assert world.counts()["duplicates"] == 3
    assert len(world.outputs(SCORES)) == 1
    world.send("ann", touchpoint(1, "ann", "purchase", START + DAY), START + DAY)
    await world.work()
    assert world.counts()["scored"] == 2


async def test_a_misrouted_event_goes_home_once() -> None:
    """An event in another partition than its customer's is forwarded, scored at home, and once only."""
    world = World(partitions=4)
    wrong = (home("ann", 4) + 1) % 4
    for _ in range(2):
        world.send("ann", touchpoint(1, "ann", "purchase", START), START, partition=wrong)
    await world.work()
    await world.work()
    counts = world.counts()
    assert (counts["forwarded"], counts["scored"], counts["duplicates"]) == (2, 1, 1)
    assert reconciles(counts)
    (forwarded, again) = world.log.topics[TOUCHPOINTS, home("ann", 4)]
    assert forwarded.timestamp == START * 1000
    # the first forward once more, as a retry of a former owner would append it
    world.log.add(
        TOUCHPOINTS,
        home("ann", 4),
        forwarded.key,
        forwarded.value,
        forwarded.headers,
        (START + 3 * DAY) * 1000,
    )
    await world.work()
    assert world.counts()["duplicates"] == 2
    assert again.value == forwarded.value


async def test_the_body_wins_over_the_key() -> None:
    """Where key and body name different customers, the event goes to the home of the one in the body."""
    world = World(partitions=4)
    assert home("ann", 4) != home("zoe", 4)
    world.send("zoe", touchpoint(1, "ann", "purchase", START), START)
    await world.work()
    await world.work()
    assert [each["customer_id"] for each in world.bodies(SCORES)] == ["ann"]


@pytest.mark.parametrize(
    ("name", "value", "headers", "reason", "field"), POISON, ids=[each[0] for each in POISON]
)
async def test_a_dead_letter_keeps_everything_and_says_why(
    name: str,
    value: bytes | None,
    headers: tuple[tuple[str, bytes | None], ...],
    reason: str,
    field: str,
) -> None:
    """What cannot be scored is kept with bytes, key, headers, origin, a code and a sentence; the next is scored."""
    del name
    world = World()
    world.log.add(TOUCHPOINTS, 0, b"some key", value, headers, START * 1000)
    world.send("ann", touchpoint(2, "ann", "purchase", START), START)
    await world.work()
    (letter,) = dead(world)
    assert (letter.reason, letter.field) == (reason, field)
    assert letter.detail.startswith(f"{field}: expected")
    assert (letter.key, letter.value, letter.headers) == (b"some key", value, headers)
    assert (letter.topic, letter.partition, letter.offset) == ("touchpoints", 0, 0)
    counts = world.counts()
    assert (counts["scored"], counts["rejected"], counts[f"rejected_{reason}"]) == (1, 1, 1)
    assert reconciles(counts)


@pytest.mark.parametrize("beyond", [0, 1])
async def test_the_limit_holds_for_key_headers_and_value_together(beyond: int) -> None:
    """What is just small enough is scored after a forward, too; a byte more is refused where it came in."""
    world = World(partitions=2)
    wrong, key = 1 - home("ann", 2), b"k" * 20_000
    value = touchpoint(1, "ann", "purchase", START, attributes={"x": "y" * 20_000})
    headers: Headers = (("null", None), ("caf\udce9", b""))
    rest = MOST_BYTES - size_of(key, value, headers) - len("trace") - 2
    headers += (("trace", b"z" * (rest + beyond)),)
    world.log.add(TOUCHPOINTS, wrong, key, value, headers, START * 1000)
    await world.work()
    counts = world.counts()
    assert reconciles(counts)
    if beyond:
        (letter,) = dead(world)
        assert (letter.reason, letter.partition) == ("too_large", wrong)
        assert letter.original == Original(key, value, headers)
        assert "got 20000 + " in letter.detail
        assert "of key, headers and value together" in letter.detail
    else:
        assert (counts["forwarded"], counts["scored"]) == (1, 1)
        (forwarded,) = world.log.topics[TOUCHPOINTS, 1 - wrong]
        assert forwarded.headers[:3] == (("null", None), ("caf?", b""), headers[2])


async def test_one_step_forwards_no_more_than_its_outbox_takes() -> None:
    """Large headers count: what a step sends on, and stores with its states, stays near a megabyte."""
    world = World(partitions=2)
    wrong = 1 - home("ann", 2)
    for number in range(40):
        value = touchpoint(number, "ann", "purchase", START)
        world.log.add(TOUCHPOINTS, wrong, b"", value, (("t", b"z" * 60_000),), START * 1000)
    sizes: list[int] = []
    publish = world.log.publish

    async def noted(outputs: Sequence[Output]) -> None:
        sizes.append(sum(size_of(*each[2:5]) for each in outputs if each.topic == TOUCHPOINTS))
        await publish(outputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.log, "publish", noted)
        await world.work()
    assert world.counts()["forwarded"] == 40
    assert max(sizes) < MOST_FORWARDED + 10_000


async def test_a_control_record_of_another_partition_is_forged() -> None:
    """A control record copied into another partition does not count there."""
    world = World(partitions=2)
    value, headers = world.signer.control(0, Kind.LIVE)
    world.log.add(TOUCHPOINTS, 1, b"", value, headers, START * 1000)
    await world.work()
    assert [letter.reason for letter in dead(world)] == ["forged_control"]


def rule(**given: Any) -> Rule:
    """A rule about the highest purchase band, but for what is given."""
    return Rule.model_validate({"name": "r", "outcome": "purchase", "band": "very high"} | given)


async def test_triggers_wait_until_live() -> None:
    """A rule fires no trigger during history; after the live record it does, naming rule, change and advice."""
    world = World(outcomes=[TWITCHY], rules=[rule(cooldown_hours=1)])
    world.send("ann", touchpoint(1, "ann", "purchase", START, value=50), START)
    world.control(Kind.LIVE, START)
    world.send("bob", touchpoint(2, "bob", "purchase", START, value=50), START)
    await world.work()
    (trigger,) = world.bodies(TRIGGERS)
    changes = [json.loads(each.value or b"") for each in world.outputs(BAND_CHANGES)]
    (change,) = [each for each in changes if each["data"]["customer_id"] == "bob"]
    assert (trigger["rule"], trigger["customer_id"]) == ("r", "bob")
    assert trigger["band_change_id"] == change["id"]
    assert trigger["advice"] == change["data"]["advice"]
    assert world.counts()["control"] == 1


async def test_a_rule_rests_after_firing() -> None:
    """Within its cooldown a rule fires once for a customer, however often the band is entered."""
    fickle = TWITCHY.model_copy(update={"cuts": (0.02, 0.06, 0.1, 0.4)})
    for hours, expected in ((24 * 365, 1), (0, 2)):
        world = World(outcomes=[fickle], rules=[rule(cooldown_hours=hours)])
        world.control(Kind.LIVE, START)
        for number, day in enumerate(
            (0, 0.01, 0.02, 0.03, 0.04, 0.05, 80, 80.01, 80.02, 80.03, 80.04, 80.05)
        ):
            at = START + day * DAY
            world.send("ann", touchpoint(number, "ann", "purchase", at, value=500), at)
        await world.work()
        assert len(world.bodies(TRIGGERS)) == expected
        unique(world.outputs(TRIGGERS))


async def test_an_older_version_never_replaces_a_newer_one() -> None:
    """An adopt record that is not newer than the version in force is ignored."""
    world = World()
    for version in (3, 2, 3):
        world.control(Kind.ADOPT, START, what="model-of-old", version=version)
    await world.work()
    assert decode_ledger(world.store.partitions[0].ledger).versions == {"model-of-old": 3}


async def test_adopted_decisions_take_effect_at_their_record() -> None:
    """Cut points adopted in the log hold from that record on, for every worker, whatever its own settings are."""
    adopted = Decisions(outcomes=(TWITCHY,), rules=())
    mild = TWITCHY.model_copy(update={"cuts": (0.9, 0.95, 0.97, 0.99)})
    worlds = []
    for own, batch in (([TWITCHY], 1), ([mild], 500)):
        world = World(outcomes=own, rules=[])
        first = Decisions(outcomes=(mild,), rules=())
        world.control(Kind.ADOPT, START, what="settings", version=1, body=first.text)
        world.send("ann", touchpoint(1, "ann", "purchase", START, value=50), START)
        world.send("bob", touchpoint(2, "bob", "purchase", START, value=50), START)
        world.control(Kind.ADOPT, START, what="settings", version=2, body=adopted.text)
        world.send("ann", touchpoint(3, "ann", "purchase", START + 60, value=50), START + 60)
        world.control(Kind.ADOPT, START, what="settings", version=1, body=first.text)
        world.send("bob", touchpoint(4, "bob", "purchase", START + 120, value=50), START + 120)
        await world.work(batch)
        assert [each["to"] for each in world.bodies(BAND_CHANGES)] == ["very low"] * 2 + [
            "very high"
        ] * 2
        worlds.append(world)
    assert await worlds[0].digest() == await worlds[1].digest()
    assert unique(worlds[0].outputs(BAND_CHANGES)) == unique(worlds[1].outputs(BAND_CHANGES))


async def test_decisions_over_other_outcomes_stop_the_partition() -> None:
    """Adopting outcomes that the states were not made for is refused with a sentence, not worked on."""
    world = World(outcomes=[TWITCHY], rules=[])
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    other = Decisions(outcomes=(TWITCHY.model_copy(update={"name": "other"}),))
    world.control(Kind.ADOPT, START, what="settings", version=1, body=other.text)
    world.send("bob", touchpoint(2, "bob", "purchase", START), START)
    with pytest.raises(LogLostError, match="outcomes"):
        await world.work()


async def test_a_type_added_later_is_scored_by_the_same_states() -> None:
    """Once a new touchpoint type is adopted, records of it count, and what was counted before still does."""
    world = World(outcomes=[TWITCHY], rules=[])
    world.send("ann", touchpoint(1, "ann", "purchase", START, value=50), START)
    world.send("ann", touchpoint(2, "ann", "test_drive", START), START)
    more = Decisions(types=(TouchpointType(name="test_drive"),), outcomes=(TWITCHY,))
    world.control(Kind.ADOPT, START, what="settings", version=1, body=more.text)
    world.send("ann", touchpoint(3, "ann", "test_drive", START + 60), START + 60)
    await world.work()
    assert [letter.reason for letter in dead(world)] == ["unknown_type"]
    assert world.counts()["scored"] == 2
    reasons = world.bodies(BAND_CHANGES)[-1]["reasons"]
    purchases = next(each["text"] for each in reasons if each["family"] == "purchases")
    assert purchases.startswith("1 purchase")


async def test_a_replay_never_goes_live() -> None:
    """In a log that says of itself that it is a replay, a live record changes nothing."""
    world = World(outcomes=[TWITCHY], rules=[rule(cooldown_hours=0)])
    world.control(Kind.ADOPT, 0, what="replay", version=1)
    world.control(Kind.LIVE, START)
    world.send("ann", touchpoint(1, "ann", "purchase", START, value=50), START)
    await world.work()
    assert world.bodies(BAND_CHANGES)
    assert not world.bodies(TRIGGERS)


async def test_a_long_silence_is_worked_on_in_slices() -> None:
    """However much falls due at one record, an owner gives way after a bounded number of steps."""
    world = World(outcomes=[TWITCHY], rules=[])
    for number in range(50):
        world.send(f"c{number}", touchpoint(number, f"c{number}", "purchase", START), START)
    await world.work()
    world.control(Kind.TICK, START + 600 * DAY)
    (owner,) = world.owners
    calls = 0
    await owner.work(world.log.read(0, 10))
    while owner.busy:
        await owner.work(())
        calls += 1
    assert calls >= 2
    assert world.counts()["silence_scorings"] >= 50 * 600


async def test_an_owner_with_nothing_to_read_lets_time_pass_for_those_due() -> None:
    """In a live partition an idle owner appends a tick as soon as somebody is due, and not before."""
    world = World()
    world.control(Kind.LIVE, START)
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    await world.work()
    (owner,) = world.owners
    before = await world.log.end(0)
    await owner.work(())
    assert await world.log.end(0) == before
    world.wall = START + DAY
    await owner.work(())
    assert await world.log.end(0) == before + 1
    await world.work()
    assert world.counts()["control"] == 2
    assert world.counts()["silence_scorings"] >= 1


async def test_history_gets_no_ticks_from_an_idle_owner() -> None:
    """Before going live only the program that replays turns the clock."""
    world = World()
    world.send("ann", touchpoint(1, "ann", "purchase", START), START)
    await world.work()
    world.wall = START + DAY
    before = await world.log.end(0)
    await world.owners[0].work(())
    assert await world.log.end(0) == before

"""What the benchmarks measure with, and how they tell a difference."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks.goals import GOALS, verdicts
from benchmarks.latency import percentiles
from benchmarks.log import DAY, Recipe, touches
from benchmarks.same import Change, DifferentError, compare

CHANGE = Change("purchase", "unscored", "low", 0.1, "2025-01-01T00:00:00Z")


def test_a_recipe_always_gives_the_same_log() -> None:
    """A log is the same byte for byte each time, in time order; another seed gives another one."""
    recipe = Recipe(events=500, customers=50)
    log = touches(recipe)
    assert log == touches(recipe)
    assert [touch.at for touch in log] == sorted(touch.at for touch in log)
    assert log != touches(Recipe(events=500, customers=50, seed=1))


def test_the_log_is_as_it_is_described() -> None:
    """As many touchpoints and customers as asked, within the days, of 8 types and more, some with a value."""
    recipe = Recipe(events=4_000, customers=300, days=30)
    log = touches(recipe)
    bodies = [json.loads(touch.value) for touch in log]
    customers = Counter(touch.customer for touch in log)
    assert len(log) == 4_000
    assert 290 <= len(customers) <= 300
    assert customers.most_common(1)[0][1] > 5 * 4_000 / 300, "a few customers do a lot"
    assert recipe.start * 1000 <= log[0].at < log[-1].at < (recipe.start + 30 * DAY) * 1000
    assert len({body["type"] for body in bodies}) >= 8
    assert 0.2 < sum("value" in body for body in bodies) / 4_000 < 0.4


def test_everybody_does_the_same_number_where_asked() -> None:
    """With `each`, every customer has exactly that many touchpoints."""
    customers = Counter(touch.customer for touch in touches(Recipe(customers=40, each=50)))
    assert set(customers.values()) == {50}
    assert len(customers) == 40


@pytest.mark.parametrize(
    "found",
    [
        {"a": [CHANGE]},
        {"a": [CHANGE], "b": [CHANGE._replace(probability=0.2)]},
        {"a": [CHANGE], "b": [CHANGE, CHANGE]},
    ],
)
def test_a_difference_is_noticed(found: dict[str, list[Change]]) -> None:
    """A missing, another and an additional band change fail the comparison, with the customer's name."""
    with pytest.raises(DifferentError, match="customer b"):
        compare("a peer", {"a": [CHANGE], "b": [CHANGE]}, found)


def test_the_same_passes() -> None:
    """Equal band changes are equal, whoever's customers come first."""
    compare("a peer", {"a": [CHANGE], "b": [CHANGE]}, {"b": [CHANGE], "a": [CHANGE]})


def test_percentiles_are_in_milliseconds() -> None:
    """Half of the times lie below p50, one in a hundred above p99."""
    found = percentiles([number / 1000 for number in range(101)])
    assert found == {"p50": pytest.approx(50), "p99": pytest.approx(99), "max": pytest.approx(100)}


def test_goals_are_judged_where_measured() -> None:
    """A figure has a verdict, one that was not measured has none."""
    found = verdicts({"ratio_faust": 11.0, "latency_ms": {"p50": 10.0}})
    assert {name: each["met"] for name, each in found.items()} == {
        "ratio_faust": False,
        "latency_ms.p50": True,
    }
    assert len(GOALS) > len(found)

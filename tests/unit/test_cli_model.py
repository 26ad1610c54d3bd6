"""`bandshift model`: what it tells of versions, and what it asks of a learner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from stream import cli
from stream.broker.snapshots import Published
from stream.commands import model
from stream.commands.model_words import Listed, as_data, list_lines, show_lines
from stream.commands.style import Style
from stream.errors import ModelError
from stream.model.learning.orders import read_order
from stream.model.snapshot import Snapshot, encode_snapshot
from stream.settings import DEFAULT_OUTCOMES
from tests.support.models import metrics, snapshot

PLAIN = Style(colour=False)
PURCHASE, CHURN = DEFAULT_OUTCOMES[0], DEFAULT_OUTCOMES[2]
Invoke = Callable[..., Result]


def version(number: int, held: int | None = None, **other: Any) -> Snapshot:
    """A version of the model of purchases."""
    measured = metrics() if held is None else metrics() | {"held": held}
    return msgspec.convert(snapshot(version=number, metrics=measured, **other), Snapshot)


def published(*versions: Snapshot, wanted: tuple[int, ...] = ()) -> Published:
    """As found in the topic."""
    found = Published()
    for each in versions:
        found.take(each, wanted)
    return found


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Calls `bandshift model`, with settings of its own, and a key to sign with."""
    monkeypatch.chdir(tmp_path)
    for name in ("BANDSHIFT_CONFIG", "BANDSHIFT_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BANDSHIFT_CONTROL__KEY", "a key of some length for the tests")
    monkeypatch.setenv("BANDSHIFT_LEARNING__ENABLED", "true")
    return lambda *words: CliRunner().invoke(cli.main, ["model", *words])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """What was appended for learners: outcome, version, and body."""
    found: list[tuple[str, int, str]] = []

    async def append(_settings: object, _signer: object, *what: Any) -> None:
        found.append(what)

    monkeypatch.setattr(model, "_append", append)
    return found


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 3 is all that was published."""

    async def read(_settings: object, outcome: str, number: int | None) -> Snapshot:
        return model.chosen(outcome, published(version(3)), number)

    monkeypatch.setattr(model, "_read", read)


def test_a_list_shows_the_latest_and_what_is_in_force() -> None:
    """The newest come first; an old version that a partition still scores with is there too, and so is the prior."""
    found = published(*(version(number) for number in range(1, 21)))
    listed = Listed("purchase", found, [20, 2, 0, 20], 3)
    lines = list_lines(listed, PLAIN)
    cells = [line.split() for line in lines[2:]]
    assert [row[0] for row in cells] == ["20", "19", "18", "2", "prior"]
    assert lines[2].endswith("partitions 0, 3")
    assert lines[3].endswith("0.0102")
    assert lines[5].endswith("partition 1")
    assert lines[6].endswith("partition 2")
    assert cells[0][3:10] == [
        *("bayes-0.998", "12,345", "2,345"),
        *("0.3051", "0.3502", "0.3911", "0.0102"),
    ]
    data = as_data(listed)
    assert [each["version"] for each in data["versions"]] == [20, 19, 18, 2]
    assert data["in_force"] == {"0": 20, "1": 2, "2": 0, "3": 20}
    assert data["versions"][0]["in_force"] == [0, 3]
    assert json.loads(json.dumps(data)) == data


def test_a_list_of_all_leaves_none_out() -> None:
    """Without a limit every version is told, and one in force in all partitions is in force everywhere."""
    found = published(*(version(number) for number in range(1, 21)))
    listed = Listed("purchase", found, [20, 20], None)
    assert len(listed.versions) == 20
    assert list_lines(listed, PLAIN)[2].endswith("everywhere")


def test_a_held_outcome_says_so() -> None:
    """While the newest version is one that was rolled back to, the list and the version itself tell it."""
    held = published(version(7), version(8, held=3))
    listed = Listed("purchase", held, [8], 10)
    lines = list_lines(listed, PLAIN)
    assert "held: rolled back to version 3" in lines[1]
    assert lines[3].split()[:3] == ["8", "(=", "3)"]
    assert as_data(listed)["held"] == 3
    assert "held" in "\n".join(show_lines(held.whole[8], PURCHASE, {}, PLAIN))
    released = Listed("purchase", published(version(8, held=3), version(9)), [9], 10)
    assert "held" not in list_lines(released, PLAIN)[1]
    assert as_data(released)["held"] is None


def test_a_list_without_versions_says_who_scores() -> None:
    """Before anything was learned, that is what the list says."""
    lines = list_lines(Listed("purchase", Published(), [0], 10), PLAIN)
    assert lines[1:] == ["  no version has been published yet; the prior scores"]


def test_versions_without_figures_are_listed() -> None:
    """A first version comes before any horizon has ended: its figures are missing."""
    early = msgspec.convert(snapshot(version=1, metrics={}, examples=0, positives=0), Snapshot)
    line = list_lines(Listed("purchase", published(early), [1], 10), PLAIN)[2]
    assert line.split()[4:] == ["0", "0", "-", "-", "-", "-", "everywhere"]
    assert "reliability" not in "\n".join(show_lines(early, PURCHASE, {}, PLAIN))


def test_a_version_is_shown_in_full() -> None:
    """Stages with their strongest weights and families, the calibrator, losses, reliability, bands and alarms."""
    families = {"purchase_30d": "purchases", "freshness": "time since"}
    text = "\n".join(show_lines(version(7), PURCHASE, families, PLAIN))
    for expected in (
        "purchase, version 7",
        "days 0 to 28  14,000 stage examples",
        "calibrator: +0.0000, and +0.0000 times the log-odds",
        "purchase_30d*freshness  -0.1000   purchases and time since",
        "champion   0.3051",
        "ECE 0.0102, Brier 0.0912",
        "70.0 %     67.9 %    1,200",
        "very high  65.0 % to 100.0 %  80.0 %",
        "2017-06-04 00:00:00  purchase_30d moved from 0.42 to 0.61",
    ):
        assert expected in text
    assert text.index("bayes-0.998  0.41") < text.index("river-lr     0.45")
    assert "none of its touchpoints" in "\n".join(show_lines(version(7), CHURN, {}, PLAIN))


def test_the_version_asked_for_is_chosen() -> None:
    """The latest unless another is named; one that there is not is refused with those that there are."""
    found = published(*(version(number) for number in (9, 4, 5, 3)), wanted=(4,))
    assert model.chosen("purchase", found, None).version == 9
    assert model.chosen("purchase", found, 4).version == 4
    with pytest.raises(ModelError, match="got 7, there are 3 to 5, 9"):
        model.chosen("purchase", found, 7)
    with pytest.raises(ModelError, match="no version has been published yet"):
        model.chosen("purchase", Published(), None)


@pytest.mark.parametrize(
    "words",
    [("show", "sales"), ("promote", "sales", "bayes-1.0"), ("rollback", "sales", "3")],
)
def test_an_unknown_outcome_is_refused(words: tuple[str, ...], invoke: Invoke) -> None:
    """Before anything is connected to, in a line that names those that there are."""
    result = invoke(*words)
    assert result.exit_code == 1
    assert result.stderr == (
        "bandshift: outcome: expected one of purchase, coupon, churn; got 'sales'\n"
    )


def test_an_unknown_challenger_is_refused(invoke: Invoke) -> None:
    """In a line that names all contenders."""
    result = invoke("promote", "purchase", "best")
    assert result.exit_code == 1
    assert "expected one of bayes-0.998, bayes-1.0, bayes-0.995, river-lr; got 'best'" in (
        result.stderr
    )


def test_a_promotion_is_told(invoke: Invoke, told: list[tuple[str, int, str]]) -> None:
    """The learner of the outcome is asked to make that contender champion."""
    result = invoke("promote", "purchase", "river-lr")
    assert result.output == "purchase: river-lr is champion from the next period on\n"
    ((outcome, number, body),) = told
    assert (outcome, number) == ("purchase", 0)
    assert read_order(1, body) == (1, "river-lr", None)
    assert json.loads(invoke("promote", "purchase", "river-lr", "--json").output)["action"] == (
        "promote"
    )


@pytest.mark.usefixtures("there")
def test_a_version_of_other_stages_is_not_rolled_back_to(
    invoke: Invoke, told: list[tuple[str, int, str]]
) -> None:
    """What no worker could score by is refused where it is asked for, and no record is written."""
    result = invoke("rollback", "purchase", "3")
    assert result.exit_code == 1
    assert "purchase: version 3 cannot be used here: snapshot: expected stages" in result.stderr
    assert told == []
    assert "got 4, there are 3" in invoke("rollback", "purchase", "4").stderr


@pytest.mark.usefixtures("there")
def test_a_version_is_shown_as_json_as_it_was_published(invoke: Invoke) -> None:
    """With --json, the record with its checksum."""
    result = invoke("show", "purchase", "--json")
    assert json.loads(result.output) == json.loads(encode_snapshot(version(3)))


def test_nothing_is_told_where_nothing_learns(
    invoke: Invoke, told: list[tuple[str, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a learner, or a key to sign with, an order is refused."""
    with monkeypatch.context() as patch:
        patch.setenv("BANDSHIFT_LEARNING__ENABLED", "false")
        result = invoke("promote", "purchase", "river-lr")
        assert "learning.enabled: expected true" in result.stderr
    monkeypatch.delenv("BANDSHIFT_CONTROL__KEY")
    assert "control.key" in invoke("promote", "purchase", "river-lr").stderr
    assert told == []

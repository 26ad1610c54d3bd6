"""`bandshift rebuild` refuses what it must not touch, and says what was done and what to do next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from stream.broker.copier import Tally
from stream.broker.topics import Topics
from stream.cli import main
from stream.commands.rebuild import Done, then, told

NEXT = Topics("next")
PLAIN = Done(
    tally=Tally(records=1_010, touchpoints=1_000, controls=8, rejected=2),
    snapshots=0,
    models=None,
    live=False,
    learning=False,
    other=False,
    seconds=2.0,
)


@pytest.mark.parametrize("name", ["", "shop"])
def test_the_namespace_itself_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is never copied into itself; before anything is connected to."""
    monkeypatch.setenv("BANDSHIFT_NAMESPACE", "shop")
    result = CliRunner().invoke(main, ["rebuild", "--namespace", name])
    assert result.exit_code == 1
    assert "expected the name of a new namespace" in result.output


def test_a_plain_copy_is_told_in_one_line() -> None:
    """What did not happen is not mentioned."""
    assert told(PLAIN, NEXT) == [
        (
            "1,010 records read in 2.0 s; next.touchpoints holds 1,000 touchpoints, 8 control records and 2 "
            "records that cannot be scored"
        )
    ]


def test_what_is_not_as_it_was_is_told() -> None:
    """Misrouted and too large records, and what became of the models."""
    tally = replace(PLAIN.tally, misrouted=12, forwards=12, large=3)
    text = "\n".join(told(replace(PLAIN, tally=tally, models=True, snapshots=45), NEXT))
    assert "12 touchpoints had arrived elsewhere: copied to their homes, once" in text
    assert "3 records left out" in text
    assert "45 records of models copied" in text
    assert "models left out" in "\n".join(told(replace(PLAIN, models=False), NEXT))


def test_the_next_steps_come_in_order() -> None:
    """Workers, learner, the broker's clock, and only then producers."""
    steps = then(replace(PLAIN, learning=True, live=True, other=True), Topics(""), NEXT)
    words = ("worker", "learner", "doctor", "live", "adopt", "BANDSHIFT_NAMESPACE=next", "triggers")
    for number, word in enumerate(words, 1):
        assert steps[number].startswith(f"  {number}. ")
        assert word in steps[number]
    assert len(steps) == len(words) + 1
    few = "\n".join(then(PLAIN, Topics(""), NEXT))
    assert "learner" not in few
    assert "bandshift live" not in few

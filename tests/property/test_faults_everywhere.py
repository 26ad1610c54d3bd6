"""Nothing left to chance: every fault at every call, and two owners at once in every order up to a depth.

The log is the smallest in which everything occurs: misplaced touchpoints, a poison record, ticks amid whose
due scorings a step ends, adoptions of settings and of models, one of them too old.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.faults import owners, sweep
from tests.support.faults.promises import Result, result_of

DEPTH = 7
DEPTH_WITH_FALLS = 4
SEEDS = range(100)


def breaches(results: Sequence[Result]) -> list[str]:
    """How any promise was broken, with what replays it."""
    return [line for each in results for line in each.broken]


def test_the_undisturbed_run_meets_every_kind_of_record() -> None:
    """The log that every fault is tried on has all kinds of record, and each call of owner, log and store occurs."""
    found = result_of(sweep.Sweep())
    assert found.broken == []
    assert not found.notes.happened
    counted = (
        "scored",
        "silence_scorings",
        "forwarded",
        "rejected",
        "control",
        "band_changes_event",
    )
    assert sorted({*counted, "adoptions_purchase"} - found.counts.keys()) == []
    asked = {each.partition(": ")[2] for each in sweep.calls()}
    assert asked >= {"claim", "committed", "beginning", "end", "hold", "load", "due", "apply"}
    assert asked >= {"publish", "bury", "commit", "append"}


@pytest.mark.parametrize("part", range(4))
def test_every_fault_at_every_call_leaves_no_trace(part: int) -> None:
    """Crashes before, amid and after, lost and late replies, repeats, time-outs, falls of the store: all is as ever.

    Every second of them; `make simulate` tries all.
    """
    results = [result_of(sweep.Sweep(faults)) for faults in sweep.singles()[2 * part :: 8]]
    assert breaches(results) == []


def test_several_faults_leave_no_trace() -> None:
    """Two or three faults, most of them amid a take-over, and two owners in long orders: all is as ever."""
    several = [result_of(sweep.Sweep(sweep.several(seed))) for seed in SEEDS]
    long = [result_of(owners.by_chance(seed)) for seed in SEEDS]
    assert breaches([*several, *long]) == []


def test_two_owners_at_once_leave_no_trace() -> None:
    """From every call on, whichever of the two is answered next, seven times over: all is as ever."""
    results = [found for begin in range(owners.calls()) for found in owners.duels(begin, DEPTH)]
    assert len(results) > 500
    assert breaches(results) == []


def test_two_owners_at_once_on_a_store_that_falls_back_leave_no_trace() -> None:
    """The same, the store falling back once between any two of their calls."""
    begins = range(0, owners.calls(), 2)
    results = [
        found for begin in begins for found in owners.duels(begin, DEPTH_WITH_FALLS, falls=True)
    ]
    assert len(results) > 250
    assert breaches(results) == []


@pytest.mark.parametrize(
    "run", [("--seed", "3"), ("--faults", "17:lost:0,25:crash:1"), ("--owners", "5:2,2,1,f2,1")]
)
def test_a_run_can_be_looked_at(run: tuple[str, str]) -> None:
    """What replays a run shows it call by call, with its faults, and whether all promises were kept."""
    command = [sys.executable, "-m", "tests.support.faults", *run]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "worker 1 of 0: claim" in told.stdout
    assert "all promises were kept" in told.stdout


def test_a_simulation_that_breaks_a_promise_fails_and_says_how_to_see_it_again() -> None:
    """Without a safeguard `make simulate` ends with exit status 1, and prints what replays the run."""
    options = ["--minutes", "0.03", "--without", "outbox not stored"]
    command = [sys.executable, "-m", "tests.support.faults", *options]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "tests.support.faults --" in told.stdout.replace("\n", " ")

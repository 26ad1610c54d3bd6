from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import run
from tests.chaos.faults import FAULTS
from tests.chaos.goals import broken
from tests.chaos.options import ONCE_TIMEOUT, Options


@pytest.mark.timeout(900)
async def test_every_fault_once_and_nothing_differs(tmp_path: Path) -> None:
    """After every kind of fault states, outputs, dead letters and models are those of an undisturbed run."""
    options = Options(once=True, kafka_timeout=ONCE_TIMEOUT, directory=tmp_path)
    found = await run.work(options, print)
    assert found["first_differences"] == []
    assert found["differences"]["total"] == 0
    assert broken(found) == []
    assert set(found["kinds"]) == set(FAULTS)
    for name in ("poison", "hidden", "misrouted"):
        assert found["sent"][name], f"{name} records were among it"
    for name in (
        "states",
        "scores",
        "band-changes",
        "triggers",
        "examples",
        "dead letters",
        "models",
    ):
        assert found["compared"][name], f"there were {name} to compare"
    stopped = [each for each in found["windows"] if each["progress_after_s"] is None]
    assert not stopped, "work went on after every fault"

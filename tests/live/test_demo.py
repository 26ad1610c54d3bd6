"""`bandshift demo` as a stranger runs it: to its own end, and to Ctrl-C; nothing is left either way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from tests.support.command import BANDSHIFT

# Two demos at a time on a busy machine; each has bounds of its own.
pytestmark = pytest.mark.timeout(240)
HOSTILE: Final = {
    "BANDSHIFT_KAFKA__BOOTSTRAP": "nowhere.invalid:1",
    "BANDSHIFT_OUTCOMES": "[]",
    "BANDSHIFT_CONTROL__KEY": "the user's own key",
}
"""A user's settings, which are none of the demo's business."""
SECRETS: Final = ("BANDSHIFT_CONTROL__KEY", "BANDSHIFT_KAFKA__PASSWORD", "BANDSHIFT_REDIS__URL")


class Demo:
    """A demo that runs, and what was seen of it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._children: list[psutil.Process] = []
        self._secrets: set[str] = set()

    def read_to(self, *words: str) -> str:
        """The next line that holds one of these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if any(word in line for word in words):
                return line
        assert self.process.stderr is not None
        raise AssertionError("\n".join([*self.lines, self.process.stderr.read()]))

    def look_around(self) -> None:
        """Note all that it has started, and what must not be shown."""
        self._children = psutil.Process(self.process.pid).children(recursive=True)
        commands = [child.cmdline() for child in self._children]
        for command, child in zip(commands, self._children, strict=True):
            if "stream.cli" in command:
                self._secrets |= {child.environ()[name] for name in SECRETS}
        programs = {command[-1] for command in commands if "stream.cli" in command}
        assert programs == {"worker", "learner", "api"}
        shown = "\n".join(" ".join(command) for command in commands)
        assert not [secret for secret in self._secrets if secret in shown]

    def ended_well(self, directory: Path) -> None:
        """It ends with 0, and has left nothing but its summary."""
        rest, errors = self.process.communicate(timeout=100)
        self.lines += rest.splitlines()
        assert self.process.returncode == 0, errors
        assert errors == ""
        assert len(self._secrets) >= len(SECRETS)
        assert not [secret for secret in self._secrets if secret in "\n".join(self.lines)]
        assert not [child for child in self._children if child.is_running()]
        assert f"  {Path('var') / 'demo-summary.json'}" in self.lines
        assert not list(directory.glob("[!.v]*"))


@contextmanager
def demo(directory: Path, seconds: float | None = None) -> Iterator[Demo]:
    """A demo that was started in `directory`."""
    environment = {name: text for name, text in os.environ.items() if name != "DEMO_SECONDS"}
    if seconds is not None:
        environment["DEMO_SECONDS"] = str(seconds)
    process = subprocess.Popen(
        [*BANDSHIFT, "demo"],
        env=environment | HOSTILE,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Demo(process)
    finally:
        process.kill()  # takes its children along
        process.communicate()


def summary_in(directory: Path) -> dict[str, Any]:
    """The summary; all that the run took in is accounted for."""
    (written,) = (directory / "var").glob("[!.]*")
    found: dict[str, Any] = json.loads(written.read_text())
    ends = ("scored", "duplicates", "rejected", "forwarded", "control")
    assert found["events_in"] == sum(found[end] for end in ends)
    assert found["band_changes"] == sum(found["band_changes_by_cause"].values())
    for numbers in found["bands"].values():
        assert sum(numbers.values()) == found["customers"]
    assert len(found["digest"]) == 32
    assert list(found["models"]) == list(found["bands"])
    for model in found["models"].values():
        assert 0 <= model["positives"] <= model["examples"]
        assert set(model["log_loss"]) == (
            {"champion", "prior", "base_rate"} if model["examples"] else set()
        )
        assert bool(model["adoptions"]) == bool(model["model_version"])
    return found


def test_it_ends_by_itself_with_a_summary(tmp_path: Path) -> None:
    """DEMO_SECONDS ends it with counts that reconcile, awkward touchpoints and latencies among them."""
    with demo(tmp_path, 25) as running:
        assert "http://127.0.0.1:" in running.read_to("page")
        running.look_around()
        running.read_to("→")
        running.ended_well(tmp_path)

    found = summary_in(tmp_path)
    played = found["live_touchpoints"]
    assert found["scored"] == found["history_touchpoints"] + played
    assert found["duplicates"] > 0
    assert found["rejected"] > 0
    assert found["forwarded"] > 0
    assert found["triggers"] > 0
    assert found["silence_scorings"] > 0
    assert all(found["band_changes_by_cause"].values())
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert 0 < found["latency_samples"] < found["band_changes_by_cause"]["event"]
    assert found["events_per_second"] > 0
    assert found["kafka_version"].startswith("4.")
    assert found["redis_version"].startswith("6.2")
    assert all(model["model_version"] > 0 for model in found["models"].values()), "all were learned"
    assert any("learned, version" in line for line in running.lines), "and that was shown"


def test_two_at_a_time_end_when_they_are_told_to(tmp_path: Path) -> None:
    """Two demos run side by side in one directory; Ctrl-C ends one, SIGTERM the other, both in order."""
    with demo(tmp_path) as one, demo(tmp_path) as two:
        for running in (one, two):
            running.read_to("page")
            running.look_around()
            running.read_to("→")
        one.process.send_signal(signal.SIGINT)
        two.process.send_signal(signal.SIGTERM)
        one.ended_well(tmp_path)
        two.ended_well(tmp_path)

    found = summary_in(tmp_path)
    assert found["scored"] > 0
    assert found["latency_ms"] == {"p50": None, "p99": None}, "it never went live"

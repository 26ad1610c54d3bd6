"""The start-up archive is an extra: whatever goes wrong with it costs speed and nothing else."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from stream.embedded.archive import _forget_unused, ensure_archive
from stream.embedded.files import no_progress
from stream.errors import EmbeddedError


def test_a_failed_training_is_not_tried_again(tmp_path: Path) -> None:
    """If the training run fails, Kafka starts without an archive, now and later."""
    runs: list[list[str]] = []

    def fail(_directory: Path, options: list[str]) -> None:
        runs.append(options)
        raise EmbeddedError("Kafka did not answer.")

    for _ in range(2):
        assert ensure_archive(tmp_path, [], fail, no_progress) is None
    assert len(runs) == 1
    assert "-XX:AOTMode=record" in runs[0]


def test_a_training_that_recorded_nothing_is_a_failure(tmp_path: Path) -> None:
    """If Java writes no archive, none is used and nothing unfinished stays."""
    assert ensure_archive(tmp_path, [], lambda *_: None, no_progress) is None
    assert not list(tmp_path.glob("*.aot"))
    assert not list(tmp_path.glob(".training-*"))


def test_nobody_waits_for_another_process(tmp_path: Path) -> None:
    """While another process makes the archive, this one goes on without."""

    def train(_directory: Path, _options: list[str]) -> None:
        pytest.fail("both would do the same work")

    with (tmp_path / "archive.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert ensure_archive(tmp_path, [], train, no_progress) is None


def test_an_archive_is_made_once(tmp_path: Path) -> None:
    """An archive that is there is used, without a training run."""

    def train(_directory: Path, _options: list[str]) -> None:
        raise EmbeddedError("Kafka did not answer.")

    assert ensure_archive(tmp_path, [], train, no_progress) is None
    (failed,) = tmp_path.glob("start-*.failed")
    archive = failed.with_suffix(".aot")
    archive.touch()
    assert ensure_archive(tmp_path, [], train, no_progress) == archive


def test_unused_archives_go(tmp_path: Path) -> None:
    """Of the archives of several environments, the three used last are kept."""
    for age in range(5):
        archive = tmp_path / f"start-{age}.aot"
        archive.touch()
        os.utime(archive, (1_000 - age, 1_000 - age))
    _forget_unused(tmp_path)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["start-0", "start-1", "start-2"]

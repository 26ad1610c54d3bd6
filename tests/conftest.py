"""Rules for every test: where it lives says what it needs, and what needs real servers is never skipped."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

# As `stream.cli` does for every program, before anything imports numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A machine that is busy is no failure: nothing in a test is timed.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

pytest_plugins = ["pytester", "tests.engines"]

_NEVER_SKIPPED = ("live", "browser", "chaos")
_TESTS = Path(__file__).parent


def _room(path: Path) -> str | None:
    """Which of the folders that must not skip `path` lies in, if any."""
    inside = path.relative_to(_TESTS).parts if path.is_relative_to(_TESTS) else ()
    return inside[0] if inside and inside[0] in _NEVER_SKIPPED else None


_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


def _forbid_skip(report: _Report, path: Path) -> _Report:
    """Turn a skipped test or module of such a folder into a failure that keeps the reason.

    A live test that skips itself is a green light for something that was never tried.
    """
    room = _room(path)
    expected_to_fail = hasattr(report, "wasxfail")
    if room and report.skipped and not expected_to_fail:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"tests/{room} must not skip: set up what is missing instead. {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of tests/live, tests/browser and tests/chaos, so that `-m "not live"` works."""
    for item in items:
        room = _room(item.path)
        if room:
            item.add_marker(room)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Forbid skips inside a test, its fixtures and its marks."""
    return _forbid_skip((yield), item.path)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Forbid skips of a whole module."""
    return _forbid_skip((yield), collector.path)

"""`bandshift doctor` says what is rebuilt from the log, and what cannot be."""

from __future__ import annotations

from stream.checks import Level, Report, tell_rebuild
from stream.partition.rebuilding import Pace, Place


def told(places: list[Place], *, later: list[Place] | None = None) -> Report:
    """The report on partitions that stood so, and a second later so."""
    report, pace = Report(), Pace()
    report.rebuilding = pace.look(0.0, places)
    if later is not None:
        report.rebuilding = pace.look(1.0, later)
    tell_rebuild(report, later or places, [0] * len(places), Level.ERROR)
    return report


def test_nothing_is_rebuilt() -> None:
    """States at or beyond what was committed are well, and so is a beginning."""
    (found,) = told([Place(5, 5), Place(7, 6), Place(None, None)]).findings
    assert found.level is Level.OK


def test_a_rebuild_is_told_with_share_and_remaining_time() -> None:
    """A warning: nothing is wrong, and it takes its time."""
    before = [Place(None, 10_000), Place(5, 5)]
    (found,) = told(before, later=[Place(1_000, 10_000), Place(5, 5)]).findings
    assert found.level is Level.WARNING
    assert found.text == (
        "1 of 2 partitions is rebuilt from the log: 10% done, 9,000 records and less than a minute left"
    )


def test_a_rebuild_that_stands_still_is_told() -> None:
    """Nobody at work: that is said, instead of a time."""
    places = [Place(None, 10_000)]
    (found,) = told(places, later=places).findings
    assert found.text.endswith("10,000 records left; nothing has moved for 1 s")


def test_a_log_that_begins_too_late_is_an_error() -> None:
    """What is missing is named, with the way out."""
    found, rebuilt = told([Place(None, 2_000, 500)]).findings
    assert (found.check, found.level) == ("log", Level.ERROR)
    assert "its first 500 records are gone" in found.text
    assert "--accept-loss" in (found.hint or "")
    assert rebuilt.check == "rebuild"

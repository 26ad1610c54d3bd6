"""What a log that no longer reaches back far enough has lost is said exactly."""

from __future__ import annotations

import pytest

from stream.partition.loss import lost


@pytest.mark.parametrize(("position", "begin"), [(None, 0), (5, 0), (5, 5), (6, 5)])
def test_states_and_log_that_meet_have_lost_nothing(position: int | None, begin: int) -> None:
    """An old log whose first records are gone harms nobody whose states know them."""
    assert lost(0, position, begin) is None


def test_a_gap_is_told_with_its_offsets_and_its_time() -> None:
    """How many records, which ones, and since when."""
    found = lost(3, 500, 1_700, 1_767_225_600_000)
    assert found is not None
    assert found.text == (
        "touchpoints, partition 3: the states end at offset 500 (2026-01-01 00:00:00 UTC), the log begins at "
        "1700; 1,200 records (offsets 500 to 1699) are gone"
    )
    assert "bandshift worker --accept-loss" in found.hint
    assert "reaches to offset 1700" in found.hint


def test_lost_states_are_told_too() -> None:
    """Without states all that the log has forgotten is missing."""
    found = lost(0, None, 1_200)
    assert found is not None
    assert found.text == (
        "touchpoints, partition 0: there are no states, and the log begins at offset 1200; its first 1,200 "
        "records are gone, with all that customers did in them"
    )

"""What is rebuilt, how far it is, and how long it will take."""

from __future__ import annotations

import pytest

from stream.partition.rebuilding import Pace, Place, Rebuilding, about, behind, together


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(None, None), False),
        (Place(None, 0), False),
        (Place(None, 1), True),
        (Place(9, 10), True),
        (Place(10, 10), False),
        (Place(11, 10), False),
        (Place(3, None), False),
    ],
)
def test_a_position_before_what_was_committed_is_a_rebuild(place: Place, expected: bool) -> None:
    """Nothing committed is a beginning, not a rebuild; a position at or beyond C is in order."""
    assert behind(place) is expected
    assert bool(Pace().look(0.0, [place])) is expected


def test_share_and_remaining_count_from_where_the_log_begins() -> None:
    """What the log no longer has is not part of the work."""
    (found,) = Pace().look(0.0, [Place(600, 1_100, 100)])
    assert (found.partitions, found.done, found.whole) == ((0,), 500, 1_000)
    assert (found.share, found.remaining, found.seconds) == (0.5, 500, None)
    (empty,) = Pace().look(0.0, [Place(None, 1_100, 100)])
    assert (empty.share, empty.remaining) == (0.0, 1_000)
    (lost,) = Pace().look(0.0, [Place(None, 50, 100)])
    assert (lost.share, lost.remaining) == (0.0, 0), "the log begins behind what was committed"


def test_two_looks_tell_the_remaining_time() -> None:
    """From 1,000 to 3,000 in two seconds: the 7,000 left take seven more."""
    pace = Pace()
    assert pace.look(10.0, [Place(1_000, 10_000)])[0].seconds is None
    (found,) = pace.look(12.0, [Place(3_000, 10_000)])
    assert (found.rate, found.seconds) == (1_000.0, 7.0)
    assert pace.look(13.0, [Place(10_000, 10_000)]) == []


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    """A slow beginning is forgotten, and one stop of a second is not taken for the end."""
    pace, position = Pace(), 0
    rates = []
    for second in range(100):
        position += 10 if second < 60 else 1_000
        rates += [each.rate for each in pace.look(float(second), [Place(position, 1_000_000)])]
    assert rates[-1] == 1_000.0
    (found,) = pace.look(100.0, [Place(position, 1_000_000)])
    assert found.seconds is not None
    assert 900 < (found.rate or 0) < 1_000


def test_what_does_not_move_has_no_end() -> None:
    """A rate of nought is told as an unknown time."""
    pace = Pace()
    pace.look(0.0, [Place(None, 10)])
    (found,) = pace.look(5.0, [Place(None, 10)])
    assert (found.rate, found.seconds) == (0.0, None)


def test_a_store_that_is_lost_again_begins_again() -> None:
    """A position that falls back gives no rate below nought."""
    pace = Pace()
    pace.look(0.0, [Place(5_000, 10_000)])
    (found,) = pace.look(1.0, [Place(None, 10_000)])
    assert found.rate is None
    (found,) = pace.look(2.0, [Place(100, 10_000)])
    assert found.rate == 100.0


def test_several_partitions_are_told_as_one() -> None:
    """Records and rates add up; the whole takes as long as all records at all rates."""
    assert together([]) is None
    found = together([Rebuilding((0,), 10, 100, 9.0), Rebuilding((3,), 50, 100, None)])
    assert found == Rebuilding((0, 3), 60, 200, 9.0)
    assert found.text(8) == (
        "2 of 8 partitions are rebuilt from the log: 30% done, 140 records and less than a minute left"
    )
    (alone,) = Pace().look(0.0, [Place(0, 2_000)])
    assert alone.text(1) == "1 of 1 partitions is rebuilt from the log: 0% done, 2,000 records left"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "an unknown time"),
        (0.2, "less than a minute"),
        (60.5, "about 2 minutes"),
        (600.0, "about 10 minutes"),
        (5400.0, "about 90 minutes"),
        (5401.0, "about 2 hours"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: float | None, words: str) -> None:
    """Rounded up: what is promised holds."""
    assert about(seconds) == words

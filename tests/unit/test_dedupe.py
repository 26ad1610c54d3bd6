"""A bounded memory of ids, for consumers of what is delivered at least once."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dedupe import MOST, Dedupe


def test_an_id_is_new_once() -> None:
    """The first time is told from all later ones."""
    seen = Dedupe()
    assert [seen.first_time(each) for each in ("a", "b", "a", "b", "c")] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert len(seen) == 3


def test_the_ids_seen_longest_ago_are_forgotten() -> None:
    """Beyond the bound the one that was not seen for the longest time goes; being seen again counts."""
    seen = Dedupe(most=2)
    assert seen.first_time("a")
    assert seen.first_time("b")
    assert not seen.first_time("a")
    assert seen.first_time("c")
    assert not seen.first_time("a")
    assert seen.first_time("b")


def test_a_memory_of_nothing_is_refused() -> None:
    """A bound below one would let everything through."""
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Dedupe(most=0)
    assert MOST == 100_000


@given(st.integers(1, 5), st.lists(st.sampled_from("abcdefgh"), max_size=60))
def test_it_remembers_exactly_the_latest(most: int, ids: list[str]) -> None:
    """An id is new if and only if it is none of the latest `most` different ones."""
    seen, latest = Dedupe(most), OrderedDict[str, None]()
    for each in ids:
        assert seen.first_time(each) is (each not in latest)
        latest[each] = None
        latest.move_to_end(each)
        while len(latest) > most:
            latest.popitem(last=False)
        assert len(seen) == len(latest) <= most

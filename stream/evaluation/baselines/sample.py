"""A draw that depends on nothing but the row's number: the same in every run, and stable as rows are added."""

from __future__ import annotations

import numpy as np

from stream.evaluation.history import Ints

_SEED = 0x9E3779B97F4A7C15


def sample(rows: int, most: int) -> Ints:
    """The numbers, ascending, of at most `most` of the first `rows` rows: those with the smallest hash."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.argpartition(_hashes(rows), most)[:most])


def _hashes(rows: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """SplitMix64 of each row's number."""
    z = (np.arange(1, rows + 1, dtype=np.uint64)) * np.uint64(_SEED)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))

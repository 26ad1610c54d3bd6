"""Recency, frequency and money in quintiles, each of the 125 cells with the rate it has shown of late."""

from __future__ import annotations

import numpy as np

from stream.evaluation.baselines.days import blocks
from stream.evaluation.examples import Evaluated
from stream.evaluation.history import DAY, Floats, Ints, State
from stream.evaluation.progress import Progress, no_progress

_EDGES = (0.2, 0.4, 0.6, 0.8)
_NEVER = 125  # a cell of its own: customers without an occurrence so far
_CELLS = 126
# A cell's rate is drawn towards the base rate as if by so many examples.
_SHRINK = 20.0
_WEEK = 7 * DAY
# Labels known for longer no longer count: half a year gave a slightly better log-loss than all on three logs.
_RECENT = 182 * DAY


def rfm(evaluated: Evaluated, first: int, progress: Progress = no_progress) -> Floats:
    """Quintiles of all customers seen so far, renewed every week, and rates by cell, renewed every day.

    A rate is that of the labels that became known within half a year. Money is the mean value of an occurrence. An example keeps the cell it had when it was opened.
    """
    states = evaluated.history.at(evaluated.customer, evaluated.opened_at)
    cell = np.full(len(evaluated.customer), _NEVER)
    counts, positives = np.zeros(_CELLS), np.zeros(_CELLS)
    p = np.full(len(cell), np.nan)
    edges, until = np.zeros((3, len(_EDGES))), -np.inf
    days, learnt, forgotten = blocks(evaluated, 0), 0, 0
    for done, day in enumerate(days, 1):
        if day.at >= until:
            edges, until = _edges(evaluated.history.all_at(day.at), day.at), day.at + _WEEK
        here = slice(day.first, day.last)
        some = np.flatnonzero(states.count[here] > 0) + day.first
        opened = evaluated.opened_at[some]
        cell[some] = _cells(states.of(some), opened, edges)
        new, old = slice(learnt, day.known), slice(forgotten, _known(evaluated, day.at - _RECENT))
        learnt, forgotten = new.stop, old.stop
        for rows, sign in ((new, 1), (old, -1)):
            y = evaluated.converted[rows]
            counts += sign * np.bincount(cell[rows], minlength=_CELLS)
            positives += sign * np.bincount(cell[rows][y], minlength=_CELLS)
        if counts.any():
            base = (positives.sum() + 0.5) / (counts.sum() + 1)
            rates = (positives + _SHRINK * base) / (counts + _SHRINK)
            p[here] = rates[cell[here]]
        progress(done, len(days), "RFM")
    p[:first] = np.nan
    return p


def _known(evaluated: Evaluated, at: float) -> int:
    """How many labels were known at a time."""
    return int(np.searchsorted(evaluated.known_at, at, "right"))


def _measures(state: State, when: Floats) -> Floats:
    """Recency (higher is more recent), frequency, money: 3 x customers."""
    return np.stack((state.last - when, state.count.astype(float), state.total / state.count))


def _edges(state: State, when: float) -> Floats:
    """The quintiles' inner edges of each measure: 3 x 4."""
    some = state.count > 0
    if not some.any():
        return np.zeros((3, len(_EDGES)))
    seen = state.of(some)
    return np.quantile(_measures(seen, np.full(len(seen.count), when)), _EDGES, axis=1).T


def _cells(state: State, when: Floats, edges: Floats) -> Ints:
    """The cell of each customer, 0 to 124."""
    cell = np.zeros(len(when), np.int64)
    for measure, inner in zip(_measures(state, when), edges, strict=True):
        cell = cell * 5 + np.searchsorted(inner, measure, "right")
    return cell

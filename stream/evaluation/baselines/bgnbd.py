"""BG/NBD's probability of an occurrence within the horizon, refitted every four weeks."""

from __future__ import annotations

import numpy as np

from stream.evaluation.baselines.base_rate import running_rate
from stream.evaluation.baselines.days import blocks
from stream.evaluation.baselines.sample import sample
from stream.evaluation.bgnbd import BgNbd, fit
from stream.evaluation.examples import Evaluated
from stream.evaluation.history import DAY, Floats, State
from stream.evaluation.progress import Progress, no_progress

CUSTOMERS = 50_000
"""The likelihood is maximised on at most so many customers, drawn by a hash; four parameters need no more."""
_WEEK = 7 * DAY
_REFIT_DAYS = 28


def bgnbd(evaluated: Evaluated, first: int, progress: Progress = no_progress) -> Floats:
    """Weeks as unit; a day's occurrences count as one, as the literature has it.

    A customer without any occurrence has no place in the model: the rate that such customers showed so far.
    """
    history = evaluated.history.by_day()
    states = history.at(evaluated.customer, evaluated.opened_at)
    p = running_rate(evaluated, first, states.count == 0)
    p[states.count > 0] = np.nan
    model: BgNbd | None = None
    rounds = blocks(evaluated, first, _REFIT_DAYS)
    for done, weeks in enumerate(rounds, 1):
        # What the day's start itself brought is left out, as it would be at that time.
        seen = history.all_at(np.nextafter(weeks.at, 0))
        some = np.flatnonzero(seen.count > 0)
        some = some[sample(len(some), CUSTOMERS)]
        x, t_x, t = _figures(seen.of(some), np.full(len(some), weeks.at))
        model = fit(x, t_x, t, model) or model
        if model is not None:
            mine = np.flatnonzero(states.count[weeks.first : weeks.last] > 0) + weeks.first
            x, t_x, t = _figures(states.of(mine), evaluated.opened_at[mine])
            p[mine] = model.occurs(x, t_x, t, evaluated.horizon / _WEEK)
        progress(done, len(rounds), "BG/NBD")
    return p


def _figures(state: State, when: Floats) -> tuple[Floats, Floats, Floats]:
    """Repeat days, weeks from the first to the last of them, weeks from the first until `when`."""
    first = np.floor(state.first / DAY) * DAY
    last = np.floor(state.last / DAY) * DAY
    return state.count.astype(float) - 1, (last - first) / _WEEK, (when - first) / _WEEK

"""A small simulated log as an evaluation gets it: customers who buy at their own rates, some never."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream.evaluation.examples import Evaluated
from stream.evaluation.history import DAY, History

BEGIN = 19_000 * DAY


def simulated(
    customers: int = 60, weeks: int = 20, horizon_days: int = 7, seed: int = 1
) -> Evaluated:
    """Weekly examples of each customer at a time of day of its own, one purchase every 3 to 50 days."""
    chance = np.random.default_rng(seed)
    end = BEGIN + weeks * 7 * DAY
    gaps = chance.uniform(3, 50, customers) * DAY
    who, when = [], []
    for customer in range(customers):
        at = BEGIN + chance.exponential(gaps[customer])
        while at < end + horizon_days * DAY:
            who.append(customer)
            when.append(np.floor(at))
            at += chance.exponential(gaps[customer])
    value = chance.uniform(5, 50, len(when))
    history = History.of(customers, np.array(who), np.array(when), value)
    opening = np.floor(chance.uniform(0, 7 * DAY, customers))
    opened = (BEGIN + opening[:, None] + np.arange(weeks) * 7 * DAY).ravel()
    whose = np.repeat(np.arange(customers), weeks)
    order = np.lexsort((whose, opened))
    opened, whose = opened[order], whose[order]
    before = history.at(whose, opened)
    after = history.at(whose, opened + horizon_days * DAY)
    ago = np.nan_to_num((opened - before.last) / DAY, nan=500.0)
    x = np.stack((np.log1p(before.count), np.log1p(ago), np.zeros(len(ago))), axis=1)
    p = 1 / (1 + np.exp(-(x[:, 0] - 0.5 * x[:, 1])))
    cuts = (0.1, 0.2, 0.4, 0.6)
    return Evaluated(
        log="simulated.csv",
        outcome="purchase",
        types=("purchase",),
        min_value=None,
        horizon_days=horizon_days,
        grace_days=1,
        cuts=cuts,
        began_at=BEGIN,
        ended_at=end,
        features=("count", "ago", "nothing"),
        customer=whose,
        opened_at=opened,
        known_at=opened + (horizon_days + 1) * DAY,
        converted=after.count > before.count,
        x=x.astype(np.float32),
        prior=np.full(len(p), 0.2),
        bandshift=p,
        band=np.searchsorted(cuts, p, "right"),
        history=history,
        changes=40,
        reversals=10,
        changes_in_silence=20,
        customer_years=20.0,
    )


def with_noise_after(evaluated: Evaluated, at: float, seed: int = 2) -> Evaluated:
    """Everything that nobody could know at `at` replaced: purchases, features, labels."""
    chance = np.random.default_rng(seed)
    history = evaluated.history
    old = history.times <= at
    many = 3 * int(np.count_nonzero(~old)) + 50
    times = np.floor(chance.uniform(at + 1, evaluated.ended_at + 30 * DAY, many))
    who = chance.integers(0, history.customers, many)
    noisy = History.of(
        history.customers,
        np.concatenate((history.owners[old], who)),
        np.concatenate((history.times[old], times)),
        np.concatenate((history.values[old], chance.uniform(0, 1_000, many))),
    )
    later, unknown = evaluated.opened_at > at, evaluated.known_at > at
    x, converted = evaluated.x.copy(), evaluated.converted.copy()
    x[later] = chance.normal(0, 3, (int(later.sum()), x.shape[1]))
    converted[unknown] = chance.random(int(unknown.sum())) < 0.9
    return replace(evaluated, history=noisy, x=x, converted=converted)

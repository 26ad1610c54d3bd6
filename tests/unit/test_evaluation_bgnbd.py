from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from stream.evaluation.bgnbd import BgNbd, fit


def cdnow(name: str) -> Path:
    """A file of CDNOW purchases in the package `lifetimes`, which is only looked into, never imported."""
    package = find_spec("lifetimes")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "datasets" / name


def holdout(customers: int) -> np.ndarray:
    """Days with a purchase in the 39 weeks after the calibration period, by customer of the sample."""
    days: list[set[str]] = [set() for _ in range(customers)]
    for line in cdnow("CDNOW_sample.txt").read_text(encoding="ascii").splitlines():
        if line.strip():
            _, number, day, *_ = line.split()
            if day > "19970930":
                days[int(number) - 1].add(day)
    return np.array([len(each) for each in days], float)


def test_cdnow_gives_the_published_figures() -> None:
    """Fitted on CDNOW's calibration period it has the published parameters, likelihood and correlation."""
    with cdnow("cdnow_customers_summary.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    x, t_x, t = (
        np.array([float(row[name]) for row in rows]) for name in ("frequency", "recency", "T")
    )

    model = fit(x, t_x, t)

    assert len(rows) == 2_357
    assert model is not None
    assert model == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=0.002)
    assert model.log_likelihood(x, t_x, t).sum() == pytest.approx(-9582.4, abs=0.1)
    expected = model.expected(x, t_x, t, 39)
    assert np.corrcoef(expected, holdout(len(rows)))[0, 1] == pytest.approx(0.626, abs=0.001)


def test_the_chance_of_a_purchase_is_that_of_simulated_customers() -> None:
    """Among customers simulated from the model, as many buy within the horizon as it says, by group."""
    model = BgNbd(0.8, 5.0, 0.9, 3.0)
    chance = np.random.default_rng(1)
    n, end, h = 100_000, 30.0, 6.0
    rates = chance.gamma(model.r, 1 / model.alpha, n)
    drop = chance.beta(model.a, model.b, n)
    x, t_x, at, alive = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, bool)
    buys = np.zeros(n, bool)
    while alive.any():
        at[alive] += chance.exponential(1 / rates[alive])
        bought = alive & (at <= end)
        x[bought] += 1
        t_x[bought] = at[bought]
        buys |= alive & (at > end) & (at <= end + h)
        alive &= (at <= end + h) & (chance.random(n) > drop)

    p = model.occurs(x, t_x, np.full(n, end), h)

    for group in (x == 0, x == 1, x > 3, (x > 0) & (t_x < 10)):
        wide = 4 * np.sqrt(p[group].mean() / group.sum())
        assert p[group].mean() == pytest.approx(buys[group].mean(), abs=wide)


def test_no_repeat_purchase_gives_no_model() -> None:
    """Customers who bought once say nothing of rates: there is no fit, and no error."""
    assert fit(np.zeros(9), np.zeros(9), np.ones(9)) is None
    assert fit(np.zeros(0), np.zeros(0), np.zeros(0)) is None


def test_customers_who_never_drop_out_give_finite_parameters() -> None:
    """Where nobody stops buying the likelihood has no peak; the parameters stay finite all the same."""
    chance = np.random.default_rng(2)
    x = chance.poisson(10, 200).astype(float)

    model = fit(x, np.where(x > 0, 19.5, 0.0), np.full(200, 20.0))

    assert model is not None
    assert np.all(np.isfinite(model))
    assert np.all(model.occurs(x, np.where(x > 0, 19.5, 0.0), np.full(200, 20.0), 1.0) < 1)

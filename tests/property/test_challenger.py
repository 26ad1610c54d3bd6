"""Properties of River's scaled logistic regression as it runs beside the champion."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river.linear_model import LogisticRegression
from river.preprocessing import StandardScaler

from stream.model.learning.challenger import RiverChallenger

Floats = NDArray[np.float64]

COLUMNS = 6
seeds = st.integers(0, 2**32 - 1)
rows = st.integers(0, 40)


def batch(seed: int, n: int, used: int = COLUMNS) -> tuple[Floats, Floats, Floats]:
    """Examples by chance, with their outcomes and weights; only the first `used` columns are nonzero."""
    rng = np.random.default_rng(seed)
    x = np.abs(rng.normal(size=(n, COLUMNS))) * (rng.random((n, COLUMNS)) < 0.7)
    x[:, used:] = 0
    return x, (rng.random(n) < 0.3).astype(float), rng.choice([0.25, 1.0], n)


@settings(max_examples=30)
@given(seeds, rows, st.integers(0, COLUMNS))
def test_the_challenger_is_river_s_pipeline(seed: int, n: int, used: int) -> None:
    """It says what River's own pipeline says that got every column of every row, also those that came late."""
    challenger = RiverChallenger(COLUMNS)
    pipeline = StandardScaler() | LogisticRegression()
    for number, columns in enumerate((used, COLUMNS)):
        x, y, weight = batch(seed + number, n, columns)
        challenger.learn(x, y, weight)
        for row, outcome, w in zip(x.tolist(), y.tolist(), weight.tolist(), strict=True):
            pipeline.learn_one(dict(enumerate(row)), bool(outcome), w=w)
    probe, _, _ = batch(seed + 2, 10)
    expected = [pipeline.predict_proba_one(dict(enumerate(row)))[True] for row in probe.tolist()]
    assert np.allclose(1 / (1 + np.exp(-challenger.predict(probe))), expected, rtol=1e-9)


@given(seeds, rows, st.integers(0, 4))
def test_a_resumed_challenger_was_never_stopped(seed: int, n: int, stop: int) -> None:
    """A challenger resumed from its state in JSON goes on to the same bits as one that never stopped."""
    running = RiverChallenger(COLUMNS)
    resumed = running
    for number in range(4):
        if number == stop:
            resumed = RiverChallenger.resume(json.loads(json.dumps(running.state())), COLUMNS)
        for challenger in {id(c): c for c in (running, resumed)}.values():
            challenger.learn(*batch(seed + number, n, 2 + number))
    assert resumed.state() == running.state()
    probe, _, _ = batch(seed, 9)
    assert resumed.predict(probe).tobytes() == running.predict(probe).tobytes()


@given(seeds, rows)
def test_the_challenger_can_serve_as_a_linear_model(seed: int, n: int) -> None:
    """Bias and weights of the unscaled columns give its log-odds; columns never seen weigh nothing."""
    challenger = RiverChallenger(COLUMNS)
    challenger.learn(*batch(seed, n, 4))
    bias, weights = challenger.linear()
    probe, _, _ = batch(seed + 1, 9)
    assert np.allclose(challenger.predict(probe), bias + probe @ weights)
    assert not weights[4:].any()
    assert np.isfinite([bias, *weights]).all()


def test_the_challenger_learns() -> None:
    """From 4,000 examples it tells a column that matters from one that does not."""
    rng = np.random.default_rng(2)
    x = rng.normal(5, 2, (4000, COLUMNS))
    y = (rng.random(4000) < 1 / (1 + np.exp(5 - x[:, 0]))).astype(float)
    challenger = RiverChallenger(COLUMNS)
    challenger.learn(x, y, np.ones(4000))
    _, weights = challenger.linear()
    assert weights[0] > 0.5
    assert np.abs(weights[1:]).max() < 0.15


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("active", [3, 3], "active: expected distinct numbers below 6"),
        ("active", [0, 6], "active: expected distinct numbers below 6"),
        ("means", [0.0], r"means: expected the shape \(2,\)"),
        ("variances", [1.0, -1.0], "variances: expected finite numbers from 0"),
        ("weights", [float("nan"), 0.0], "weights: expected finite numbers"),
        ("intercept", float("inf"), "intercept: expected finite numbers"),
        ("examples", -1, "examples: expected a count"),
    ],
)
def test_a_broken_state_is_refused(field: str, value: object, message: str) -> None:
    """A state that cannot have been a challenger's is refused by the name of the field."""
    challenger = RiverChallenger(COLUMNS)
    challenger.learn(*batch(1, 20, 2))
    state = json.loads(json.dumps(challenger.state()))
    state[field] = value
    with pytest.raises(ValueError, match=message):
        RiverChallenger.resume(state, COLUMNS)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_a_number_is_refused(place: int) -> None:
    """A value that is not finite is refused by name, and nothing is learned."""
    challenger = RiverChallenger(COLUMNS)
    arguments = batch(1, 20)
    arguments[place][3] = np.nan
    with pytest.raises(ValueError, match=f"^{('x', 'y', 'weight')[place]}: expected finite"):
        challenger.learn(*arguments)
    assert challenger.state() == RiverChallenger(COLUMNS).state()

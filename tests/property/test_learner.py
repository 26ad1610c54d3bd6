"""Properties of the Bayesian logistic regression that learns the weights."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.model.learning.bayes import Posterior

Floats = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
rows = st.integers(0, 60)
scales = st.sampled_from([0.01, 1.0, 30.0])


class Batch(NamedTuple):
    """The arguments of `learn`."""

    x: Floats
    y: Floats
    offset: Floats
    weight: Floats


PRIOR = np.array([1 / 9, 1.0, 1.0, 4.0, 0.25])


def batch(seed: int, n: int, scale: float = 1.0, d: int = len(PRIOR)) -> Batch:
    """Examples by chance: a column of ones first, the last one mostly or always zero."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, scale, (n, d))
    x[:, 0] = 1
    x[:, -1] *= rng.random(n) < 0.02
    y = (rng.random(n) < 0.3).astype(float)
    return Batch(x, y, rng.normal(-1, scale, n), rng.choice([0.25, 1.0], n))


def smallest(matrix: Floats) -> float:
    """The smallest eigenvalue relative to the largest one."""
    values = np.linalg.eigvalsh(matrix)
    return float(values[0] / values[-1])


def log_posterior(before: Posterior, examples: Batch, mean: Floats) -> float:
    """How probable `mean` is, up to a constant, by the definition."""
    logits = examples.x @ mean + examples.offset
    fit = examples.weight @ (examples.y * logits - np.logaddexp(0, logits))
    way = mean - before.mean
    return float(fit - way @ before.precision @ way / 2)


@given(seeds, rows, rows)
def test_the_posterior_is_the_one_of_the_definition(seed: int, n: int, m: int) -> None:
    """Mean and precision are the mode, where the gradient is zero, and the curvature there, over all columns."""
    posterior = Posterior(PRIOR, 0.9)
    for examples in (batch(seed, n, 0.3), batch(seed + 1, m, 0.3)):
        posterior.forget(2)
        mean, precision = posterior.mean, posterior.precision
        posterior.learn(*examples)
        p = 1 / (1 + np.exp(-posterior.predict(examples.x, examples.offset)))
        pull = precision @ (posterior.mean - mean)
        push = (examples.weight * (examples.y - p)) @ examples.x
        # A thirtieth of a standard deviation: when no outcome occurs the mode is far, and steps are few.
        assert (push - pull) @ posterior.covariance() @ (push - pull) < 1e-3
        curvature = (examples.x.T * (examples.weight * p * (1 - p))) @ examples.x
        assert np.allclose(posterior.precision, precision + curvature)
        assert np.allclose(posterior.information, posterior.precision @ posterior.mean)
        assert np.allclose(posterior.covariance() @ posterior.precision, np.eye(len(PRIOR)))


@given(seeds, rows, scales)
def test_the_order_inside_a_batch_does_not_matter(seed: int, n: int, scale: float) -> None:
    """Examples of one period learned in another order give the same posterior within rounding."""
    one, other = Posterior(PRIOR, 0.99), Posterior(PRIOR, 0.99)
    for number in range(3):
        examples = batch(seed + number, n, scale)
        order = np.random.default_rng(seed).permutation(n)
        one.forget(1)
        other.forget(1)
        one.learn(*examples)
        other.learn(*(values[order] for values in examples))
    # In standard deviations: a thousandth, as steps far from the mode magnify the last bits.
    apart = one.mean - other.mean
    assert apart @ one.precision @ apart < 1e-6
    assert np.allclose(one.covariance() @ other.precision, np.eye(len(PRIOR)), atol=1e-3)


@given(seeds, rows, st.integers(0, 6))
def test_resuming_is_never_having_stopped(seed: int, n: int, stop: int) -> None:
    """A learner resumed from its state in JSON goes on to the same bits as one that never stopped."""
    running = Posterior(PRIOR, 0.97)
    resumed = running
    for number in range(6):
        if number == stop:
            state = json.loads(json.dumps(running.state()))
            resumed = Posterior.resume(state, PRIOR, 0.97)
        for posterior in {id(p): p for p in (running, resumed)}.values():
            posterior.forget(1.5)
            posterior.learn(*batch(seed + number, n))
    assert resumed.state() == running.state()
    assert resumed.covariance().tobytes() == running.covariance().tobytes()
    probe = batch(seed, 7)
    expected = running.predict(probe.x, probe.offset)
    assert resumed.predict(probe.x, probe.offset).tobytes() == expected.tobytes()


@given(seeds, rows, scales, st.floats(0, 1e4))
def test_forgetting_moves_towards_the_prior(seed: int, n: int, scale: float, days: float) -> None:
    """Time mixes the precision with the prior's, shrinks the information, and leaves neither indefinite."""
    posterior = Posterior(PRIOR, 0.99)
    posterior.learn(*batch(seed, n, scale))
    precision, information = posterior.precision, posterior.information
    posterior.forget(days)
    kept = 0.99**days
    mixed = kept * precision + (1 - kept) * np.diag(PRIOR)
    assert np.allclose(posterior.precision, mixed)
    tiny = 1e-9 * max(1.0, float(np.abs(information).max()))
    assert np.allclose(posterior.information, kept * information, atol=tiny)
    assert smallest(posterior.precision) > 0
    posterior.forget(1e6)
    assert np.allclose(posterior.precision, np.diag(PRIOR))
    assert np.allclose(posterior.mean, 0)


@given(seeds, rows)
def test_time_passes_alike_in_one_step_or_many(seed: int, n: int) -> None:
    """Forgetting ten days at once is forgetting one day ten times, within rounding."""
    once, often = Posterior(PRIOR, 0.9), Posterior(PRIOR, 0.9)
    once.learn(*batch(seed, n))
    often.learn(*batch(seed, n))
    once.forget(10)
    for _ in range(10):
        often.forget(1)
    assert np.allclose(once.precision, often.precision)
    assert np.allclose(once.mean, often.mean)


@given(seeds, rows, rows)
def test_a_column_added_later_was_always_there(seed: int, n: int, m: int) -> None:
    """A column added later gives the same bits as one that was there from the start and always zero."""
    early, late = Posterior(PRIOR, 0.95), Posterior(PRIOR[:3], 0.95)
    first, second = batch(seed, n), batch(seed + 1, m)
    padded = np.hstack([first.x[:, :3], np.zeros((n, 2))])
    early.learn(padded, *first[1:])
    late.learn(np.ascontiguousarray(first.x[:, :3]), *first[1:])
    early.forget(3)
    late.forget(3)
    assert np.array_equal(early.precision[3:, 3:], np.diag(PRIOR[3:]))
    grown = Posterior.resume(late.state(), PRIOR, 0.95)
    late.append(PRIOR[3:])
    for posterior in (early, late, grown):
        posterior.learn(*second)
    assert early.state() == late.state() == grown.state()


@given(seeds, st.integers(1, 60), st.sampled_from([1.0, 100.0, 1e4]))
def test_no_batch_makes_the_posterior_worse(seed: int, n: int, scale: float) -> None:
    """However wild the batch, the new mean is at least as probable as the old one, and all stays finite."""
    posterior, before = Posterior(PRIOR, 1.0), Posterior(PRIOR, 1.0)
    for number in range(4):
        examples = batch(seed + number, n, scale)
        posterior.learn(*examples)
        old = log_posterior(before, examples, before.mean)
        new = log_posterior(before, examples, posterior.mean)
        assert new >= old - 1e-8 * (1 + abs(old))
        assert np.isfinite(posterior.mean).all()
        assert smallest(posterior.precision) > 0
        before.learn(*examples)


@given(st.sampled_from([40.0, 800.0, 1e6, 1e9]), st.booleans(), st.integers(1, 20))
def test_extreme_log_odds_stay_finite(offset: float, outcome: bool, n: int) -> None:
    """Outcomes that were all but impossible pull the weights their way, without overflow."""
    sign = 1 if outcome else -1
    posterior = Posterior(PRIOR, 1.0)
    x = np.ones((n, len(PRIOR)))
    posterior.learn(x, np.full(n, float(outcome)), np.full(n, -sign * offset), np.ones(n))
    assert np.isfinite(posterior.mean).all()
    assert (sign * posterior.mean > 0).all()
    assert smallest(posterior.precision) > 0


def test_separable_outcomes_stay_finite() -> None:
    """Outcomes that one column tells perfectly make its weight large but finite, and more of them move it less."""
    x = np.column_stack([np.ones(200), np.repeat([-1.0, 1.0], 100)])
    y = (x[:, 1] > 0).astype(float)
    posterior = Posterior(np.array([1 / 9, 1.0]), 1.0)
    weights = [0.0]
    for _ in range(500):
        posterior.learn(x, y, np.zeros(200), np.ones(200))
        weights.append(float(posterior.mean[1]))
    steps = np.diff(weights)
    assert (steps > 0).all()
    assert steps[-1] < steps[0] / 100
    assert 3 < weights[-1] < 30
    assert smallest(posterior.precision) > 0


def test_columns_that_drown_the_prior_leave_it_definite() -> None:
    """Two equal columns at the largest value allowed leave the precision positive definite."""
    x = np.column_stack([np.ones(50), np.full(50, 1e9), np.full(50, 1e9)])
    posterior = Posterior(np.ones(3), 0.9)
    for _ in range(20):
        # So far against the odds that every example counts in full.
        posterior.forget(1)
        offset = -(x @ posterior.mean)
        posterior.learn(x, np.tile([0.0, 1.0], 25), np.clip(offset, -1e9, 1e9), np.ones(50))
    np.linalg.cholesky(posterior.precision)
    assert posterior.precision[1, 1] > 1e18
    assert np.isfinite(posterior.mean).all()


@settings(max_examples=20)
@given(seeds)
def test_examples_without_weight_teach_nothing(seed: int) -> None:
    """A batch of weight zero, or without rows, leaves the posterior as it was."""
    posterior = Posterior(PRIOR, 1.0)
    posterior.learn(*batch(seed, 30))
    mean, precision = posterior.mean, posterior.precision
    other = batch(seed + 1, 30)
    posterior.learn(other.x, other.y, other.offset, np.zeros(30))
    posterior.learn(*batch(seed, 0))
    assert np.allclose(posterior.mean, mean, rtol=1e-12)
    assert np.allclose(posterior.precision, precision, rtol=1e-12)


@pytest.mark.parametrize("name", Batch._fields)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e300])
def test_what_is_not_a_number_is_refused(name: str, value: float) -> None:
    """A value that is not finite, or beyond all measure, is refused by name, and nothing is learned."""
    posterior = Posterior(PRIOR, 1.0)
    posterior.learn(*batch(1, 20))
    before = posterior.state()
    examples = batch(2, 20)
    getattr(examples, name)[3] = value
    with pytest.raises(ValueError, match=rf"^{name}: expected finite numbers"):
        posterior.learn(*examples)
    assert posterior.state() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 4)), np.ones(2), np.ones(2), np.ones(2)), r"x: .*\(2, 5\), got \(2, 4\)"),
        ((np.ones(5), np.ones(1), np.ones(1), np.ones(1)), "x: expected rows and columns"),
        ((np.ones((2, 5)), np.ones(3), np.ones(2), np.ones(2)), r"y: .*\(2,\), got \(3,\)"),
        ((np.ones((2, 5)), np.full(2, 1.5), np.ones(2), np.ones(2)), "y: .*from 0 to 1"),
        ((np.ones((2, 5)), np.ones(2), np.ones(2), -np.ones(2)), "weight: .*from 0 to"),
    ],
)
def test_what_does_not_fit_is_refused(
    arguments: tuple[Floats, Floats, Floats, Floats], message: str
) -> None:
    """Arguments of the wrong shape or range are refused by name."""
    with pytest.raises(ValueError, match=message):
        Posterior(PRIOR, 1.0).learn(*arguments)


@pytest.mark.parametrize("forgetting", [0.0, -0.5, 1.01, float("nan")])
def test_impossible_forgetting_is_refused(forgetting: float) -> None:
    """A part of the evidence that is kept lies above 0 and up to 1."""
    with pytest.raises(ValueError, match="forgetting: expected a number above 0 and up to 1"):
        Posterior(PRIOR, forgetting)


@pytest.mark.parametrize("days", [-1.0, float("nan"), float("inf")])
def test_impossible_time_is_refused(days: float) -> None:
    """Time does not run backwards, and not for ever."""
    with pytest.raises(ValueError, match="days: expected a number from 0 on"):
        Posterior(PRIOR, 0.9).forget(days)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("active", [1, 0], "active: expected rising numbers below 5"),
        ("active", [0, 5], "active: expected rising numbers below 5"),
        ("mean", [0.5], r"mean: expected the shape \(2,\), got \(1,\)"),
        ("mean", [0.5, float("nan")], "mean: expected finite numbers"),
        ("precision", [1.0, 2.0], r"precision: expected the shape \(3,\), got \(2,\)"),
        ("precision", [1.0, 2.0, 1.0], "precision: expected a positive definite matrix"),
    ],
)
def test_a_broken_state_is_refused(field: str, value: list[float], message: str) -> None:
    """A state that cannot have been a posterior's is refused by the name of the field."""
    state = json.loads('{"active": [0, 1], "precision": [1.0, 0.5, 1.0], "mean": [0.1, 0.2]}')
    state[field] = value
    with pytest.raises(ValueError, match=message):
        Posterior.resume(state, PRIOR, 1.0)


def test_ten_million_examples_of_a_drifting_stream() -> None:
    """After ten million examples whose weights turn round, all is definite and finite and follows the truth."""
    rng = np.random.default_rng(5)
    d, n, periods = 8, 10_000, 1_000
    phases = np.linspace(0, 3, d)
    posterior, unforgetting = (Posterior(np.ones(d), kept) for kept in (0.9, 1.0))
    truth = np.zeros(d)
    for period in range(periods):
        truth = np.sin(phases + 2 * np.pi * period / 300)
        x = rng.standard_normal((n, d))
        # Two columns that are almost one, as the same count over two windows is.
        x[:, 1] = x[:, 0] + 0.1 * x[:, 1]
        y = (rng.random(n) < 1 / (1 + np.exp(-(x @ truth)))).astype(float)
        for learner in (posterior, unforgetting):
            learner.forget(1)
            learner.learn(x, y, np.zeros(n), np.ones(n))
    for learner in (posterior, unforgetting):
        assert smallest(learner.precision) > 1e-6
        assert smallest(learner.covariance()) > 1e-6
        assert np.isfinite(learner.mean).all()
    assert np.abs(posterior.mean - truth).max() < 0.35
    assert np.abs(unforgetting.mean - truth).max() > 0.5

from __future__ import annotations

import math

import numpy as np
import pytest

from stream.evaluation import intervals, metrics


def some(
    customers: int = 30, each: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, customers and two scores with ties."""
    chance = np.random.default_rng(5)
    n = customers * each
    p = chance.integers(1, 10, n) / 10
    other = chance.integers(1, 10, n) / 10
    return chance.random(n) < p, np.repeat(np.arange(customers), each), p, other


def test_weighted_auc_equals_the_auc_of_repeated_rows() -> None:
    """A customer drawn three times counts as if its examples stood there three times."""
    y, customer, p, _ = some()
    times = np.random.default_rng(6).integers(0, 4, 30)
    rows = np.repeat(np.arange(len(y)), times[customer])

    found = intervals.WeightedAuc(p, y, customer, 30)(np.stack((times, np.ones(30)), axis=1))

    expected = [metrics.auc(p[rows], y[rows]), metrics.auc(p, y)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_weighting_without_a_class_has_no_auc() -> None:
    """Where only customers without a positive are drawn there is nothing to rank."""
    curve = intervals.WeightedAuc(
        np.array([0.2, 0.7]), np.array([False, True]), np.array([0, 1]), 2
    )

    assert np.isnan(curve(np.array([[1.0], [0.0]])))
    assert curve(np.array([[1.0], [2.0]])) == 1


def test_differences_are_those_of_the_metrics() -> None:
    """The means are exactly ours less the other's, and lie within their intervals."""
    y, customer, p, other = some()

    found = intervals.differences(y, customer, p, {"other": other})["other"]

    assert found.log_loss.mean == pytest.approx(metrics.log_loss(p, y) - metrics.log_loss(other, y))
    assert found.auc.mean == pytest.approx(metrics.auc(p, y) - metrics.auc(other, y))
    assert found.log_loss.low < found.log_loss.mean < found.log_loss.high < 0
    assert 0 < found.auc.low < found.auc.mean < found.auc.high


def test_intervals_are_those_of_resampled_rows() -> None:
    """The bounds equal a bootstrap that really repeats the rows of the drawn customers."""
    y, customer, p, other = some()
    chance = np.random.default_rng(7)
    loss, area = [], []
    for _ in range(50):
        drawn = np.bincount(chance.integers(0, 30, 30), minlength=30)
        rows = np.repeat(np.arange(len(y)), drawn[customer])
        loss.append(metrics.log_loss(p[rows], y[rows]) - metrics.log_loss(other[rows], y[rows]))
        area.append(metrics.auc(p[rows], y[rows]) - metrics.auc(other[rows], y[rows]))

    found = intervals.differences(y, customer, p, {"o": other}, resamples=50, seed=7)["o"]

    assert found.log_loss[1:] == pytest.approx(np.percentile(loss, [2.5, 97.5]))
    assert found.auc[1:] == pytest.approx(np.percentile(area, [2.5, 97.5]))


def test_examples_of_one_customer_do_not_narrow_an_interval() -> None:
    """Each example written down four times leaves the bounds where they were."""
    y, customer, p, other = some(each=1)
    again = np.repeat(np.arange(len(y)), 4)

    once = intervals.differences(y, customer, p, {"o": other})["o"]
    four = intervals.differences(y[again], customer[again], p[again], {"o": other[again]})["o"]

    assert four.log_loss == pytest.approx(once.log_loss)
    assert four.auc == pytest.approx(once.auc)


def test_one_customer_gives_no_interval() -> None:
    """A single customer shows a difference, but nothing of how sure it is."""
    found = intervals.differences(
        np.array([True, False]), np.zeros(2, int), np.array([0.6, 0.2]), {"o": np.array([0.5, 0.5])}
    )["o"]

    assert found.auc.mean == pytest.approx(0.5)
    assert math.isnan(found.auc.low)
    assert math.isnan(found.log_loss.high)


def test_rate_of_independent_examples_is_wilsons() -> None:
    """Ten of a hundred customers give Wilson's 5.5 to 17.4 %."""
    found = intervals.rate(np.arange(100) < 10, np.arange(100))

    assert found == pytest.approx((0.1, 0.0552, 0.1744), abs=0.0005)


def test_rate_counts_customers_not_repetitions() -> None:
    """Four equal examples of each customer are worth one."""
    y = np.arange(100) < 10

    found = intervals.rate(np.repeat(y, 4), np.repeat(np.arange(100), 4))

    assert found == pytest.approx(intervals.rate(y, np.arange(100)), abs=1e-9)


def test_rate_of_zero_has_room_above() -> None:
    """No positive among twenty examples of five customers does not prove a rate of zero."""
    found = intervals.rate(np.zeros(20, bool), np.repeat(np.arange(5), 4))

    assert found.mean == 0
    assert found.low == 0
    assert found.high == pytest.approx(0.4345, abs=0.001)


def test_rate_of_nothing_is_no_number() -> None:
    """A band without examples has no rate."""
    assert all(math.isnan(each) for each in intervals.rate(np.zeros(0, bool), np.zeros(0, int)))

from __future__ import annotations

import math

import numpy as np
import pytest

from stream.evaluation import metrics


def some(n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and labels."""
    chance = np.random.default_rng(seed)
    p = chance.integers(1, 20, n) / 20
    return p, chance.random(n) < p


def test_auc_counts_pairs_and_ties_half() -> None:
    """The AUC is the share of pairs in which the positive has the higher score, ties half."""
    p, y = some()
    pairs = p[y][:, None] - p[~y][None, :]

    assert metrics.auc(p, y) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean(), abs=1e-12)


@pytest.mark.parametrize("label", [True, False])
def test_auc_of_one_class_is_no_number(label: bool) -> None:
    """Where all labels are alike there is no AUC."""
    assert math.isnan(metrics.auc(np.array([0.1, 0.9]), np.array([label, label])))


def test_log_loss_by_hand() -> None:
    """Log-loss is the mean of minus the logarithm of what was given to what happened."""
    found = metrics.log_loss(np.array([0.8, 0.3, 0.5]), np.array([True, False, True]))

    assert found == pytest.approx(-(math.log(0.8) + math.log(0.7) + math.log(0.5)) / 3)


def test_log_loss_is_clipped() -> None:
    """A certain prediction that fails costs what one in a million costs, not infinity."""
    assert metrics.log_loss(np.array([0.0]), np.array([True])) == pytest.approx(-math.log(1e-6))


def test_brier_by_hand() -> None:
    """The Brier score is the mean squared distance."""
    assert metrics.brier(np.array([0.8, 0.3]), np.array([True, False])) == pytest.approx(
        (0.04 + 0.09) / 2
    )


def test_ece_by_hand() -> None:
    """Two bins of two examples: the gaps of the means, weighted by their examples."""
    p = np.array([0.1, 0.2, 0.6, 0.9])
    y = np.array([False, True, True, True])

    assert metrics.ece(p, y, bins=2) == pytest.approx((abs(0.3 - 1) + abs(1.5 - 2)) / 4)


def test_bins_have_equal_mass() -> None:
    """Without ties each of the 20 bins gets as many examples as any other."""
    p = np.random.default_rng(3).random(2_000)

    assert set(np.bincount(metrics.equal_mass(p))) == {100}


def test_ece_of_a_constant_is_its_one_gap() -> None:
    """Equal scores are one bin, so their order in time cannot make a calibration error."""
    y = np.arange(100) < 30

    assert metrics.ece(np.full(100, 0.3), y) == pytest.approx(0.0)
    assert metrics.ece(np.full(100, 0.5), y) == pytest.approx(0.2)


def test_lift_by_hand() -> None:
    """The best tenth of twenty holds both positives of four: a lift of five."""
    p = np.arange(20) / 20
    y = np.isin(np.arange(20), [0, 5, 18, 19])

    assert metrics.lift(p, y) == pytest.approx((2 / 2) / (4 / 20))


def test_lift_shares_out_ties() -> None:
    """Where all scores are equal nobody is ahead: the lift is one, however the rows are ordered."""
    y = np.arange(37) < 5

    assert metrics.lift(np.full(37, 0.2), y) == pytest.approx(1.0)
    assert metrics.lift(np.full(37, 0.2), y[::-1]) == pytest.approx(1.0)


def test_figures_without_examples_are_no_numbers() -> None:
    """An empty set of examples gives no figure and no error."""
    found = metrics.figures(np.array([]), np.array([], bool))

    assert found.pop("n") == 0
    assert found.pop("positives") == 0
    assert all(math.isnan(value) for value in found.values())

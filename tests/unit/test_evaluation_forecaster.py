from __future__ import annotations

import numpy as np
import pytest

from stream.evaluation.forecaster import Noise, perfect_ece
from stream.evaluation.history import DAY
from stream.evaluation.metrics import ece


def test_noise_correlates_as_far_as_horizons_overlap() -> None:
    """Two examples of a customer correlate by the share of their horizons in common; two customers do not."""
    opened = np.array([0.0, 7, 17.5, 28, 40, 3]) * DAY
    customer = np.array([0, 0, 0, 0, 0, 1])
    noise = Noise(customer, opened, 28 * DAY)
    chance = np.random.default_rng(1)

    found = np.corrcoef(np.array([noise.draw(chance) for _ in range(20_000)]).T)

    apart = np.abs(opened[:, None] - opened[None, :]) / DAY
    expected = np.where(customer[:, None] == customer, np.maximum(0, 1 - apart / 28), 0.0)
    assert found == pytest.approx(expected, abs=0.03)


def test_noise_is_standard_normal() -> None:
    """Every example's noise has mean 0 and variance 1, so that its label has the predicted chance."""
    noise = Noise(np.repeat(np.arange(50), 20), np.tile(np.arange(20) * 7 * DAY, 50), 28 * DAY)
    chance = np.random.default_rng(2)

    drawn = np.array([noise.draw(chance) for _ in range(2_000)])

    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.var() == pytest.approx(1, abs=0.02)


def test_without_overlap_it_is_the_error_of_independent_labels() -> None:
    """Where no horizons overlap, the calibration error is that of coins with the predicted chances."""
    chance = np.random.default_rng(3)
    p = chance.uniform(0.05, 0.5, 2_000)
    coins = [ece(p, chance.random(len(p)) < p) for _ in range(400)]

    found = perfect_ece(p, np.arange(len(p)), np.zeros(len(p)), DAY, runs=400)

    assert found.mean() == pytest.approx(np.mean(coins), rel=0.03)
    assert np.percentile(found, 95) == pytest.approx(np.percentile(coins, 95), rel=0.08)


def test_overlapping_horizons_allow_a_larger_error() -> None:
    """Labels that repeat each other are worth less, so chance alone explains a larger error."""
    p = np.repeat(np.random.default_rng(4).uniform(0.05, 0.5, 100), 20)
    customer = np.repeat(np.arange(100), 20)
    opened = np.array([7 * DAY * week for _ in range(100) for week in range(20)], float)

    apart = perfect_ece(p, customer, opened, 7 * DAY)
    overlapping = perfect_ece(p, customer, opened, 56 * DAY)

    assert np.percentile(overlapping, 95) > 1.5 * np.percentile(apart, 95)


def test_the_same_seed_gives_the_same_bound() -> None:
    """The simulation is repeatable, whatever the order of the examples."""
    chance = np.random.default_rng(5)
    p, customer = chance.random(300), chance.integers(0, 20, 300)
    opened = np.floor(np.sort(chance.uniform(0, 90 * DAY, 300)))
    mixed = chance.permutation(300)

    once = perfect_ece(p, customer, opened, 28 * DAY, runs=5)
    again = perfect_ece(p[mixed], customer[mixed], opened[mixed], 28 * DAY, runs=5)

    assert once == pytest.approx(again, abs=1e-12)

"""Intervals of the jackknife, p-values and their adjustment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_1samp
from scipy.stats import t as student

from scpertbias._core.resampling import (
    MIN_PERTURBATIONS,
    NO_ROOM,
    TOO_FEW,
    Estimate,
    average_within,
    benjamini_hochberg,
    complement,
    linear_bounds,
    log_bounds,
    logit_bounds,
    mean_of,
    mean_share,
    ratio_bounds,
    ratio_of_sums,
    t_quantile,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def brute_force(above, below, bounds):
    """The jackknife, with all sums made anew without each perturbation."""
    n = len(above)
    without = np.array([np.delete(above, p).sum() / np.delete(below, p).sum() for p in range(n)])
    error = np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
    positive = np.maximum(below, 0)
    n_effective = positive.sum() ** 2 / np.sum(positive**2)
    estimate = above.sum() / below.sum()
    return estimate, *bounds(estimate, error, student.ppf(0.975, max(n_effective - 1, 2))), n_effective


@pytest.mark.parametrize("bounds", [linear_bounds, log_bounds, logit_bounds, ratio_bounds])
@pytest.mark.parametrize("tail", [0.5, 2.0])
def test_ratios_equal_brute_force(rng, bounds, tail):
    below = rng.lognormal(0, tail, 25) - 0.2
    above = 0.4 * below + rng.normal(0, 0.3, 25)
    gaps = np.r_[np.nan, 0.0, above], np.r_[1.0, np.inf, below]
    result = ratio_of_sums(*gaps, bounds)
    assert result.n == 25
    actual = result.estimate, result.low, result.high, result.n_effective
    assert actual == pytest.approx(brute_force(above, below, bounds))


def test_one_perturbation_that_carries_all_leaves_two_degrees_of_freedom():
    result = ratio_of_sums(np.r_[50.0, np.zeros(19)], np.r_[100.0, np.full(19, 1e-3)], linear_bounds)
    assert result.n_effective == pytest.approx(1, abs=1e-3)
    assert t_quantile(result.n_effective - 1) == pytest.approx(student.ppf(0.975, 2))


def test_bounds():
    assert linear_bounds(0.5, 0.1, 2) == pytest.approx((0.3, 0.7))
    assert log_bounds(0.5, 0.1, 2) == pytest.approx((0.5 * np.exp(-0.4), 0.5 * np.exp(0.4)))
    assert log_bounds(0.5, 0.3, 2) == linear_bounds(0.5, 0.3, 2)
    assert log_bounds(-0.5, 0.0, 2) == (-0.5, -0.5)
    assert ratio_bounds(0.5, 0.1, 2) == pytest.approx((0.3, 0.5 * np.exp(0.4)))
    low, high = logit_bounds(0.2, 0.05, 2)
    assert (np.log(low / (1 - low)) + np.log(high / (1 - high))) / 2 == pytest.approx(np.log(0.2 / 0.8))
    assert np.log(high / (1 - high)) - np.log(0.2 / 0.8) == pytest.approx(2 * 0.05 / 0.16)
    for estimate, error in ((-0.3, 0.1), (0.0, 0.0), (0.02, 0.02), (0.99, 0.02), (1.4, 0.3)):  # inside, and never empty
        low, high = logit_bounds(estimate, error, 2)
        cut = min(max(estimate, 0), 1)
        assert (low, high) == pytest.approx((max(cut - 2 * error, 0), min(cut + 2 * error, 1)))
        assert low <= cut <= high


def test_means_are_those_of_student(rng):
    values = rng.normal(0.3, 1, 25)
    result = mean_of(np.insert(values, [3, 9], np.nan))
    expected = student.interval(0.95, 24, values.mean(), values.std(ddof=1) / 5)
    assert (result.n, result.estimate) == (25, pytest.approx(values.mean()))
    assert (result.low, result.high) == pytest.approx(expected)
    assert result.p == pytest.approx(ttest_1samp(values, 0).pvalue)
    away = values - values.mean()
    assert result.n_effective == pytest.approx(np.sum(away**2) ** 2 / np.sum(away**4))
    logarithmic = mean_of(values + 10, log_bounds)
    assert logarithmic.low * logarithmic.high == pytest.approx(logarithmic.estimate**2)


def test_a_mean_of_equal_values():
    assert mean_of(np.zeros(12)) == Estimate(12, pytest.approx(np.nan, nan_ok=True), 0.0, 0.0, 0.0, 1.0)
    assert mean_of(np.full(16, 0.25)).p == 0.0


def test_infinite_values_are_not_left_out_of_a_mean():
    result = mean_of(np.r_[np.inf, np.ones(20)])
    assert result.estimate == np.inf
    assert np.isnan([result.low, result.high, result.p]).all()


@pytest.mark.parametrize("n", [0, 9, 10])
def test_few_perturbations_have_an_estimate_but_no_interval(n):
    values = np.arange(1.0, n + 1)
    for result in (mean_of(values), ratio_of_sums(values, np.ones(n), ratio_bounds), mean_share(values / 20)):
        assert np.isnan(result.estimate) == (n == 0)
        assert np.isnan([result.low, result.high]).all() == (n < MIN_PERTURBATIONS)
        assert result.reason == ("" if n == 10 else TOO_FEW)


def test_ratio_without_room_is_nan(rng):
    values = rng.normal(size=40)
    for below, room in ((-np.ones(40), True), (np.zeros(40), True), (np.ones(40), False)):
        result = ratio_of_sums(values, below, ratio_bounds, room=room)
        assert np.isnan([result.estimate, result.low, result.high]).all()
        assert result.reason == NO_ROOM


def test_complement():
    result = complement(Estimate(30, 20.0, 0.3, 0.2, 0.6))
    assert (result.estimate, result.low, result.high) == pytest.approx((0.7, 0.4, 0.8))


def test_mean_of_shares_by_hand(rng):
    values = rng.beta(4, 2, 30)
    added = np.append(values, 0.5)
    middle, error = added.mean(), added.std(ddof=1) / np.sqrt(31)
    width = student.ppf(0.975, 30) * error / (middle * (1 - middle))
    expected = [1 / (1 + np.exp(-np.log(middle / (1 - middle)) - side * width)) for side in (-1, 1)]
    result = mean_share(np.append(values, np.nan))
    assert (result.low, result.estimate, result.high) == pytest.approx((expected[0], values.mean(), expected[1]))
    for perfect in (np.ones(30), np.r_[np.ones(29), 0.99]):
        result = mean_share(perfect)
        assert result.high == 1.0
        assert 0.8 < result.low < 1
    same = mean_share(np.full(30, 0.2))  # the pseudo-value pulls it, but the interval includes the mean
    assert same.low <= 0.2 <= same.high


@pytest.mark.parametrize("spread", [0.5, 1.2])
def test_the_interval_of_a_ratio_covers(rng, spread):
    """Light and heavy tails of the sizes, 25 perturbations."""
    covered = 0
    for _ in range(400):
        below = rng.lognormal(0, spread, 25)
        above = 0.5 * below * rng.lognormal(-0.02, 0.2, 25)
        result = ratio_of_sums(above, below, ratio_bounds)
        covered += result.low <= 0.5 <= result.high
    assert covered >= 364  # 91 %


def test_benjamini_hochberg_equals_scipy_and_passes_nan(rng):
    p = np.r_[rng.uniform(size=40), rng.uniform(0, 0.01, size=10), 1.0, 0.0, 0.3, 0.3]
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p))
    gaps = np.insert(p, [0, 7, 54], np.nan)
    found = benjamini_hochberg(gaps)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(gaps))
    np.testing.assert_allclose(found[~np.isnan(gaps)], false_discovery_control(p))
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()
    assert benjamini_hochberg(np.empty(0)).shape == (0,)


def test_average_within_a_perturbation_skips_missing_rows():
    values = np.array([1.0, np.nan, 3.0, 5.0, np.nan])
    codes = np.array([0, 0, 2, 2, 1])
    found = average_within(values, codes, 4)
    np.testing.assert_array_equal(found, [1.0, np.nan, 4.0, np.nan])
    columns = np.column_stack([values, values[::-1]])
    by_column = np.column_stack([average_within(column, codes, 4) for column in columns.T])
    np.testing.assert_array_equal(average_within(columns, codes, 4), by_column)

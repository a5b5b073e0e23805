"""Bootstrap intervals, paired p-values and their adjustment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from scpertbias._core.resampling import (
    INFINITE,
    MIN_PERTURBATIONS,
    NO_ROOM,
    TOO_FEW,
    average_within,
    benjamini_hochberg,
    bootstrap_weights,
    interval,
    mean_interval,
    means,
    paired_p,
    ratio_interval,
    ratios,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def resamples(weights: np.ndarray) -> list[np.ndarray]:
    return [np.repeat(np.arange(weights.shape[1]), row) for row in weights]


def test_weights_are_counts_of_draws_with_replacement(rng):
    weights = bootstrap_weights(30, 4000, rng)
    assert weights.shape == (4000, 30)
    assert (weights.sum(axis=1) == 30).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(30), abs=0.1)
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 30) ** 30, abs=0.005)
    assert weights.var() == pytest.approx(1 - 1 / 30, abs=0.02)
    assert np.cov(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(-1 / 30, abs=0.06)


def test_weights_depend_on_the_seed_alone():
    first, again, other = (bootstrap_weights(20, 50, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert bootstrap_weights(0, 7, np.random.default_rng(0)).shape == (7, 0)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_interval_is_the_percentile_of_finite_draws(rng, level):
    draws = rng.normal(size=(201, 3, 2))
    draws[::3, 0, 0] = np.nan
    draws[5, 1, 1] = np.inf
    draws[:, 2, 1] = np.nan
    draws[1:, 2, 0] = np.nan
    low, high = interval(draws, level)
    for index in np.ndindex(3, 2):
        finite = draws[(slice(None), *index)]
        finite = finite[np.isfinite(finite)]
        expected = np.percentile(finite, [50 - 50 * level, 50 + 50 * level]) if finite.size else [np.nan, np.nan]
        np.testing.assert_allclose([low[index], high[index]], expected)
    assert [float(bound) for bound in interval(draws[:, 1, 0], level)] == pytest.approx([low[1, 0], high[1, 0]])
    assert np.isnan(interval(np.empty((0, 2)))[0]).all()
    with pytest.raises(ValueError, match="`level` must lie between 0 and 1, found 95"):
        interval(draws, 95)


def test_mean_interval_equals_a_loop_over_resamples(rng):
    values = rng.normal(size=25)
    values[[3, 11]] = np.nan
    weights = bootstrap_weights(25, 300, rng)
    found = mean_interval(values, weights)
    draws = [np.nanmean(values[drawn]) for drawn in resamples(weights)]
    np.testing.assert_allclose(found.draws, draws)
    assert found[:3] == pytest.approx((np.nanmean(values), *np.percentile(draws, [2.5, 97.5])))
    assert found.reason == ""


def test_ratio_interval_equals_a_loop_over_resamples(rng):
    numerator, denominator = rng.normal(size=25), rng.normal(2, 1, size=25)
    numerator[4], denominator[9], numerator[1] = np.nan, np.nan, np.inf
    weights = bootstrap_weights(25, 300, rng)
    found = ratio_interval(numerator, denominator, weights)
    kept = np.isfinite(numerator + denominator)
    both = [drawn[kept[drawn]] for drawn in resamples(weights)]
    draws = [numerator[drawn].sum() / denominator[drawn].sum() for drawn in both]
    np.testing.assert_allclose(found.draws, draws)
    expected = numerator[kept].sum() / denominator[kept].sum()
    assert found[:3] == pytest.approx((expected, *np.percentile(draws, [2.5, 97.5])))


def test_interval_of_a_mean_covers(rng):
    covered = 0
    for _ in range(200):
        found = mean_interval(rng.normal(1, 1, size=60), bootstrap_weights(60, 300, rng))
        covered += found.low <= 1 <= found.high
    assert 0.87 <= covered / 200 <= 0.99


def test_few_perturbations_have_an_estimate_but_no_interval(rng):
    values = np.arange(12.0)
    values[:3] = np.nan
    weights = bootstrap_weights(12, 100, rng)
    for found in (mean_interval(values, weights), ratio_interval(values, np.ones(12), weights)):
        assert found.estimate == pytest.approx(7.0)
        assert np.isnan([found.low, found.high]).all()
        assert np.isnan(paired_p(found.draws))
        assert found.reason == TOO_FEW
    values[2] = 2.0
    assert np.isfinite(values).sum() == MIN_PERTURBATIONS
    assert np.isfinite(mean_interval(values, weights)[:3]).all()
    nothing = np.full(12, np.nan)
    for found in (mean_interval(nothing, weights), ratio_interval(nothing, nothing, weights)):
        assert np.isnan(found[:3]).all()


def test_infinite_values_are_not_left_out_of_a_mean(rng):
    values = np.r_[np.inf, np.ones(20)]
    found = mean_interval(values, bootstrap_weights(21, 50, rng))
    assert found.estimate == np.inf
    assert np.isnan([found.low, found.high]).all()
    assert found.reason == INFINITE


def test_ratio_without_room_is_nan(rng):
    numerator = rng.normal(size=40)
    weights = bootstrap_weights(40, 500, rng)
    noisy = rng.normal(size=40)
    noisy += 0.1 - noisy.mean()  # a positive sum that is not told from 0
    for denominator in (noisy, -np.ones(40), np.zeros(40)):
        found = ratio_interval(numerator, denominator, weights)
        assert np.isnan(found[:3]).all()
        assert np.isnan(found.draws).all()
        assert found.reason == NO_ROOM
    assert np.isfinite(ratio_interval(numerator, noisy + 1, weights)[:3]).all()
    assert ratio_interval(numerator[:5], noisy[:5] - 9, weights[:, :5]).reason == NO_ROOM


def test_paired_p_counts_draws_on_either_side():
    draws = np.r_[np.full(3, -1.0), np.full(96, 1.0)]
    assert paired_p(draws) == pytest.approx(2 * 4 / 100)
    assert paired_p(-draws) == paired_p(draws)
    assert paired_p(np.r_[draws, np.nan, np.inf]) == paired_p(draws)
    assert paired_p(np.ones(999)) == pytest.approx(0.002)
    assert paired_p(np.zeros(99)) == 1.0
    assert np.isnan(paired_p(np.full(9, np.nan)))


def test_paired_p_is_uniform_without_difference(rng):
    weights = bootstrap_weights(50, 400, rng)
    p = np.array([paired_p(mean_interval(rng.normal(size=50), weights).draws) for _ in range(400)])
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.035)
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.08)


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
    found = average_within(values, np.array([0, 0, 2, 2, 1]), 4)
    np.testing.assert_array_equal(found, [1.0, np.nan, 4.0, np.nan])


RNG = np.random.default_rng(0)
N = 30
WEIGHTS = bootstrap_weights(N, 400, np.random.default_rng(1))


def columns():
    values = RNG.normal(0.3, 1, (N, 7))
    values[:5, 1] = np.nan
    values[9:, 2] = np.nan  # 9 are left
    values[:, 3] = np.nan
    values[4, 4] = np.inf
    return values


def test_means():
    values = columns()
    found = means(values, WEIGHTS.astype(float))
    for k in range(values.shape[1]):
        one = mean_interval(values[:, k], WEIGHTS)
        got = found.estimate[k], found.low[k], found.high[k]
        np.testing.assert_allclose(got, (one.estimate, one.low, one.high), rtol=1e-10)
        assert found.n[k] == (~np.isnan(values[:, k])).sum()
        np.testing.assert_allclose(found.p[k], paired_p(one.draws))


def test_ratios():
    above, below = columns(), np.abs(columns()) + 0.1
    below[:, 5] -= 2.0  # sums to less than nothing
    below[:, 6] = RNG.normal(0, 1, N)  # may
    found = ratios(above, below, WEIGHTS.astype(float))
    for k in range(above.shape[1]):
        one = ratio_interval(above[:, k], below[:, k], WEIGHTS)
        got = found.estimate[k], found.low[k], found.high[k]
        np.testing.assert_allclose(got, (one.estimate, one.low, one.high), rtol=1e-10)
        assert found.reason[k] == one.reason or found.n[k] < 10
    assert found.reason[5] == "no room between baseline and ceiling"


@pytest.mark.parametrize("n", [9, 10])
def test_under_ten_there_is_no_interval(n):
    found = means(np.arange(n, dtype=float)[:, None], bootstrap_weights(n, 50, np.random.default_rng(0)).astype(float))
    assert found.estimate[0] == (n - 1) / 2
    assert np.isnan([found.low[0], found.high[0], found.p[0]]).all() == (n < 10)

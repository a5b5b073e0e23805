"""Bootstrap intervals, paired p-values and their adjustment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from scpertbias._core.resampling import (
    MIN_PERTURBATIONS,
    NO_ROOM,
    TOO_FEW,
    average_within,
    benjamini_hochberg,
    bootstrap_weights,
    interval,
    means,
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


def one_mean(values, weights):
    found = means(values[:, None], weights.astype(float))
    return found.estimate[0], found.low[0], found.high[0]


def one_ratio(numerator, denominator, weights):
    found = ratios(numerator[:, None], denominator[:, None], weights.astype(float))
    return found.estimate[0], found.low[0], found.high[0]


def p_of(draws):
    """The p-value of a column with these draws: each resample holds ten perturbations of the value of its draw."""
    return means(np.repeat(draws, 10)[:, None], np.repeat(np.eye(len(draws)), 10, axis=1)).p[0]


def test_means_equal_a_loop_over_resamples(rng):
    values = rng.normal(size=25)
    values[[3, 11]] = np.nan
    weights = bootstrap_weights(25, 300, rng)
    draws = [np.nanmean(values[drawn]) for drawn in resamples(weights)]
    expected = np.nanmean(values), *np.percentile(draws, [2.5, 97.5])
    assert one_mean(values, weights) == pytest.approx(expected)


def test_ratios_equal_a_loop_over_resamples(rng):
    numerator, denominator = rng.normal(size=25), rng.normal(2, 1, size=25)
    numerator[4], denominator[9], numerator[1] = np.nan, np.nan, np.inf
    weights = bootstrap_weights(25, 300, rng)
    kept = np.isfinite(numerator + denominator)
    both = [drawn[kept[drawn]] for drawn in resamples(weights)]
    draws = [numerator[drawn].sum() / denominator[drawn].sum() for drawn in both]
    expected = numerator[kept].sum() / denominator[kept].sum()
    found = one_ratio(numerator, denominator, weights)
    assert found == pytest.approx((expected, *np.percentile(draws, [2.5, 97.5])))


def test_interval_of_a_mean_covers(rng):
    covered = 0
    for _ in range(200):
        _, low, high = one_mean(rng.normal(1, 1, size=60), bootstrap_weights(60, 300, rng))
        covered += low <= 1 <= high
    assert 0.87 <= covered / 200 <= 0.99


def test_few_perturbations_have_an_estimate_but_no_interval(rng):
    values = np.arange(12.0)
    values[:3] = np.nan
    weights = bootstrap_weights(12, 100, rng)
    column, ones = values[:, None], np.ones((12, 1))
    for found in (means(column, weights.astype(float)), ratios(column, ones, weights.astype(float))):
        assert found.estimate[0] == pytest.approx(7.0)
        assert np.isnan([found.low[0], found.high[0], found.p[0]]).all()
        assert found.reason[0] == TOO_FEW
    values[2] = 2.0
    assert np.isfinite(values).sum() == MIN_PERTURBATIONS
    assert np.isfinite(one_mean(values, weights)).all()
    nothing = np.full(12, np.nan)
    assert np.isnan(one_mean(nothing, weights)).all()
    assert np.isnan(one_ratio(nothing, nothing, weights)).all()


def test_infinite_values_are_not_left_out_of_a_mean(rng):
    estimate, low, high = one_mean(np.r_[np.inf, np.ones(20)], bootstrap_weights(21, 50, rng))
    assert estimate == np.inf
    assert np.isnan([low, high]).all()


def test_ratio_without_room_is_nan(rng):
    numerator = rng.normal(size=40)
    weights = bootstrap_weights(40, 500, rng)
    noisy = rng.normal(size=40)
    noisy += 0.1 - noisy.mean()  # a positive sum that is not told from 0
    without = np.column_stack([noisy, -np.ones(40), np.zeros(40)])
    found = ratios(np.column_stack([numerator] * 3), without, weights.astype(float))
    assert np.isnan([found.estimate, found.low, found.high]).all()
    assert found.reason.tolist() == [NO_ROOM] * 3
    assert np.isfinite(one_ratio(numerator, noisy + 1, weights)).all()
    assert ratios(numerator[:5, None], noisy[:5, None] - 9, weights[:, :5].astype(float)).reason[0] == NO_ROOM


def test_p_counts_draws_on_either_side():
    draws = np.r_[np.full(3, -1.0), np.full(96, 1.0)]
    assert p_of(draws) == pytest.approx(2 * 4 / 100)
    assert p_of(-draws) == p_of(draws)
    assert p_of(np.r_[draws, np.nan]) == p_of(draws)
    assert p_of(np.ones(999)) == pytest.approx(0.002)
    assert p_of(np.zeros(99)) == 1.0
    assert np.isnan(p_of(np.full(9, np.nan)))


def test_p_is_uniform_without_difference(rng):
    weights = bootstrap_weights(50, 400, rng).astype(float)
    p = means(rng.normal(size=(50, 400)), weights).p
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


def test_columns_are_those_of_one_at_a_time():
    values, weights = columns(), WEIGHTS.astype(float)
    above, below = columns(), np.abs(columns()) + 0.1
    below[:, 5] -= 2.0  # sums to less than nothing
    below[:, 6] = RNG.normal(0, 1, N)  # may
    for function, terms in ((means, (values,)), (ratios, (above, below))):
        found = function(*terms, weights)
        for k in range(values.shape[1]):
            known = np.isfinite(sum(term[:, k] for term in terms)) | (function is means) & np.isinf(values[:, k])
            one = function(*(term[known, k][:, None] for term in terms), weights[:, known])
            assert found.n[k] == one.n[0] == known.sum()
            assert found.reason[k] == one.reason[0]
            for name in ("estimate", "low", "high", "p"):
                np.testing.assert_allclose(getattr(found, name)[k], getattr(one, name)[0], rtol=1e-10, err_msg=name)
    assert found.reason[5] == NO_ROOM


@pytest.mark.parametrize("n", [9, 10])
def test_under_ten_there_is_no_interval(n):
    found = means(np.arange(n, dtype=float)[:, None], bootstrap_weights(n, 50, np.random.default_rng(0)).astype(float))
    assert found.estimate[0] == (n - 1) / 2
    assert np.isnan([found.low[0], found.high[0], found.p[0]]).all() == (n < 10)

"""Variance between perturbations, predicted over observed, and collapse onto a baseline."""

import numpy as np
import pytest

from scpertbias._core.resampling import bootstrap_weights
from scpertbias._core.variance import NO_VARIANCE, collapse, cosine, deviations, groups_of_folds, is_constant, spread


def screen(rng, n_rows=300, n_genes=80, noise=1.0, signal=1.0):
    """True effects of unequal size by gene, and two noisy halves; the last quarter of the genes does not move."""
    size = signal * np.where(np.arange(n_genes) < 0.75 * n_genes, rng.gamma(3.0, 0.2, size=n_genes), 0.0)
    true = rng.normal(size=(n_rows, n_genes)) * size + rng.normal(size=n_genes)
    halves = true + noise * rng.normal(size=(2, n_rows, n_genes))
    return true, halves, size


def test_deviations_group_by_group():
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=(30, 7)), rng.integers(3, size=30) * 5
    expected = np.empty_like(values)
    for g in (0, 5, 10):
        expected[groups == g] = values[groups == g] - values[groups == g].mean(axis=0)
    np.testing.assert_allclose(deviations(values, groups), expected, atol=1e-14)


def test_rounding_is_no_difference():
    groups = np.repeat([0, 1], 20)
    constant = np.random.default_rng(1).normal(size=(2, 9))[groups]
    constant *= 1 + 1e-15 * np.arange(40)[:, None]
    assert not deviations(constant, groups).any()
    assert is_constant(constant, groups)
    constant[3, 2] += 1e-3
    assert not is_constant(constant, groups)
    assert not is_constant(constant, np.arange(40))


def test_small_folds_are_centered_together():
    np.testing.assert_array_equal(groups_of_folds(np.arange(9)), 0)
    np.testing.assert_array_equal(groups_of_folds(np.repeat([0, 1], [5, 4])), 0)
    np.testing.assert_array_equal(groups_of_folds(np.repeat([3, 1], 5)), np.repeat([3, 1], 5))
    assert groups_of_folds(np.zeros(0, dtype=np.int64)).size == 0


@pytest.mark.parametrize("factor", [0.25, 1.0])
@pytest.mark.parametrize("n_folds", [1, 5])
def test_ratio_is_that_of_the_noiseless_effects(factor, n_folds):
    rng = np.random.default_rng(2)
    true, halves, size = screen(rng)
    groups = np.arange(300) % n_folds
    weights = bootstrap_weights(300, 1000, rng)
    # What folds add to a prediction, the mean of their own training set, is no variance between perturbations.
    predicted = factor * true + 10.0 * groups[:, None]
    found = spread(predicted, *halves, groups, weights)
    assert found.ratio.low < factor < found.ratio.high
    assert found.ratio.estimate == pytest.approx(factor, abs=0.02)
    assert found.ratio.high - found.ratio.low < 0.08
    centered = np.concatenate([predicted[groups == g] - predicted[groups == g].mean(axis=0) for g in range(n_folds)])
    np.testing.assert_allclose(found.predicted, (centered**2).sum(axis=0) / (300 - n_folds), atol=1e-20)
    np.testing.assert_allclose(found.observed[:60], size[:60] ** 2, rtol=0.4, atol=0.3)
    assert found.reliable[:60].mean() > 0.7
    assert found.reliable[60:].mean() < 0.2


def test_ratio_by_hand():
    rng = np.random.default_rng(3)
    _, halves, _ = screen(rng, n_rows=40, n_genes=6)
    predicted = rng.normal(size=(40, 6))
    found = spread(predicted, *halves, np.zeros(40, dtype=np.int64), bootstrap_weights(40, 100, rng))
    covariance = [np.cov(halves[0][:, g], halves[1][:, g])[0, 1] for g in range(6)]
    np.testing.assert_allclose(found.observed, covariance)
    np.testing.assert_allclose(found.ratio.estimate, np.sqrt(predicted.var(axis=0, ddof=1).sum() / np.sum(covariance)))
    error = [
        np.std((halves[0][:, g] - halves[0][:, g].mean()) * (halves[1][:, g] - halves[1][:, g].mean()), ddof=1)
        / np.sqrt(40)
        for g in range(6)
    ]
    np.testing.assert_array_equal(found.reliable, covariance > 2 * np.array(error) * 40 / 39)


@pytest.mark.slow
def test_interval_covers_the_population_ratio():
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        size = rng.gamma(3.0, 0.2, size=60)
        true = rng.normal(size=(100, 60)) * size
        predicted = 0.5 * true + 0.2 * rng.normal(size=true.shape)
        halves = true + rng.normal(size=(2, *true.shape))
        found = spread(predicted, *halves, np.zeros(100, dtype=np.int64), bootstrap_weights(100, 500, rng)).ratio
        expected = np.sqrt((0.25 * (size**2).sum() + 60 * 0.04) / (size**2).sum())
        hits += found.low < expected < found.high
    assert 182 <= hits <= 198, hits


def test_nothing_reproducible_and_too_few():
    rng = np.random.default_rng(4)
    true, halves, _ = screen(rng, n_rows=60, signal=0.0)
    groups = np.zeros(60, dtype=np.int64)
    found = spread(true, *halves, groups, bootstrap_weights(60, 300, rng))
    assert np.isnan(found.ratio.estimate)
    assert found.ratio.reason == NO_VARIANCE
    true, halves, _ = screen(rng, n_rows=8, noise=0.1)
    found = spread(true, *halves, groups[:8], bootstrap_weights(8, 300, rng))
    assert np.isfinite(found.ratio.estimate)
    assert np.isnan(found.ratio.low)
    assert "fewer than 10" in found.ratio.reason
    found = spread(true[:1], *halves[:, :1], groups[:1], bootstrap_weights(1, 300, rng))
    assert np.isnan(found.ratio.estimate)
    assert not found.reliable.any()


def test_mean_is_collapsed_and_a_noisy_oracle_is_not():
    rng = np.random.default_rng(5)
    control = rng.gamma(1.0, size=500)
    axis = rng.normal(size=500)
    true = control + axis + 0.7 * rng.normal(size=(80, 500))
    folds = np.arange(80) % 5
    means = np.stack([true[folds != f].mean(axis=0) for f in folds])
    found = collapse(means, means, control)
    assert found.to == "mean"
    assert found.cosine_mean == pytest.approx(1)
    assert collapse(np.tile(control, (80, 1)), means, control) == (0.0, pytest.approx(1), "no_change")
    assert collapse(control + 0.9 * (means - control), means, control).to == "mean"
    assert collapse(control + 0.1 * (means - control), means, control).to == "no_change"
    oracle = collapse(true + 0.3 * rng.normal(size=true.shape), means, control)
    assert oracle.to == ""
    assert 0.5 < oracle.cosine_mean < 0.95
    # A constant that is not the mean is no collapse onto the mean.
    assert collapse(means + 0.2 * rng.normal(size=500), means, control).to == ""


def test_cosine():
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(2, 5, 4))
    assert cosine(a, b) == pytest.approx(a.ravel() @ b.ravel() / np.sqrt((a**2).sum() * (b**2).sum()))
    assert cosine(np.zeros(3), np.zeros(3)) == 0.0
    assert cosine(1e-14 * a, b) == 0.0

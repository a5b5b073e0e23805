"""Variance between perturbations, predicted over observed, and collapse onto a baseline."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from scpertbias._core.variance import (
    NO_VARIANCE,
    ObservedMeans,
    collapse,
    deviations,
    groups_of_folds,
    is_constant,
    spread,
)


def screen(rng, n_rows=300, n_genes=80, noise=0.7, signal=1.0, n_batches=3):
    """True effects of unequal size by gene, and noisy means; the last quarter of the genes does not move.

    The control of each batch has noise of its own, which perturbations of that batch share.
    """
    size = signal * np.where(np.arange(n_genes) < 0.75 * n_genes, rng.gamma(3.0, 0.2, size=n_genes), 0.0)
    true = rng.normal(size=(n_rows, n_genes)) * size + rng.normal(size=n_genes)
    weights, control = rng.dirichlet(np.ones(n_batches), size=n_rows), np.full((n_batches, n_genes), (noise / 4) ** 2)
    means = true + noise * rng.normal(size=true.shape) - weights @ (np.sqrt(control) * rng.normal(size=control.shape))
    return true, ObservedMeans(means, np.full(true.shape, noise**2), weights, control, 1 / n_genes), size


def brute_force(predicted, observed, groups):
    """Variances by Gram matrices, and the jackknife that makes them anew without each perturbation."""
    own, tau = observed.own.sum(axis=1), observed.control.sum(axis=1)
    gram = observed.means @ observed.means.T - np.diag(own) - observed.weights @ np.diag(tau) @ observed.weights.T

    def parts(keep):
        kept = groups[keep]
        center = np.eye(len(keep)) - (kept[:, None] == kept) / np.sum(kept[:, None] == kept, axis=1)
        return np.sum((center @ predicted[keep]) ** 2), np.diag(center @ gram[np.ix_(keep, keep)] @ center)

    n = len(groups)
    above, terms = parts(np.arange(n))
    without = np.array([parts(np.delete(np.arange(n), p)) for p in range(n)], dtype=object)
    ratios = np.array([top / below.sum() for top, below in without])
    error = np.sqrt((n - 1) / n * np.sum((ratios - ratios.mean()) ** 2))
    positive = np.maximum(terms, 0)
    n_effective = positive.sum() ** 2 / np.sum(positive**2)
    ratio, width = above / terms.sum(), stats.t.ppf(0.975, max(n_effective - 1, 2)) * error
    low, high = ratio - width, ratio + width
    if ratio >= 2 * error:
        low, high = min(low, ratio * np.exp(-width / ratio)), max(high, ratio * np.exp(width / ratio))
    return *np.sqrt(np.maximum([ratio, low, high], 0)), n_effective


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
    true, observed, size = screen(rng)
    groups = np.arange(300) % n_folds
    # What folds add to a prediction, the mean of their own training set, is no variance between perturbations.
    predicted = factor * true + 10.0 * groups[:, None]
    result = spread(predicted, observed, groups)
    assert result.ratio.low < factor < result.ratio.high
    assert result.ratio.estimate == pytest.approx(factor, abs=0.02)
    assert result.ratio.high - result.ratio.low < 0.08
    centered = np.concatenate([predicted[groups == g] - predicted[groups == g].mean(axis=0) for g in range(n_folds)])
    np.testing.assert_allclose(result.predicted, (centered**2).sum(axis=0) / (300 - n_folds), atol=1e-20)
    np.testing.assert_allclose(result.observed[:60], size[:60] ** 2, rtol=0.4, atol=0.3)
    assert result.reliable[:60].mean() > 0.7
    assert result.reliable[60:].mean() < 0.2


@pytest.mark.parametrize("groups", [np.zeros(40, dtype=np.int64), np.arange(40) % 3, np.repeat([0, 1, 2], [1, 2, 37])])
def test_ratio_equals_brute_force(groups):
    rng = np.random.default_rng(3)
    true, observed, _ = screen(rng, n_rows=40, n_genes=30)
    observed = replace(observed, own=observed.own * rng.uniform(0.2, 1.5, (40, 1)))
    predicted = 0.6 * true + 0.2 * rng.normal(size=true.shape)
    result = spread(predicted, observed, groups).ratio
    actual = result.estimate, result.low, result.high, result.n_effective
    assert actual == pytest.approx(brute_force(predicted, observed, groups), rel=1e-8)


def test_variance_by_gene_equals_brute_force():
    rng = np.random.default_rng(3)
    true, observed, _ = screen(rng, n_rows=12, n_genes=6)
    result = spread(true, observed, np.zeros(12, dtype=np.int64))
    center = np.eye(12) - 1 / 12
    for g in range(6):
        away = center @ observed.means[:, g]
        noise = [
            sum(center[p, q] ** 2 * observed.own[q, g] for q in range(12))
            + sum((center[p] @ observed.weights[:, b]) ** 2 * observed.control[b, g] for b in range(3))
            for p in range(12)
        ]
        terms = away**2 - noise
        assert result.observed[g] == pytest.approx(terms.sum() / 11)
        assert result.reliable[g] == (terms.sum() / 11 > 2 * terms.std(ddof=1) * np.sqrt(12) / 11)


@pytest.mark.slow
def test_interval_covers_the_population_ratio():
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        true, observed, size = screen(rng, n_rows=100, n_genes=60)
        predicted = 0.5 * true + 0.2 * rng.normal(size=true.shape)
        result = spread(predicted, observed, np.zeros(100, dtype=np.int64)).ratio
        expected = np.sqrt((0.25 * (size**2).sum() + 60 * 0.04) / (size**2).sum())
        hits += result.low < expected < result.high
    assert 182 <= hits <= 198, hits


def test_nothing_reproducible_and_too_few():
    rng = np.random.default_rng(4)
    true, observed, _ = screen(rng, n_rows=60, signal=0.0)
    groups = np.zeros(60, dtype=np.int64)
    result = spread(true, observed, groups)
    assert np.isnan(result.ratio.estimate)
    assert result.ratio.reason == NO_VARIANCE
    true, observed, _ = screen(rng, n_rows=8, noise=0.1)
    result = spread(true, observed, groups[:8])
    assert np.isfinite(result.ratio.estimate)
    assert np.isnan(result.ratio.low)
    assert "fewer than 10" in result.ratio.reason
    one = ObservedMeans(observed.means[:1], observed.own[:1], observed.weights[:1], observed.control, observed.a2)
    result = spread(true[:1], one, groups[:1])
    assert np.isnan(result.ratio.estimate)
    assert not result.reliable.any()


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


@pytest.mark.parametrize("n_rows", [3, 300])
def test_cosines_are_those_of_the_differences_as_wholes(n_rows):
    rng = np.random.default_rng(6)
    predictions, mean, control = rng.normal(size=(n_rows, 4)), rng.normal(size=(n_rows, 4)), rng.normal(size=4)
    axis, from_control, from_mean = (v.ravel() for v in (mean - control, predictions - control, predictions - mean))
    result = collapse(predictions, mean, control)
    assert result.cosine_mean == pytest.approx(from_control @ axis / np.sqrt((from_control**2).sum() * (axis**2).sum()))
    assert result.cosine_control == pytest.approx(-from_mean @ axis / np.sqrt((from_mean**2).sum() * (axis**2).sum()))
    assert collapse(mean, mean + 1e-14, control).cosine_control == 0.0

"""Sums and shrinkage of a few rows at a time against those of whole tables."""

import numpy as np

from scpertbias._core.graph import adjacency, laplacian, spectrum
from scpertbias._core.linear import AT_ONCE, checked_counts, in_parts, shrunk, weighted_sum


def _levels():
    rng = np.random.default_rng(28)
    cells = rng.integers(0, 9, 2 * AT_ONCE + 5).astype(float)
    return np.where(cells[:, None] > 0, rng.normal(size=(len(cells), 6)), np.nan), cells


def test_parts_are_all_rows_once():
    rows = np.arange(3, 2 * AT_ONCE + 10)
    parts = list(in_parts(rows))
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    assert max(map(len, parts)) == AT_ONCE


def test_rows_without_weight_are_not_looked_at():
    means, cells = _levels()
    np.testing.assert_allclose(weighted_sum(cells, means), cells @ np.nan_to_num(means), rtol=1e-12)


def test_shrunk_levels():
    means, cells = _levels()
    penalty = np.linspace(0.1, 3, 6)
    left = cells[:, None] / (cells[:, None] + penalty)
    intercept = (left * np.nan_to_num(means)).sum(axis=0) / left.sum(axis=0)
    result = shrunk(means, cells, penalty, slice(None))
    np.testing.assert_allclose(result.intercept, intercept, rtol=1e-12)
    np.testing.assert_allclose(result.coef, left * (np.nan_to_num(means) - intercept), atol=1e-12)


def test_shrunk_in_the_eigenbasis_of_a_graph():
    means, cells = _levels()
    genes = spectrum(laplacian(adjacency(np.array([0, 1]), np.array([1, 3]), np.ones(2), 6), normalized=True))
    penalty = 0.1 + genes.values
    turned = shrunk(genes.forward(means), cells, penalty, slice(None))
    result = shrunk(means, cells, penalty, slice(None), genes)
    np.testing.assert_allclose(result.intercept, genes.back(turned.intercept[None])[0], atol=1e-12)
    np.testing.assert_allclose(result.fitted, genes.back(turned.fitted), atol=1e-12)


def test_counts_are_numbers():
    counts = checked_counts(np.array([0, 3]), 0.1, 0.0)
    assert counts.dtype == np.float64

"""Largest values and mid-ranks of rows, against sorting row by row."""

import numpy as np
import pytest
from scipy.stats import rankdata

from scpertbias._core.ranking import expression_bins, percentiles, strongest_mask, top_mask


def naive_top(row: np.ndarray, k: int) -> set[int]:
    known = [g for g in range(len(row)) if not np.isnan(row[g])]
    if len({row[g] for g in known}) < 2:
        return set()
    return set(sorted(known, key=lambda g: (-row[g], g))[:k])


@pytest.mark.parametrize("k", [1, 3, 5, 40])
def test_top_is_that_of_a_sort_with_ties_by_column(k):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, size=(200, 40)).astype(float)  # six levels in forty genes: ties everywhere
    values[3], values[4, 7], values[5], values[6, 2:] = 2.0, np.nan, np.nan, np.nan
    values[6, :2] = 1.0, 2.0
    marked = top_mask(values, k)
    assert [set(np.flatnonzero(row)) for row in marked] == [naive_top(row, k) for row in values]
    assert not marked[[3, 5]].any()
    assert marked[6].sum() == min(k, 2)


def test_the_strongest_are_the_largest_in_size():
    effects = np.random.default_rng(4).normal(size=(300, 12))
    effects[7, 2] = np.nan
    np.testing.assert_array_equal(strongest_mask(effects, 3), top_mask(np.abs(effects), 3))


@pytest.mark.parametrize("k", [0, 41])
def test_top_of_none_or_more_than_there_are(k):
    with pytest.raises(ValueError, match=f"`k` is {k}; it must be between 1 and the number of genes, 40"):
        top_mask(np.zeros((2, 40)), k)


def test_percentiles_are_mid_ranks_with_mean_one_half():
    values = np.random.default_rng(1).integers(0, 9, size=(300, 30)).astype(float)
    found = percentiles(values)
    below = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    ties = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    np.testing.assert_allclose(found, (below + ties / 2) / 30)
    np.testing.assert_allclose(found.mean(axis=1), 0.5)
    np.testing.assert_allclose(percentiles(np.zeros((1, 7))), 0.5)
    np.testing.assert_allclose(found[0], (rankdata(values[0]) - 0.5) / 30)


def test_nan_have_no_percentile_and_do_not_count():
    values = np.array([[3.0, np.nan, 1, 2], [np.nan] * 4])
    np.testing.assert_allclose(percentiles(values), [[5 / 6, np.nan, 1 / 6, 1 / 2], [np.nan] * 4])


def test_bins_are_of_equal_size_and_ordered():
    control = np.random.default_rng(2).gamma(1.0, size=1187)
    bins = expression_bins(control)
    sizes = np.bincount(bins)
    assert len(sizes) == 20
    assert np.ptp(sizes) <= 1
    assert (np.diff(bins[np.argsort(control)]) >= 0).all()
    np.testing.assert_array_equal(expression_bins(np.zeros(4)), [0, 1, 2, 3])

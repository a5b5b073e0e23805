"""Arithmetic on moments against the same arithmetic on cells."""

from dataclasses import replace

import numpy as np
import pytest

from scpertbias._core.cell_columns import Covariates
from scpertbias._core.halves import assign_halves
from scpertbias._core.moments import Moments, standardize, total_mean_var
from scpertbias._core.row_moments import row_moments

N, G = 400, 5


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    row = rng.choice(6, N, p=[0.4, 0.2, 0.2, 0.1, 0.08, 0.02]).astype(np.int64)
    return rng.gamma(2.0, size=(N, G)) + row[:, None], row, rng.normal(size=(N, 2))


def moments_of(x, row, n_rows, covariates=None):
    zero = np.zeros(len(row), dtype=np.int64)
    hashes = np.random.default_rng(1).integers(2**64, size=len(row), dtype=np.uint64)
    assignment = assign_halves(row, n_rows, 0, hashes, batch=zero, n_batches=1)
    return row_moments(x, assignment, row, n_rows, 0, batch=zero, covariates=covariates)


def test_merged_rows_are_those_never_split(cells):
    x, row, _ = cells
    codes = np.array([0, 1, 1, 2, 3, 2])  # rows 1, 2 and rows 3, 5 are splits of one perturbation
    merged = moments_of(x, row, 6).merge(codes, 4)
    np.testing.assert_array_equal(merged.n, np.bincount(codes[row]))
    for p in range(4):
        mine = x[codes[row] == p]
        np.testing.assert_allclose(merged.mean[p], mine.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(merged.var[p], mine.var(axis=0, ddof=1), rtol=1e-12)
    whole = moments_of(x, codes[row], 4)
    for name in ("mean", "var", "n", "blocks"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-11, err_msg=name)
    # halves stay within splits; together they are the whole
    np.testing.assert_array_equal(merged.n_half.sum(axis=0), merged.n)
    joined = (merged.n_half[:, :, None] * merged.half).sum(axis=0) / merged.n[:, None]
    np.testing.assert_allclose(joined, merged.mean, rtol=1e-12)


def test_merged_halves_weigh_the_cells(cells):
    x, row, _ = cells
    moments = moments_of(x, row, 6)
    merged = moments.merge(np.array([0, 1, 1, 1, 1, 1]), 2)
    for a in (0, 1):
        w = moments.n_half[a, 1:]
        np.testing.assert_allclose(merged.half[a, 1], w @ moments.half[a, 1:] / w.sum(), rtol=1e-12)


def test_merging_keeps_a_half_that_one_split_lacks():
    row = np.array([0] * 8 + [1, 2, 2])
    x = np.arange(11.0)[:, None]
    moments = moments_of(x, row, 3)
    assert np.isnan(moments.half[:, 1]).any()
    assert np.isfinite(moments.merge(np.array([0, 1, 1]), 2).half).all()


def test_merging_into_a_row_without_cells(cells):
    x, row, _ = cells
    merged = moments_of(x, row, 6).merge(np.array([0, 2, 2, 2, 2, 2]), 3)
    assert merged.n[1] == 0
    assert np.isnan(merged.mean[1]).all()
    assert np.isnan(merged.var[1]).all()


def test_pooled_variance(cells):
    x, row, _ = cells
    within = sum(((x[row == p] - x[row == p].mean(axis=0)) ** 2).sum(axis=0) for p in range(6))
    np.testing.assert_allclose(moments_of(x, row, 6).pooled_var, within / (N - 6), rtol=1e-12)


def test_pooled_variance_of_rows_of_one_cell():
    moments = moments_of(np.arange(3.0)[:, None], np.arange(3), 3)
    assert np.isnan(moments.pooled_var).all()


def test_total_mean_and_variance(cells):
    x, row, _ = cells
    rows = np.array([True, True, False, True, True, True])
    mean, var = total_mean_var(moments_of(x, row, 6), rows)
    np.testing.assert_allclose(mean, x[row != 2].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(var, x[row != 2].var(axis=0), rtol=1e-12)


def test_standardized_moments_are_those_of_standardized_cells(cells):
    x, row, c = cells
    center, scale = x.mean(axis=0), x.std(axis=0)
    found = standardize(moments_of(x, row, 6, covariates=c), center=center, scale=scale)
    expected = moments_of((x - center) / scale, row, 6)
    for name in ("mean", "var", "half", "blocks", "n", "n_half", "n_blocks"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-11, err_msg=name)
    assert found.covariates is None


@pytest.mark.parametrize("keep", [np.array([True, False, True, True, False]), np.array([3, 0])], ids=["mask", "index"])
def test_genes(cells, keep):
    x, row, c = cells
    found, expected = moments_of(x, row, 6, covariates=c).genes(keep), moments_of(x[:, keep], row, 6, covariates=c)
    for name in ("mean", "var", "half", "blocks"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-12, err_msg=name)
    np.testing.assert_allclose(found.covariates.cross, expected.covariates.cross, atol=1e-9)


def test_control_is_the_row_of_the_reference(cells):
    x, row, _ = cells
    moments = moments_of(x, row, 6)
    np.testing.assert_array_equal(moments.control, moments.mean[0])
    moved = replace(moments, reference=4)
    np.testing.assert_array_equal(moved.control, moments.mean[4])
    assert isinstance(moments, Moments)
    assert moved.covariates is None or isinstance(moved.covariates, Covariates)

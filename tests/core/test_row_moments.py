"""Rows, halves and control blocks against brute force over the cells."""

import numpy as np
import pytest
from scipy import sparse

from scpertbias._core.covariates import regress_out
from scpertbias._core.halves import assign_halves
from scpertbias._core.row_moments import row_moments, sum_by

from .cells import Cells, N, R, S


def means(values, group, n):
    return np.array([values[group == i].mean(axis=0) for i in range(n)])


def check(moments, cells, raw, tol=1e-10):
    """Every moment beside the mean or variance of cells, which were centered one by one."""
    half, block = cells.parts()
    close = {"rtol": tol, "atol": tol}
    np.testing.assert_allclose(moments.mean, means(cells.centered(raw), cells.row, R), **close)
    for a in (0, 1):
        expected = means(cells.centered_half(raw, a), np.where(half == a, cells.row, -1), R)
        np.testing.assert_allclose(moments.half[a], expected, **close)
        np.testing.assert_array_equal(moments.n_half[a], np.bincount(cells.row[half == a], minlength=R))
    np.testing.assert_allclose(moments.blocks, means(cells.about_blocks(raw), block, len(moments.blocks)), **close)
    np.testing.assert_array_equal(moments.n_blocks.sum(axis=1), np.bincount(block[block >= 0]))
    np.testing.assert_array_equal(moments.n, np.bincount(cells.row[cells.row >= 0]))
    np.testing.assert_allclose(moments.var, cells.within(raw), **close)
    np.testing.assert_allclose(moments.raw_mean, means(raw, cells.row, R), **close)
    np.testing.assert_allclose(moments.raw_var, [raw[cells.row == i].var(axis=0, ddof=1) for i in range(R)], **close)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_matrix], ids=["dense", "csr", "csc"])
@pytest.mark.parametrize("batches", [1, S])
def test_moments_are_those_of_the_centered_cells(form, batches):
    cells = Cells(batches=batches)
    moments = cells.row_moments(form(cells.x))
    check(moments, cells, cells.x)
    np.testing.assert_allclose(moments.control, cells.x[cells.row == 0].mean(axis=0), rtol=1e-12)
    assert len(moments.blocks) == 20


def test_batches_matter():
    """The example is one in which the batches shift the means."""
    cells = Cells()
    assert np.abs(cells.centered(cells.x) - cells.x).max() > 0.1


def test_formula_of_the_definitions():
    cells = Cells()
    control = cells.row == 0
    by_batch = [cells.x[control & (cells.batch == b)].mean(axis=0) for b in range(S)]
    for p in range(1, R):
        mine = cells.row == p
        expected = cells.x[control].mean(axis=0)
        for b in range(S):
            both = mine & (cells.batch == b)
            expected = expected + both.sum() / mine.sum() * (cells.x[both].mean(axis=0) - by_batch[b])
        np.testing.assert_allclose(cells.row_moments().mean[p], expected, atol=1e-10)


def test_a_constant_gene_with_an_offset_keeps_its_variance():
    cells = Cells()
    cells.x[:, 0] = 1e4 + 1e-3 * np.random.default_rng(1).standard_normal(N)
    moments = cells.row_moments()
    np.testing.assert_allclose(moments.var[:, 0], cells.within(cells.x - 1e4)[:, 0], rtol=1e-8)


@pytest.mark.parametrize("fit_on", ["control", "train"])
@pytest.mark.parametrize("batches", [1, S])
@pytest.mark.parametrize("add_intercept", [True, False])
def test_regressing_moments_is_regressing_cells(fit_on, batches, add_intercept):
    cells = Cells(batches=batches)
    rows = np.arange(R) == 0 if fit_on == "control" else np.arange(R) < 3
    moments, fit = regress_out(cells.row_moments(covariates=True), rows=rows, add_intercept=add_intercept)
    x, c = cells.centered(cells.x), cells.centered(cells.c)
    fitted = (cells.row >= 0) & rows[np.maximum(cells.row, 0)]
    ss = cross = 0
    for i in np.flatnonzero(rows):
        away = cells.c[cells.row == i] - cells.c[cells.row == i].mean(axis=0)
        cross = cross + away.T @ x[cells.row == i]
        for b in range(batches):
            mine = cells.c[(cells.row == i) & (cells.batch == b)]
            ss = ss + (mine - mine.mean(axis=0)).T @ (mine - mine.mean(axis=0))
    np.testing.assert_allclose(fit.slopes, np.linalg.solve(ss, cross), atol=1e-9)
    shift = 0 if add_intercept else x[fitted].mean(axis=0)
    check(moments, cells, cells.x - (cells.c - c[fitted].mean(axis=0)) @ fit.slopes - shift, tol=1e-9)
    assert moments.covariates is None


def test_one_cell_has_no_second_half_and_no_variance():
    row = np.array([0, 0, 0, 0, 1])
    zero = np.zeros(5, dtype=np.int64)
    assignment = assign_halves(row, 2, 0, np.arange(5, dtype=np.uint64), batch=zero, n_batches=1)
    moments = row_moments(np.arange(5.0)[:, None], assignment, row, 2, 0, batch=zero)
    assert moments.mean[1, 0] == 4
    assert np.isnan(moments.half[:, 1, 0]).sum() == 1
    assert np.isnan(moments.var[1, 0])
    assert moments.n_half[:, 1].sum() == 1


def test_nothing_depends_on_the_order_of_cells():
    cells = Cells()
    mixed = cells.take(np.random.default_rng(3).permutation(N))
    one, two = cells.row_moments(covariates=True), mixed.row_moments(covariates=True)
    for name in ("n", "mean", "var", "half", "n_half", "blocks", "n_blocks"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-11, err_msg=name)
    for name in ("mean", "half", "blocks", "ss", "cross", "control_half", "control_ss", "control_cross"):
        expected, found = getattr(one.covariates, name), getattr(two.covariates, name)
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=name)


def test_cells_left_out_do_not_count():
    cells = Cells()
    kept = cells.take(cells.row >= 0)
    strange = cells.x.copy()
    strange[cells.row < 0] = 1e9
    for name in ("mean", "var", "half", "blocks"):
        np.testing.assert_array_equal(getattr(cells.row_moments(strange), name), getattr(kept.row_moments(), name))


def test_covariates_are_about_rows_and_batches():
    cells = Cells()
    covariates = cells.row_moments(covariates=True).covariates
    centered = cells.centered(cells.c)
    for p in range(R):
        mine = cells.row == p
        away = cells.c[mine] - cells.c[mine].mean(axis=0)
        np.testing.assert_allclose(covariates.mean[p], centered[mine].mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(covariates.ss[p], away.T @ away, rtol=1e-10)
        np.testing.assert_allclose(covariates.cross[p], away.T @ cells.x[mine], atol=1e-9)
    for b in range(S):
        mine = (cells.row == 0) & (cells.batch == b)
        away = cells.c[mine] - cells.c[mine].mean(axis=0)
        np.testing.assert_allclose(covariates.control_ss[b], away.T @ away, rtol=1e-10)
        np.testing.assert_allclose(covariates.control_cross[b], away.T @ cells.x[mine], atol=1e-9)


def test_sum_by():
    values, to = np.arange(12.0).reshape(4, 3), np.array([1, -1, 1, 0])
    np.testing.assert_array_equal(sum_by(values, to, 3), [values[3], values[0] + values[2], np.zeros(3)])
    weighted = sum_by(values, to, 2, weights=np.array([2.0, 5.0, 1.0, 3.0]))
    np.testing.assert_array_equal(weighted, [3 * values[3], 2 * values[0] + values[2]])

"""The z of effects, against the definition on single cells."""

from dataclasses import replace

import numpy as np
import pytest

from scpertbias._core.covariates import regress_out
from scpertbias._core.z_scores import n_carrying, scaled, undetectable, value_sums, z_errors, z_scores

from .log_counts import ROWS, SHAPES, Cells, P, draw, moments_of


@pytest.mark.parametrize("shape", SHAPES)
def test_z_is_that_of_single_cells(shape):
    x, row, batch = draw(1, **SHAPES[shape], effect=0.3)
    cells, moments = Cells(x, row, batch), moments_of(x, row, batch)
    z = np.array([cells.z(p) for p in ROWS])
    assert np.isnan(z).any()
    np.testing.assert_allclose(z_scores(moments, ROWS), z, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(z_errors(moments, ROWS), [cells.error(p) for p in ROWS], rtol=1e-8)
    too_rare = [cells.carrying(p) + cells.carrying(0) < 10 - 1e-8 for p in ROWS]
    np.testing.assert_array_equal(undetectable(moments, ROWS), too_rare)


@pytest.mark.parametrize("a", [0, 1])
def test_the_error_of_a_half_has_the_cells_of_the_half(a):
    x, row, batch = draw(2, uneven=True)
    cells, moments = Cells(x, row, batch), moments_of(x, row, batch)
    n, n_control = moments.counts[a], moments.counts[a, 0]
    for i, p in enumerate(ROWS):
        w = n[p] / n[p].sum()
        square = np.maximum(cells.var[p - 1], cells.pooled) / n[p].sum()
        square += sum(w[b] ** 2 * np.maximum(cells.vars[b], cells.pooled) / n_control[b] for b in cells.batches)
        np.testing.assert_allclose(z_errors(moments, ROWS, half=a)[i], np.sqrt(square), rtol=1e-8)


def test_no_error_no_z():
    np.testing.assert_array_equal(scaled(np.array([1.0, 2, 0]), np.array([2.0, 0, np.nan])), [0.5, np.nan, np.nan])


def test_cells_that_carry_a_gene():
    values = np.array([[1.0, 1, 1, 0, 0], [5, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 2, 1, 2, 2]]).T
    sums = np.stack([values.sum(axis=0), (values**2).sum(axis=0)])[:, None]
    np.testing.assert_allclose(n_carrying(sums)[0], [3, 1, 0, 64 / 14])


def test_a_gene_that_few_cells_carry_cannot_lead():
    """One large value in one cell, or the same in cells of both, below ten in all."""
    x, row, batch = draw(3, n_batches=1)
    x[:, 0] = 0
    x[np.flatnonzero(row == 1)[:8], 0] = 30.0
    assert np.isnan(z_scores(moments_of(x, row, batch), ROWS)[0, 0])
    x[np.flatnonzero(row == 1)[:12], 0] = 30.0
    assert z_scores(moments_of(x, row, batch), ROWS)[0, 0] > 4


def test_where_values_can_be_negative_no_gene_is_too_rare():
    x, row, batch = draw(4)
    assert not np.isnan(z_scores(moments_of(x - 0.5, row, batch), ROWS)).any()


def test_regressed_values_keep_the_count_of_cells_that_carry_a_gene():
    x, row, batch = draw(5)
    z = np.random.default_rng(0).normal(size=(len(row), 1))
    moments = moments_of(x, row, batch, covariates=z)
    residual, _ = regress_out(moments, rows=np.ones(P + 1, dtype=bool))
    np.testing.assert_allclose(residual.value_sums, value_sums(moments))
    np.testing.assert_array_equal(
        np.isnan(z_scores(residual, ROWS)), np.isnan(z_scores(replace(moments, covariates=None), ROWS))
    )
    codes = np.r_[0, 1 + np.arange(P) // 2]
    merged = residual.merge(codes, P // 2 + 1)
    np.testing.assert_allclose(merged.value_sums, value_sums(moments_of(x, codes[row], batch)), atol=1e-9)
    np.testing.assert_allclose(merged.genes(np.arange(3)).value_sums, merged.value_sums[:, :, :3])

import numpy as np
import pytest

from scpertbias._core.covariates import cell_weights, equal_weights, regress_out
from scpertbias._core.halves import assign_halves
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


def test_covariates_that_say_the_same_share_the_slope(cells):
    x, row, c = cells
    one, fit_one = regress_out(moments_of(x, row, 6, covariates=c), rows=np.arange(6) < 3)
    twice = np.column_stack([c, c[:, 0] * 1000])
    two, fit_two = regress_out(moments_of(x, row, 6, covariates=twice), rows=np.arange(6) < 3)
    for name in ("mean", "var", "half", "blocks"):
        np.testing.assert_allclose(getattr(two, name), getattr(one, name), atol=1e-8, err_msg=name)
    np.testing.assert_allclose(fit_two.slopes[0] + 1000 * fit_two.slopes[2], fit_one.slopes[0], atol=1e-8)


def test_a_constant_covariate_gets_no_slope(cells):
    x, row, c = cells
    _, fit = regress_out(
        moments_of(x, row, 6, covariates=np.column_stack([c[:, 0], np.zeros(N)])), rows=np.arange(6) < 3
    )
    assert not fit.slopes[1].any()
    assert np.isfinite(fit.slopes).all()


def test_slopes_do_not_depend_on_the_units(cells):
    x, row, c = cells
    units = np.array([1e-6, 1e6])
    plain = regress_out(moments_of(x, row, 6, covariates=c), rows=np.arange(6) == 0)[1]
    other = regress_out(moments_of(x, row, 6, covariates=c * units), rows=np.arange(6) == 0)[1]
    np.testing.assert_allclose(other.slopes * units[:, None], plain.slopes, rtol=1e-8)


def test_regression_needs_covariates(cells):
    x, row, _ = cells
    with pytest.raises(ValueError, match="have no covariates"):
        regress_out(moments_of(x, row, 6), rows=np.arange(6) == 0)


def test_one_row_in_one_batch_weighs_all_cells_alike(cells):
    x, _, c = cells
    zero = np.zeros(N, dtype=np.int64)
    equal, general = equal_weights(c), cell_weights(c, zero, zero, zero == 0, between=True)
    for name in ("products", "mean", "ss", "center"):
        np.testing.assert_allclose(getattr(general, name), getattr(equal, name), atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(general.cells, np.arange(N))
    np.testing.assert_allclose(equal.mean @ x, x.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("between", [True, False])
def test_what_is_the_same_in_all_cells_of_a_batch_has_no_weight(cells, between):
    _, row, c = cells
    batch = np.arange(N) % 3
    weights = cell_weights(c, np.where(row == 5, -1, row), batch, row < 4, between=between)
    of_batch = np.eye(3)[batch[weights.cells]]
    assert not np.isin(weights.cells, np.flatnonzero(row > 3)).any()
    np.testing.assert_allclose(weights.products.T @ of_batch, 0, atol=1e-10)
    # the mean of genes is that of the control's batches, whichever the batches of the cells are
    np.testing.assert_allclose(weights.mean @ of_batch, np.bincount(batch[row == 0]) / (row == 0).sum(), atol=1e-12)

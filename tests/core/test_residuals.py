import numpy as np
import pytest
from scipy import sparse

from scpertbias._core.residuals import products, residuals


@pytest.mark.parametrize(
    "form", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.coo_array]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_equals_the_formula(form, dtype):
    rng = np.random.default_rng(0)
    x = rng.poisson(0.7, size=(40, 9)).astype(dtype)
    covariates, slopes = rng.normal(size=(40, 2)), rng.normal(size=(2, 9))
    out = residuals(form(x), covariates, slopes)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, x - covariates @ slopes, rtol=0, atol=2e-6)


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array, sparse.coo_array])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [1, 150, 151])
def test_products_and_residuals_of_any_number_of_covariates(form, k, n):
    rng = np.random.default_rng(k)
    x = rng.poisson(0.7, size=(n, 9)).astype(np.float32)
    covariates, slopes = rng.normal(size=(n, k)), rng.normal(size=(k, 9))
    cells = np.flatnonzero(rng.uniform(size=n) < 0.4)
    np.testing.assert_allclose(products(form(x), covariates), covariates.T @ x, rtol=0, atol=1e-11)
    of_some = products(form(x), covariates[cells], cells)
    np.testing.assert_allclose(of_some, covariates[cells].T @ x[cells], rtol=0, atol=1e-11)
    np.testing.assert_allclose(residuals(form(x), covariates, slopes), x - covariates @ slopes, rtol=0, atol=4e-6)


def test_values_stored_twice_add_up():
    x = sparse.csr_array((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), shape=(1, 3))
    out = residuals(x, np.zeros((1, 1)), np.zeros((1, 3)))
    np.testing.assert_array_equal(out, [[0, 3, 0]])


def test_the_input_is_left_alone():
    x = np.ones((3, 2), dtype=np.float32)
    residuals(x, np.ones((3, 1)), np.ones((1, 2)))
    np.testing.assert_array_equal(x, 1)

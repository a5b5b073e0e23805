import numpy as np
import pytest
from scipy import sparse

from scpertbias._core import threads
from scpertbias._core.sums import column_sums, extremes, row_sums, set_sums, spread

FORMS = {
    "c": np.ascontiguousarray,
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("form", ["c", "csr_array", "csc_array", "csr_matrix", "csc_matrix"])
def test_sums_are_those_of_float64(rng, form):
    x = rng.gamma(1.0, size=(3000, 9)).astype(np.float32)
    x[:, 2] = x[5] = 0
    x[:, 3] = 0.7
    exact = x.astype(np.float64)
    np.testing.assert_allclose(row_sums(FORMS[form](x)), exact.sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(column_sums(FORMS[form](x)), exact.sum(axis=0), rtol=1e-11)


@pytest.mark.parametrize("form", ["c", "csr_array", "csc_array"])
def test_sums_over_sets(rng, form):
    x = rng.gamma(1.0, size=(300, 9)).astype(np.float32) * rng.integers(2, size=(300, 9))
    members = np.array([np.ones(9), np.arange(9) < 3, np.zeros(9)], dtype=bool)
    expected = members @ x.T.astype(np.float64)
    np.testing.assert_allclose(set_sums(FORMS[form](x), members), expected, rtol=1e-13)


@pytest.mark.parametrize("form", ["c", "csr_array", "csc_array"])
def test_sums_do_not_overflow(form):
    x = FORMS[form](np.full((300, 300), 255, dtype=np.uint8))
    np.testing.assert_array_equal(row_sums(x), np.full(300, 76500))
    np.testing.assert_array_equal(column_sums(x), np.full(300, 76500))
    assert not row_sums(FORMS[form](np.zeros((2, 3)))).any()


@pytest.mark.parametrize("few", [64, 1 << 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.dtype(">f4")])
@pytest.mark.parametrize("form", [np.ravel, np.array, np.asfortranarray, lambda x: x[::2]])
def test_extremes_of_many_parts(rng, monkeypatch, few, dtype, form):
    monkeypatch.setattr(threads, "FEW", few)
    x = form((20 * rng.normal(size=(100, 10))).astype(dtype))
    assert extremes(x) == (float(x.min()), float(x.max()))
    assert extremes(np.abs(x)) == (float(np.abs(x).min()), float(np.abs(x).max()))
    if x.dtype.kind == "f":
        for odd in (np.inf, -np.inf):
            x.flat[77] = odd
            assert extremes(x) == (float(x.min()), float(x.max()))
        for nan in (np.nan, -np.nan):
            x.flat[77] = nan
            assert np.isnan(extremes(x)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spread_takes_the_last_row_where_there_is_none(rng, dtype):
    values, rows = rng.normal(size=(4, 3)).astype(dtype), np.array([2, -1, 0, 0])
    out = spread(values, rows)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, values[rows])

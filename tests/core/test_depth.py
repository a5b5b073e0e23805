import numpy as np
import pytest
from scipy import sparse

from scpertbias._core.depth import Depth


def depth_slopes(x, half, *, stratum, size, scale=None):
    """The slopes from all cells at once."""
    depth = Depth(half, stratum, x.shape[1])
    code, log_size = depth.sized(slice(None), size)
    depth.leaves.add(x, code, scale=scale, deviations=log_size)
    return depth.slopes()


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    half = rng.integers(-1, 2, size=120)
    stratum = rng.integers(0, 3, size=120)
    size = rng.lognormal(8, 0.4, size=120)
    x = rng.poisson(1.0, size=(120, 7)) + np.outer(np.log(size), np.linspace(-1, 1, 7)) + 3.0 * stratum[:, None] + 9
    return x, half, stratum, size


def brute(x, half, stratum, size):
    """Least squares of every gene on log depth with an intercept for each stratum."""
    slopes = []
    for a in (0, 1):
        mine = half == a
        dummies = (stratum[mine][:, None] == np.arange(3)).astype(float)
        design = np.column_stack([np.log(size[mine]), dummies])
        slopes.append(np.linalg.lstsq(design, x[mine], rcond=None)[0][0])
    return np.array(slopes)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_is_least_squares_within_halves_and_strata(cells, form):
    x, half, stratum, size = cells
    np.testing.assert_allclose(
        depth_slopes(form(x), half, stratum=stratum, size=size), brute(x, half, stratum, size), atol=1e-10
    )


def test_normalizes_on_the_fly(cells):
    x, half, stratum, size = cells
    scale = 1e3 / size
    fused = depth_slopes(x, half, stratum=stratum, size=size, scale=scale)
    np.testing.assert_allclose(fused, brute(np.log1p(x * scale[:, None]), half, stratum, size), atol=1e-10)


def test_other_cells_are_not_looked_at(cells):
    x, half, stratum, size = cells
    other = x.copy()
    other[half < 0] = 1e6
    np.testing.assert_array_equal(
        depth_slopes(x, half, stratum=stratum, size=size), depth_slopes(other, half, stratum=stratum, size=size)
    )


def test_cells_without_depth_take_no_part(cells):
    x, half, stratum, size = cells
    size = np.where(np.arange(120) % 10 == 0, 0.0, size)
    kept = np.where(size > 0, half, -1)
    expected = brute(x, kept, stratum, np.where(size > 0, size, 1.0))
    np.testing.assert_allclose(depth_slopes(x, half, stratum=stratum, size=size), expected, atol=1e-10)


def test_none_where_depth_is_the_same(cells):
    x, half, stratum, _ = cells
    assert depth_slopes(x, half, stratum=stratum, size=np.full(120, 5.0)) is None

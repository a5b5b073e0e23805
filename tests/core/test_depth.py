import numpy as np
import pytest
from scipy import sparse

from scpertbias._core.depth import Depth


def depth_slopes(x, half, *, batch, size, scale=None):
    """The slopes from all cells at once."""
    depth = Depth(half, batch, x.shape[1])
    code, log_size = depth.add_sizes(slice(None), size)
    depth.sums.add(x, code, scale=scale, deviations=log_size)
    return depth.slopes()


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    half = rng.integers(-1, 2, size=120)
    batch = rng.integers(0, 3, size=120)
    size = rng.lognormal(8, 0.4, size=120)
    x = rng.poisson(1.0, size=(120, 7)) + np.outer(np.log(size), np.linspace(-1, 1, 7)) + 3.0 * batch[:, None] + 9
    return x, half, batch, size


def brute(x, half, batch, size):
    """Least squares of every gene on log depth with an intercept for each batch."""
    slopes = []
    for a in (0, 1):
        mine = half == a
        dummies = (batch[mine][:, None] == np.arange(3)).astype(float)
        design = np.column_stack([np.log(size[mine]), dummies])
        slopes.append(np.linalg.lstsq(design, x[mine], rcond=None)[0][0])
    return np.array(slopes)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_is_least_squares_within_halves_and_batches(cells, form):
    x, half, batch, size = cells
    np.testing.assert_allclose(
        depth_slopes(form(x), half, batch=batch, size=size), brute(x, half, batch, size), atol=1e-10
    )


def test_normalizes_on_the_fly(cells):
    x, half, batch, size = cells
    scale = 1e3 / size
    fused = depth_slopes(x, half, batch=batch, size=size, scale=scale)
    np.testing.assert_allclose(fused, brute(np.log1p(x * scale[:, None]), half, batch, size), atol=1e-10)


def test_other_cells_are_not_looked_at(cells):
    x, half, batch, size = cells
    other = x.copy()
    other[half < 0] = 1e6
    np.testing.assert_array_equal(
        depth_slopes(x, half, batch=batch, size=size), depth_slopes(other, half, batch=batch, size=size)
    )


def test_cells_without_depth_take_no_part(cells):
    x, half, batch, size = cells
    size = np.where(np.arange(120) % 10 == 0, 0.0, size)
    kept = np.where(size > 0, half, -1)
    expected = brute(x, kept, batch, np.where(size > 0, size, 1.0))
    np.testing.assert_allclose(depth_slopes(x, half, batch=batch, size=size), expected, atol=1e-10)


def test_none_where_depth_is_the_same(cells):
    x, half, batch, _ = cells
    assert depth_slopes(x, half, batch=batch, size=np.full(120, 5.0)) is None

"""Groups pooled into rows against plain numpy on the cells."""

import numpy as np

from scpertbias._core.accumulators import GroupSums
from scpertbias._core.pooling import pool


def test_rows_are_those_of_all_their_cells():
    rng = np.random.default_rng(0)
    x, group = rng.normal(3.0, 1.0, (60, 5)), rng.integers(0, 6, 60)
    group[group == 4] = 3  # group 4 stays empty
    sums = GroupSums.empty(6, 5)
    sums.add(x, group)
    half, ways = np.array([0, 1, 0, 1, 1, 0]), [(np.array([0, 0, 1, 1, 1, -1]), 3), (np.array([-1, 1, -1, 0, 0, 1]), 2)]
    for (to, n_rows), pooled in zip(ways, pool(sums, ways, half), strict=True):
        for row in range(n_rows):
            cells = x[to[group] == row]
            if not len(cells):
                assert np.isnan(pooled.mean[row]).all()
                assert np.isnan(pooled.var[row]).all()
                continue
            np.testing.assert_allclose(pooled.mean[row], cells.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(pooled.var[row], cells.var(axis=0, ddof=1), rtol=1e-12)
            for a in (0, 1):
                part = x[(to[group] == row) & (half[group] == a)]
                expected = part.mean(axis=0) if len(part) else np.full(5, np.nan)
                np.testing.assert_allclose(pooled.half[a, row], expected, rtol=1e-12)


def test_one_cell_has_no_variance():
    sums = GroupSums.empty(1, 2)
    sums.add(np.array([[1.0, 2.0]]), np.zeros(1, dtype=np.int64))
    (pooled,) = pool(sums, [(np.zeros(1, dtype=np.int64), 1)])
    np.testing.assert_array_equal(pooled.mean, [[1.0, 2.0]])
    assert np.isnan(pooled.var).all()
    assert np.isnan(pooled.half[1]).all()

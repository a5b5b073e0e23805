"""What is kept of columns of cells, pooled and cut as the cells would be."""

import numpy as np
from scipy.sparse import csr_array

from scpertbias._core.cell_columns import DEPTH, MT_PERCENT, Levels, Quality

CODE = np.array([0, 1, 0])
WEIGHT = csr_array((np.ones(3), (CODE, np.arange(3))), shape=(2, 3))


def test_rows_are_pooled_as_their_cells():
    rng = np.random.default_rng(0)
    cells = [rng.normal(i, 1 + i, (n, 2)) for i, n in enumerate((5, 7, 9))]
    mean, var = np.array([x.mean(axis=0) for x in cells]), np.array([x.var(axis=0, ddof=1) for x in cells])
    quality = Quality((DEPTH, MT_PERCENT), mean, var, mean[:1], var[:1], np.zeros((2, 2, 4)))
    merged = quality.merge(WEIGHT, np.array([5.0, 7.0, 9.0]))
    for row, x in enumerate((np.concatenate([cells[0], cells[2]]), cells[1])):
        np.testing.assert_allclose(merged.mean[row], x.mean(axis=0))
        np.testing.assert_allclose(merged.var[row], x.var(axis=0, ddof=1))


def test_slopes_on_a_measure():
    slopes = np.arange(16.0).reshape(2, 2, 4)
    slopes[1, 1, 0] = np.nan
    quality = Quality((DEPTH, MT_PERCENT), *np.zeros((4, 1, 2)), slopes)
    np.testing.assert_array_equal(quality.slopes_on(DEPTH), slopes[:, 0])
    assert quality.slopes_on(MT_PERCENT) is None, "it does not vary in a half"
    assert quality.slopes_on("other") is None
    np.testing.assert_array_equal(quality.genes(slice(1, 3)).slopes_on(MT_PERCENT), slopes[:, 1, 1:3])
    np.testing.assert_array_equal(quality.scale(np.full(4, 2.0)).slopes[0], slopes[0] / 2)


def test_levels_of_a_column():
    counts, mean = np.arange(12.0).reshape(3, 4), np.arange(8.0).reshape(4, 2)
    levels = Levels(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0]), counts, counts[0] + 1, mean, mean + 1)
    one = levels.of(1)
    assert one.batch.tolist() == [0, 0]
    np.testing.assert_array_equal(one.counts, counts[:, 2:])
    np.testing.assert_array_equal(one.mean, mean[2:])
    np.testing.assert_allclose(one.noise, (mean[2:] + 1).sum(axis=1) / (counts[0, 2:] + 1))
    np.testing.assert_array_equal(levels.merge(WEIGHT).counts, [counts[0] + counts[2], counts[1]])
    np.testing.assert_array_equal(levels.genes(np.array([True, False])).mean, mean[:, :1])

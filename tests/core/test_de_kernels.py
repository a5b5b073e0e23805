"""The compiled scores on vectors that leave no doubt; test_de.py compares them with scipy and scikit-learn."""

import numpy as np
import pytest

from scpertbias._core.de_kernels import score_rows


def scores(predicted, change, error, called):
    out = np.full((4, 1), np.nan)
    arrays = (np.array([x], dtype=float) for x in (predicted, change, error))
    score_rows(*arrays, np.array([called], dtype=bool), out, 1e-12)
    return out[:, 0]


def test_one_hit_below_one_other_gene():
    """Sizes 3 (not called), 2 (a hit), 1 (called, wrong sign): precision 1/2 at the hit, recall 1/2."""
    direction, precision, _, nmae = scores([3, 2, 1], [1, 1, -1], [1, 1, 1], [0, 1, 1])
    assert (direction, precision) == (0.5, 0.25)
    assert nmae == pytest.approx((1 + 2) / 2)


def test_equal_sizes_share_a_threshold():
    """Two hits and one other gene of the same size: precision 2/3 at their one threshold."""
    assert scores([1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 0])[1] == pytest.approx(2 / 3)
    # Below them one more hit of a third size: 3 hits of 4 genes
    assert scores([2, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1])[1] == pytest.approx((2 * 2 / 3 + 3 / 4) / 3)


def test_sizes_are_over_the_error_and_genes_without_one_have_no_rank():
    assert scores([1, 4], [1, 1], [0.1, 1], [1, 0])[1] == 1
    assert scores([4, 1], [1, 1], [1, 0.1], [1, 0])[1] == 0.5
    assert scores([1, 9], [1, 1], [1, np.nan], [1, 0])[1] == 1


@pytest.mark.parametrize(
    ("x", "expected"), [([1, 2, 3], 1), ([3, 2, 1], -1), ([1, 1, 1], 0), ([1, 1, 2], np.sqrt(0.75))]
)
def test_rank_correlation(x, expected):
    assert scores(x, [1, 2, 3], [1, 1, 1], [1, 1, 1])[2] == pytest.approx(expected)

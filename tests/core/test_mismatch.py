"""Exchanged predictions: closed forms against loops, and constant models in every kind of fold."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.mismatch import mismatch, only_drift, permutations
from scpertbias._core.resampling import t_quantile

POOL = np.array([0, 0, 0, 1, 1, 1, 1, 2, 1, 0, 0, 1])


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    n = len(POOL)
    return rng.standard_normal((n, n)), permutations(POOL, 60, rng)


def test_permutations_stay_in_their_pool():
    permuted = inputs()[1]
    assert_allclose(np.sort(permuted, axis=1), np.tile(np.arange(len(POOL)), (60, 1)))
    assert (POOL[permuted] == POOL).all()
    assert len(np.unique(permuted, axis=0)) > 50


@pytest.mark.parametrize("error", [False, True])
def test_by_hand(error):
    matrix, permuted = inputs()
    found = mismatch(matrix, POOL, permuted, error=error)
    partners = {p: [q for q in range(12) if q != p and POOL[q] == POOL[p]] for p in range(12)}
    rows = [p for p in range(12) if partners[p]]  # one is alone in its pool
    assert len(rows) == 11
    own = np.mean([matrix[p, p] for p in rows])
    wrong = np.mean([np.mean(matrix[p, partners[p]]) for p in rows])
    sign = -1 if error else 1
    assert found.score == pytest.approx(own)
    assert found.mismatched == pytest.approx(wrong)
    assert found.gain == pytest.approx(sign * (own - wrong))
    null = np.array([np.mean([matrix[p, perm[p]] for p in rows]) for perm in permuted])
    assert found.p == (1 + np.sum(sign * null >= sign * own)) / 61
    without = [
        np.mean([matrix[p, p] - np.mean(matrix[p, [q for q in partners[p] if q != r]]) for p in rows if p != r])
        for r in rows
    ]
    error_of_gain = np.sqrt(10 / 11 * np.sum((np.array(without) - np.mean(without)) ** 2))
    half = t_quantile(10) * error_of_gain
    assert_allclose([found.low, found.high], [found.gain - half, found.gain + half])


def test_columns_that_are_all_the_same_gain_nothing():
    _, permuted = inputs()
    own = np.random.default_rng(1).standard_normal(12)
    found = mismatch(np.repeat(own[:, None], 12, axis=1), POOL, permuted, error=False)
    assert abs(found.gain) < 1e-12
    assert found.p == 1


def test_too_few_to_exchange():
    rng = np.random.default_rng(2)
    matrix = rng.standard_normal((4, 4))
    alone = mismatch(matrix, np.arange(4), permutations(np.arange(4), 5, rng), error=False)
    assert np.isnan([alone.mismatched, alone.gain, alone.p]).all()
    few = mismatch(matrix, np.zeros(4, dtype=int), permutations(np.zeros(4, int), 5, rng), error=False)
    assert np.isfinite(few.gain)
    assert np.isnan([few.low, few.high]).all()


def test_p_is_uniform_without_knowledge():
    rng = np.random.default_rng(3)
    pool = np.zeros(15, dtype=int)
    p = []
    for _ in range(300):
        permuted = permutations(pool, 99, rng)
        p.append(mismatch(rng.standard_normal((15, 15)), pool, permuted, error=False).p)
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.06)
    assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def left_out(values, weights):
    """Weighted mean of all others, for each row."""
    total = weights @ values
    return (total - weights[:, None] * values) / (weights.sum() - weights)[:, None]


def test_a_constant_left_out_one_by_one_is_no_knowledge():
    rng = np.random.default_rng(4)
    observed = rng.standard_normal((20, 50)) + 3
    control = rng.standard_normal(50)
    mean = left_out(observed, np.ones(20))
    ridge = left_out(np.vstack([observed, control]), np.r_[np.ones(20), 1.0])[:20]
    weighted = left_out(observed, rng.uniform(0.5, 1.5, 20))
    for constant in (mean, ridge, weighted, np.tile(control, (20, 1))):
        assert only_drift(constant, mean)
    assert not only_drift(mean + 0.2 * observed, mean)
    assert not only_drift(observed + rng.standard_normal((20, 50)), mean)

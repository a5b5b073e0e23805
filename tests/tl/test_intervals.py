"""Many columns at once are what the single ones are."""

import numpy as np
import pytest

from scpertbias._core.resampling import bootstrap_weights, mean_interval, paired_p, ratio_interval
from scpertbias.tl._intervals import means, ratios

RNG = np.random.default_rng(0)
N = 30
WEIGHTS = bootstrap_weights(N, 400, np.random.default_rng(1))


def columns():
    values = RNG.normal(0.3, 1, (N, 7))
    values[:5, 1] = np.nan
    values[9:, 2] = np.nan  # 9 are left
    values[:, 3] = np.nan
    values[4, 4] = np.inf
    return values


def test_means():
    values = columns()
    found = means(values, WEIGHTS.astype(float))
    for k in range(values.shape[1]):
        one = mean_interval(values[:, k], WEIGHTS)
        got = found.estimate[k], found.low[k], found.high[k]
        np.testing.assert_allclose(got, (one.estimate, one.low, one.high), rtol=1e-10)
        assert found.n[k] == (~np.isnan(values[:, k])).sum()
        np.testing.assert_allclose(found.p[k], paired_p(one.draws))


def test_ratios():
    above, below = columns(), np.abs(columns()) + 0.1
    below[:, 5] -= 2.0  # sums to less than nothing
    below[:, 6] = RNG.normal(0, 1, N)  # may
    found = ratios(above, below, WEIGHTS.astype(float))
    for k in range(above.shape[1]):
        one = ratio_interval(above[:, k], below[:, k], WEIGHTS)
        got = found.estimate[k], found.low[k], found.high[k]
        np.testing.assert_allclose(got, (one.estimate, one.low, one.high), rtol=1e-10)
        assert found.reason[k] == one.reason or found.n[k] < 10
    assert found.reason[5] == "no room between baseline and ceiling"


@pytest.mark.parametrize("n", [9, 10])
def test_under_ten_there_is_no_interval(n):
    found = means(np.arange(n, dtype=float)[:, None], bootstrap_weights(n, 50, np.random.default_rng(0)).astype(float))
    assert found.estimate[0] == (n - 1) / 2
    assert np.isnan([found.low[0], found.high[0], found.p[0]]).all() == (n < 10)

"""Intervals of shares, and the jackknife."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from scpertbias._core.intervals import NORMAL, effective_number, jackknife_error, logit_bounds, t_quantile


@pytest.mark.parametrize("share", [-0.2, 0.0, 0.05, 0.3, 0.7, 0.95, 1.0, 1.3])
@pytest.mark.parametrize("error", [0.0, 0.01, 0.1, 1.0])
def test_an_interval_of_a_share_lies_within_0_and_1_and_is_not_empty(share, error):
    low, high = logit_bounds(share, error, NORMAL)
    assert 0 <= low <= np.clip(share, 0, 1) + 1e-12
    assert np.clip(share, 0, 1) - 1e-12 <= high <= 1
    if min(share, 1 - share) >= 2 * error and 0 < share < 1:
        logit = np.log(share / (1 - share)) + np.array([-1, 1]) * NORMAL * error / (share * (1 - share))
        assert_allclose([low, high], 1 / (1 + np.exp(-logit)))
    else:
        middle = np.clip(share, 0, 1)
        assert_allclose([low, high], np.clip([middle - NORMAL * error, middle + NORMAL * error], 0, 1))


def test_unknown_shares_have_no_interval():
    assert np.isnan(logit_bounds(np.nan, 0.1, 2)).all()
    assert np.isnan(logit_bounds(0.5, np.nan, 2)).all()


def test_quantiles():
    assert pytest.approx(stats.norm.ppf(0.975)) == NORMAL
    assert t_quantile(9.0) == pytest.approx(stats.t.ppf(0.975, 9))
    assert t_quantile(0.3) == t_quantile(np.nan) == pytest.approx(stats.t.ppf(0.975, 2))


def test_jackknife_of_a_mean_is_its_variance():
    values = np.random.default_rng(0).normal(size=12)
    without_one = (values.sum() - values) / 11
    assert jackknife_error(without_one) ** 2 == pytest.approx(values.var(ddof=1) / 12)


def test_effective_number_counts_equal_terms():
    assert effective_number(np.array([2.0, 2.0, 2.0, -5.0])) == 3
    assert effective_number(np.array([9.0, 0.0])) == 1
    assert np.isnan(effective_number(np.array([-1.0, 0.0])))

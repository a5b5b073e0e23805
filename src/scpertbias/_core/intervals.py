"""Standard errors and intervals in closed form."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, t

from scpertbias._core.arrays import FloatArray

CONFIDENCE = 0.95
MIN_UNITS = 10
NORMAL = float(norm.ppf((1 + CONFIDENCE) / 2))


def t_quantile(freedom: float) -> float:
    """Two-sided quantile of t with so many degrees of freedom, at least 2."""
    return float(t.ppf((1 + CONFIDENCE) / 2, np.fmax(freedom, 2.0)))


def effective_number(terms: FloatArray) -> float:
    """Number of equal terms as unevenly spread as these, (Σe⁺)² / Σ(e⁺)²: negative ones count as 0; NaN without any."""
    positive = np.maximum(terms, 0.0)
    squares = float(positive @ positive)
    return float(positive.sum()) ** 2 / squares if squares > 0 else float("nan")


def jackknife_error(without_one: FloatArray) -> float:
    """Standard error of a statistic from its values with each of n units left out (n,), about their mean."""
    n = len(without_one)
    return float(np.sqrt((n - 1) / n * np.sum((without_one - without_one.mean()) ** 2)))


def logit_bounds(share: float, error: float, quantile: float) -> tuple[float, float]:
    """Bounds of a share: on the logit where it is two standard errors from 0 and from 1, else linear and cut to [0, 1]."""
    if 0 < share < 1 and min(share, 1 - share) >= 2 * error:
        middle, half_width = float(logit(share)), quantile * error / (share * (1 - share))
        return float(expit(middle - half_width)), float(expit(middle + half_width))
    low, high = np.clip(np.clip(share, 0, 1) + quantile * error * np.array([-1, 1]), 0, 1)
    return float(low), float(high)

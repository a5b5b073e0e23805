"""Bootstrap intervals of many columns at once: one product with the weights instead of one for each score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._core.resampling import MIN_PERTURBATIONS, NO_ROOM, TOO_FEW, interval

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Estimates of M columns with their intervals (M,), on how many perturbations, and the two-sided p against 0."""

    n: npt.NDArray[np.int64]
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    reason: npt.NDArray[np.str_]


def means(values: FloatArray, weights: npt.NDArray[np.float64]) -> Columns:
    """Mean of each column (perturbations × M) over its known values; as ``mean_interval`` does for one."""
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = filled.sum(axis=0) / n
        draws = (weights @ filled) / (weights @ known)
    return _with_interval(n, estimate, draws, np.where(n < MIN_PERTURBATIONS, TOO_FEW, ""))


def ratios(numerator: FloatArray, denominator: FloatArray, weights: npt.NDArray[np.float64]) -> Columns:
    """Ratio of the sums of each column; NaN where the interval of the denominator reaches 0 or below."""
    known = np.isfinite(numerator) & np.isfinite(denominator)
    n = known.sum(axis=0)
    above, below = np.where(known, numerator, 0.0), np.where(known, denominator, 0.0)
    total = below.sum(axis=0)
    totals = np.where(weights @ known > 0, weights @ below, np.nan)
    room = (total > 0) & (interval(totals)[0] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = np.where(room, above.sum(axis=0) / total, np.nan)
        draws = np.where(room & (totals > 0), (weights @ above) / totals, np.nan)
    reason = np.where(room, np.where(n < MIN_PERTURBATIONS, TOO_FEW, ""), np.where(n > 0, NO_ROOM, TOO_FEW))
    return _with_interval(n, estimate, draws, reason)


def _with_interval(
    n: npt.NDArray[np.int64], estimate: FloatArray, draws: FloatArray, reason: npt.NDArray[np.str_]
) -> Columns:
    enough = (n >= MIN_PERTURBATIONS) & np.isfinite(estimate)
    low, high = interval(draws)
    finite = np.isfinite(draws)
    with np.errstate(invalid="ignore"):
        smaller = np.minimum((finite & (draws <= 0)).sum(axis=0), (finite & (draws >= 0)).sum(axis=0))
    p = np.minimum(1.0, 2.0 * (1 + smaller) / (1 + finite.sum(axis=0)))
    return Columns(
        n=n,
        estimate=estimate,
        low=np.where(enough, low, np.nan),
        high=np.where(enough, high, np.nan),
        p=np.where(enough, p, np.nan),
        reason=reason,
    )

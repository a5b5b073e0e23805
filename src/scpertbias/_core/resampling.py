"""Intervals and p-values from resampled perturbations.

A resample is a row of counts, one for each perturbation, so that every bootstrap is a product with a matrix of
weights. The same weights serve all models, which makes their comparisons paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scpertbias._core.arrays import FloatArray, IntArray

MIN_PERTURBATIONS = 10
NO_ROOM = "no room between baseline and ceiling"
TOO_FEW = f"fewer than {MIN_PERTURBATIONS} perturbations"


def bootstrap_weights(n: int, n_boot: int, rng: np.random.Generator) -> IntArray:
    """How often each of `n` perturbations occurs in each of `n_boot` resamples with replacement (n_boot x n)."""
    if n == 0:
        return np.zeros((n_boot, 0), dtype=np.int64)
    drawn = rng.integers(n, size=(n_boot, n))
    drawn += n * np.arange(n_boot)[:, None]
    return np.bincount(drawn.ravel(), minlength=n_boot * n).reshape(n_boot, n)


def interval(draws: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Percentile interval of the finite draws along the first axis.

    Parameters
    ----------
    draws
        Draws x anything.
    level
        Coverage, between 0 and 1.

    Returns
    -------
    Lower and upper bounds, without the first axis; NaN where no draw is finite.
    """
    if not 0 < level < 1:
        msg = f"`level` must lie between 0 and 1, found {level}."
        raise ValueError(msg)
    if draws.shape[0] == 0:
        empty = np.full(draws.shape[1:], np.nan)
        return empty, empty.copy()
    ordered = np.sort(np.where(np.isfinite(draws), draws, np.nan), axis=0)  # NaN go last
    last = np.maximum(np.isfinite(ordered).sum(axis=0) - 1, 0)

    def quantile(probability: float) -> FloatArray:
        position = np.asarray(probability * last)
        below = np.floor(position).astype(np.intp)
        above = np.minimum(below + 1, last)
        low = np.take_along_axis(ordered, below[None], axis=0)[0]
        high = np.take_along_axis(ordered, above[None], axis=0)[0]
        return np.asarray(low + (high - low) * (position - below), dtype=np.float64)

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


def average_within(values: FloatArray, codes: IntArray, n: int) -> FloatArray:
    """Mean of the values that are not NaN within each of `n` perturbations; NaN where there are none.

    Parameters
    ----------
    values
        One for each row; several rows may belong to one perturbation (it occurs in several splits).
    codes
        Perturbation of each row, from 0 to n - 1.
    n
        Number of perturbations.
    """
    known = ~np.isnan(values)
    counts = np.bincount(codes[known], minlength=n)
    sums = np.bincount(codes[known], weights=values[known], minlength=n)
    means = np.full(n, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Benjamini-Hochberg adjusted p-values of one family; NaN are no part of it and stay NaN."""
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * known.size / np.arange(1, known.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


@dataclass(frozen=True)
class Columns:
    """Estimates of M columns with their intervals (M,), on how many perturbations, and the two-sided p against 0.

    ``p`` is twice the smaller share of resamples on either side of 0; ``reason`` says why something is NaN ("": nothing is).
    """

    n: IntArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    reason: npt.NDArray[np.str_]


def means(values: FloatArray, weights: FloatArray) -> Columns:
    """Mean of each column (perturbations × M) over its known values; NaN are left out, together with their weights.

    Infinite values are not left out, as a diverged model would look better for it: such a column has no interval.
    """
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = filled.sum(axis=0) / n
        # Weighted sum and weight of the known values in each resample (n_boot, M)
        draws = (weights @ filled) / (weights @ known)
    return _with_interval(n, estimate, draws, np.where(n < MIN_PERTURBATIONS, TOO_FEW, ""))


def ratios(numerator: FloatArray, denominator: FloatArray, weights: FloatArray) -> Columns:
    """Ratio of the sums of each column; NaN where the interval of the denominator reaches 0 or below.

    Perturbations where either term is not finite are left out.
    """
    known = np.isfinite(numerator) & np.isfinite(denominator)
    n = known.sum(axis=0)
    above, below = np.where(known, numerator, 0.0), np.where(known, denominator, 0.0)
    total = below.sum(axis=0)
    # Resamples that hold none of the known perturbations say nothing about them.
    totals = np.where(weights @ known > 0, weights @ below, np.nan)
    room = (total > 0) & (interval(totals)[0] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = np.where(room, above.sum(axis=0) / total, np.nan)
        draws = np.where(room & (totals > 0), (weights @ above) / totals, np.nan)
    reason = np.where(room, np.where(n < MIN_PERTURBATIONS, TOO_FEW, ""), np.where(n > 0, NO_ROOM, TOO_FEW))
    return _with_interval(n, estimate, draws, reason)


def _with_interval(n: IntArray, estimate: FloatArray, draws: FloatArray, reason: npt.NDArray[np.str_]) -> Columns:
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

"""Intervals and p-values of what is estimated over perturbations, by the jackknife, which leaves out one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit, ndtri, stdtr, stdtrit  # those of scipy.stats take 50 times as long

from scpertbias._core.arrays import FloatArray, IntArray

MIN_PERTURBATIONS = 10
MIN_UNITS = MIN_PERTURBATIONS
CONFIDENCE = 0.95
NORMAL = float(ndtri((1 + CONFIDENCE) / 2))
MIN_FREEDOM = 2.0
NO_ROOM = "baseline and ceiling are not significantly different"
TOO_FEW = f"fewer than {MIN_PERTURBATIONS} perturbations"


def average_within(values: FloatArray, codes: IntArray, n: int) -> FloatArray:
    """Mean of the values that are not NaN within each of `n` perturbations; NaN where there are none.

    Parameters
    ----------
    values
        Rows, or rows x columns; several rows may belong to one perturbation (it occurs in several splits).
    codes
        Perturbation of each row, from 0 to n - 1.
    n
        Number of perturbations.
    """
    known = ~np.isnan(values)
    sums, counts = (np.zeros((n, *values.shape[1:])) for _ in range(2))
    np.add.at(sums, codes, np.where(known, values, 0.0))
    np.add.at(counts, codes, known)
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Benjamini-Hochberg adjusted p-values of one family; NaN are excluded and stay NaN."""
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * known.size / np.arange(1, known.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


@dataclass(frozen=True)
class Estimate:
    """An estimate over n perturbations with its 95% interval, and the two-sided p against 0; NaN where there is none.

    ``n_effective`` is on how many perturbations of equal size it would rest as much. ``reason`` says why something is
    NaN ("": nothing is).
    """

    n: int
    n_effective: float
    estimate: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    reason: str = ""


def effective_number(terms: FloatArray) -> float:
    """Number of equal terms that would vary as much as the positive ones of these: (Σe)² / Σe²; NaN without any."""
    positive = np.maximum(terms, 0.0)
    squares = float(np.sum(positive**2))
    return float(positive.sum()) ** 2 / squares if squares > 0 else float("nan")


def jackknife_error(without_one: FloatArray) -> float:
    """Standard error from the values of a statistic without each of n perturbations: √((n − 1)/n Σ(T − mean)²)."""
    n = len(without_one)
    return float(np.sqrt((n - 1) / n * np.sum((without_one - without_one.mean()) ** 2)))


def t_quantile(freedom: float) -> float:
    """Two-sided quantile of Student's t, with at least 2 degrees of freedom."""
    return float(stdtrit(max(freedom, MIN_FREEDOM), 0.5 + CONFIDENCE / 2))


Transformation = Callable[[float, float, float], tuple[float, float]]
"""Bounds of an interval from the estimate, its standard error and the quantile."""


def linear_bounds(estimate: float, error: float, quantile: float) -> tuple[float, float]:
    """Bounds about the estimate."""
    return estimate - quantile * error, estimate + quantile * error


def logit_bounds(estimate: float, error: float, quantile: float) -> tuple[float, float]:
    """Bounds of a share: on the logit where it is two standard errors from 0 and 1, else linear and cut to [0, 1]."""
    if 0 < estimate < 1 and min(estimate, 1 - estimate) >= 2 * error:
        low, high = linear_bounds(float(logit(estimate)), error / (estimate * (1 - estimate)), quantile)
        return float(expit(low)), float(expit(high))
    low, high = np.clip(linear_bounds(float(np.clip(estimate, 0, 1)), error, quantile), 0.0, 1.0)
    return float(low), float(high)


def log_bounds(estimate: float, error: float, quantile: float) -> tuple[float, float]:
    """Bounds on the logarithm where the estimate is two standard errors above 0, else linear."""
    if estimate > 0 and estimate >= 2 * error:
        factor = float(np.exp(quantile * error / estimate))
        return estimate / factor, estimate * factor
    return linear_bounds(estimate, error, quantile)


def ratio_bounds(estimate: float, error: float, quantile: float) -> tuple[float, float]:
    """Outer bounds of the linear and the logarithmic ones."""
    (a, b), (c, d) = linear_bounds(estimate, error, quantile), log_bounds(estimate, error, quantile)
    return min(a, c), max(b, d)


def mean_of(values: FloatArray, bounds: Transformation = linear_bounds, *, shared: float = 0.0) -> Estimate:
    """Mean over perturbations with the interval and the p of Student's t; NaN are left out.

    ``shared`` is a variance of the mean that all perturbations have in common, as from their control.
    Infinite values are not left out, as a diverged model would look better for it: their mean has no interval.
    """
    known = values[~np.isnan(values)]
    n = len(known)
    if not n or not np.isfinite(known).all():
        return Estimate(
            n, np.nan, float(known.mean()) if n else np.nan, reason="" if n >= MIN_PERTURBATIONS else TOO_FEW
        )
    estimate = float(known.mean())
    away = known - estimate
    squares = float(np.sum(away**2))
    n_effective = squares**2 / float(np.sum(away**4)) if squares > 0 else np.nan
    if n < MIN_PERTURBATIONS:
        return Estimate(n, n_effective, estimate, reason=TOO_FEW)
    error = float(np.sqrt(squares / (n - 1) / n + shared))
    low, high = bounds(estimate, error, t_quantile(n - 1))
    return Estimate(n, n_effective, estimate, low, high, _p_value(estimate, error, n - 1))


def _p_value(estimate: float, error: float, freedom: float) -> float:
    if error > 0:
        return float(2 * stdtr(freedom, -abs(estimate) / error))
    return 1.0 if estimate == 0 else 0.0


def ratio_of_sums(
    numerators: FloatArray, denominators: FloatArray, bounds: Transformation, *, room: bool = True, shared: float = 0.0
) -> Estimate:
    """Ratio of two sums over perturbations with the interval of the jackknife; those with a term that is not finite are left out.

    NaN without ``room``, or where the denominators do not sum to more than 0.
    """
    known = np.isfinite(numerators) & np.isfinite(denominators)
    above, below = numerators[known], denominators[known]
    n, n_effective, total = len(above), effective_number(below), float(below.sum())
    if not (room and total > 0):
        return Estimate(n, n_effective, np.nan, reason=NO_ROOM if n else TOO_FEW)
    with np.errstate(divide="ignore", invalid="ignore"):
        without_one = (above.sum() - above) / (total - below)
    return jackknifed(float(above.sum()) / total, without_one, n_effective, bounds, shared=shared)


def jackknifed(
    estimate: float, without_one: FloatArray, n_effective: float, bounds: Transformation, *, shared: float = 0.0
) -> Estimate:
    """Estimate with the interval of the jackknife: t with ``n_effective`` − 1 degrees of freedom.

    Parameters
    ----------
    estimate
        Over all perturbations.
    without_one
        The same without each of them (n).
    n_effective
        From :func:`effective_number`.
    bounds
        Bounds of the interval.
    shared
        Variance that all perturbations have in common, as from their control.
    """
    n = len(without_one)
    if n < MIN_PERTURBATIONS:
        return Estimate(n, n_effective, estimate, reason=TOO_FEW)
    error = float(np.hypot(jackknife_error(without_one), np.sqrt(shared)))
    low, high = bounds(estimate, error, t_quantile(n_effective - 1))
    return Estimate(n, n_effective, estimate, low, high)


def complement(estimate: Estimate) -> Estimate:
    """Return 1 less an estimate."""
    return replace(estimate, estimate=1 - estimate.estimate, low=1 - estimate.high, high=1 - estimate.low)


def mean_share(values: FloatArray) -> Estimate:
    """Mean of shares in [0, 1] of which 0.5 is chance, such as discrimination; NaN are left out.

    The interval is that of Student's t on the logit, with one pseudo-value of 0.5, so that it lies inside (0, 1) and is
    never empty. It reaches 1 where the mean does nearly, and always includes the mean.
    """
    plain = mean_of(values)
    if not np.isfinite(plain.low):
        return plain
    n, added = plain.n, np.append(values[~np.isnan(values)], 0.5)
    middle, error = float(added.mean()), float(added.std(ddof=1)) / float(np.sqrt(n + 1))
    low, high = linear_bounds(float(logit(middle)), error / (middle * (1 - middle)), t_quantile(n))
    low, high = float(expit(low)), 1.0 if plain.estimate > 1 - 1 / n else float(expit(high))
    return replace(plain, low=min(low, plain.estimate), high=max(high, plain.estimate))

"""What predictions score when they are given to the wrong perturbations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.resampling import MIN_PERTURBATIONS, interval

TIE = 1e-10


class Mismatch(NamedTuple):
    """Mean score, the mean with predictions exchanged, what the own ones gain (better is positive), interval and p."""

    score: float
    mismatched: float
    gain: float
    low: float
    high: float
    p: float


def permutations(pool: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Permutations of the rows within their pools (n x rows)."""
    out = np.tile(np.arange(len(pool)), (n, 1))
    for code in np.unique(pool):
        rows = np.flatnonzero(pool == code)
        out[:, rows] = rng.permuted(out[:, rows], axis=1)
    return out


def mismatch(matrix: FloatArray, pool: IntArray, weights: FloatArray, permuted: IntArray, *, error: bool) -> Mismatch:
    """Compare own scores (the diagonal) with those of the other predictions of the pool.

    Parameters
    ----------
    matrix
        From :func:`score_matrix`.
    pool
        Group of each row within which predictions are exchanged; alone in it, a row is left out.
    weights
        Resamples of the rows (R x n).
    permuted
        From :func:`permutations`.
    error
        Whether small scores are better.
    """
    others = (pool[:, None] == pool).astype(np.float64)
    np.fill_diagonal(others, 0.0)
    exchangeable = others.sum(axis=1) > 0
    own = matrix.diagonal()
    if not exchangeable.any():
        return Mismatch(float(own.mean()) if len(own) else np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    sign = -1.0 if error else 1.0
    exchanged = (matrix * others).sum(axis=1)[exchangeable] / others.sum(axis=1)[exchangeable]
    gain = sign * float(own[exchangeable].mean() - exchanged.mean())
    null = matrix[np.flatnonzero(exchangeable), permuted[:, exchangeable]].mean(axis=1)
    tolerance = TIE * max(1.0, float(np.abs(own).max()))
    p = (1 + int(np.count_nonzero(sign * null >= sign * own[exchangeable].mean() - tolerance))) / (1 + len(null))
    low = high = np.nan
    if exchangeable.sum() >= MIN_PERTURBATIONS and len(weights):
        low, high = map(float, interval(sign * _gain_draws(matrix, others, weights)))
    return Mismatch(float(own[exchangeable].mean()), float(exchanged.mean()), gain, low, high, p)


def _gain_draws(matrix: FloatArray, others: FloatArray, weights: FloatArray) -> FloatArray:
    """Own less exchanged score in each resample; a perturbation drawn twice is not exchanged with itself."""
    # How many others of the pool each resample holds (R, n)
    partners = weights @ others
    known = partners > 0
    # Mean score of the drawn others of the pool on each perturbation (R, n)
    exchanged = np.divide(weights @ (matrix * others).T, partners, out=np.zeros_like(partners), where=known)
    w = weights * known
    total = w.sum(axis=1)
    # Σ_p w_p (own − exchanged score) (R,)
    summed = np.einsum("rp,rp->r", w, matrix.diagonal() - exchanged)
    draws: FloatArray = np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)
    return draws


def only_drift(predictions: FloatArray, mean: FloatArray) -> bool:
    """Whether predictions of different fits differ no more than the means of their training data do.

    Where every fit predicts one perturbation, no two predictions of a fit can be compared. A model that is one constant
    then still predicts differently for each, as each fit leaves out another perturbation.
    """
    away = predictions - mean
    spread, drift = (float(np.sum((x - x.mean(axis=0)) ** 2)) for x in (away, mean))
    return spread <= drift * (1 + 1e-6)

"""Scores of predictions on other perturbations than their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.resampling import jackknifed, linear_bounds

TIE = 1e-10


class Mismatch(NamedTuple):
    """Mean score, mean score with exchanged predictions, gain of own predictions (positive: better), interval and p."""

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


def mismatch(matrix: FloatArray, pool: IntArray, permuted: IntArray, *, error: bool) -> Mismatch:
    """Compare own scores (the diagonal) with those of the other predictions of the pool.

    Parameters
    ----------
    matrix
        From :func:`score_matrix`.
    pool
        Group of each row within which predictions are exchanged; alone in it, a row is left out.
    permuted
        From :func:`permutations`.
    error
        Whether small scores are better.
    """
    others = (pool[:, None] == pool).astype(np.float64)
    np.fill_diagonal(others, 0.0)
    rows = np.flatnonzero(others.sum(axis=1) > 0)
    own = matrix.diagonal()
    if not len(rows):
        return Mismatch(float(own.mean()) if len(own) else np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    sign = -1.0 if error else 1.0
    exchanged = (matrix * others).sum(axis=1)[rows] / others.sum(axis=1)[rows]
    gain = sign * float(own[rows].mean() - exchanged.mean())
    null = matrix[rows, permuted[:, rows]].mean(axis=1)
    tolerance = TIE * max(1.0, float(np.abs(own).max()))
    p = (1 + int(np.count_nonzero(sign * null >= sign * own[rows].mean() - tolerance))) / (1 + len(null))
    without_one = sign * _gains_without_one(matrix[np.ix_(rows, rows)], others[np.ix_(rows, rows)])
    interval = jackknifed(gain, without_one, float(len(rows)), linear_bounds)
    return Mismatch(float(own[rows].mean()), float(exchanged.mean()), gain, interval.low, interval.high, p)


def _gains_without_one(matrix: FloatArray, others: FloatArray) -> FloatArray:
    """Mean own less exchanged score without each perturbation (n,); without partners a row is left out too."""
    # Mean score of the other predictions on p without that of r (p, r)
    partners = others.sum(axis=1)[:, None] - others
    counted = (partners > 0) & ~np.eye(len(matrix), dtype=np.bool_)
    totals = (matrix * others).sum(axis=1)[:, None] - matrix * others
    exchanged = np.divide(totals, partners, out=np.zeros_like(totals), where=counted)
    gains = np.where(counted, matrix.diagonal()[:, None] - exchanged, 0.0).sum(axis=0)
    n = counted.sum(axis=0)
    without_one: FloatArray = np.divide(gains, n, out=np.full(len(n), np.nan), where=n > 0)
    return without_one


def only_drift(predictions: FloatArray, mean: FloatArray) -> bool:
    """Whether predictions of different fits differ no more than the means of their training data do.

    Where every fit predicts one perturbation, no two predictions of a fit can be compared. A model that is one constant
    then still predicts differently for each, as each fit leaves out another perturbation.
    """
    away = predictions - mean
    spread, drift = (float(np.sum((x - x.mean(axis=0)) ** 2)) for x in (away, mean))
    return spread <= drift * (1 + 1e-6)

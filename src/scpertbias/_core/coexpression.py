"""Co-expression of genes over cells, with few dense rows in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core.arrays import FloatArray, IntArray

from .sums import column_sums

BLOCK = 512


def correlation(x: Any) -> FloatArray:
    """Pearson correlation between the columns of a dense or sparse matrix; 0 where a column is constant."""
    x = sparse.csr_array(x) if sparse.issparse(x) else np.asarray(x)
    mean = column_sums(x) / x.shape[0]
    covariance = _centered_gram(x, mean)
    variance = covariance.diagonal().copy()
    rounding = x.shape[0] * np.finfo(np.float64).eps * mean  # all that is left of a constant column
    varies = variance > x.shape[0] * rounding**2
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
    out: FloatArray = np.clip(covariance * scale[:, None] * scale, -1, 1)
    return out


def _centered_gram(x: Any, mean: FloatArray) -> FloatArray:
    """Products of all pairs of centered columns; a few hundred rows are dense at a time, which is fast and small."""
    gram = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, x.shape[0], BLOCK):
        rows = x[start : start + BLOCK]
        centered = (rows.toarray() if sparse.issparse(rows) else rows) - mean
        # Products of the genes over these cells (G, G)
        gram += centered.T @ centered
    return gram


def strongest(r: FloatArray, *, threshold: float, n_top: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Edges (source, target, |r|): for each target the ``n_top`` genes of largest |r| above the threshold."""
    strength = np.abs(r)
    np.fill_diagonal(strength, 0.0)
    n = strength.shape[0]
    k = min(n_top, n - 1)
    if k < 1:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, np.empty(0)
    top = np.argsort(-strength, axis=1, kind="stable")[:, :k]
    weight = np.take_along_axis(strength, top, axis=1)
    target = np.repeat(np.arange(n), k)
    keep = weight.ravel() > threshold
    return top.ravel()[keep].astype(np.int64), target[keep].astype(np.int64), weight.ravel()[keep]

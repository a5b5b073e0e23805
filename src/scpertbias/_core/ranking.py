"""Ranks within rows, with ties resolved the same way everywhere, and bins of expression."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

N_BINS = 20


def top_mask(values: FloatArray, k: int) -> BoolArray:
    """Mark the k largest values of each row (rows x columns); of equal values, the first ones.

    NaN are never marked. A row with equal values has no largest values.
    """
    known = ~np.isnan(values)
    values = np.where(known, values, -np.inf)
    n_columns = values.shape[1]
    if not 1 <= k <= n_columns:
        msg = f"`k` is {k}; it must be between 1 and the number of genes, {n_columns}."
        raise ValueError(msg)
    kth = np.partition(values, n_columns - k, axis=1)[:, n_columns - k, None]
    marked: BoolArray = values >= kth
    for i in np.flatnonzero(marked.sum(axis=1) > k):
        tied = values[i] == kth[i]
        missing = k - (marked[i] & ~tied).sum()
        marked[i] &= ~tied | (np.cumsum(tied) <= missing)
    least = values.min(axis=1, where=known, initial=np.inf)
    marked[~(least < values.max(axis=1))] = False
    marked &= known
    return marked


def percentiles(values: FloatArray) -> FloatArray:
    """Percentile of each value within its row by mid-ranks: 0.5 on average, also where all are equal; NaN stay NaN."""
    known = ~np.isnan(values)
    # NaN rank behind all others, so that they do not count among them.
    ranks = rankdata(np.where(known, values, np.inf), axis=1)
    n = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    share: FloatArray = np.where(known, (ranks - 0.5) / n[:, None], np.nan)
    return share


def expression_bins(control: FloatArray, n_bins: int = N_BINS) -> IntArray:
    """Bin of each gene: bins of equal size by mean in control, ties by column."""
    order = np.argsort(control, kind="stable")
    n_bins = min(n_bins, len(control))
    bins = np.empty(len(control), dtype=np.int64)
    bins[order] = np.arange(len(control)) * n_bins // max(len(control), 1)
    return bins

"""Ranks within rows, with ties resolved the same way everywhere, and bins of expression."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from scipy.stats import rankdata

from scpertbias._core import threads
from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

N_BINS = 20
ROWS_AT_ONCE = 256


def top_mask(values: FloatArray, k: int) -> BoolArray:
    """Mark the k largest values of each row (rows x columns); of equal values, the first ones.

    NaN are never marked. A row with equal values has no largest values.
    """
    n_columns = values.shape[1]
    if not 1 <= k <= n_columns:
        msg = f"`k` is {k}; it must be between 1 and the number of genes, {n_columns}."
        raise ValueError(msg)
    marked = np.zeros(values.shape, dtype=np.bool_)
    threads.run(_mark_largest, len(values), values, k, marked, n_values=values.size)
    return marked


def strongest_mask(effects: FloatArray, k: int) -> BoolArray:
    """Mark the k effects of largest size in each row (rows x columns), as :func:`top_mask` does."""
    marked = np.zeros(effects.shape, dtype=np.bool_)
    for start in range(0, len(effects), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        marked[rows] = top_mask(np.abs(effects[rows]), k)
    return marked


@nb.njit(cache=True, nogil=True)
def _mark_largest(start: Any, stop: Any, values: Any, k: Any, marked: Any) -> None:  # pragma: no cover - compiled
    for i in range(start, stop):
        row, mark, largest, n_known = values[i], marked[i], np.empty(k), 0
        least, most = np.inf, -np.inf
        for v in row:
            if np.isnan(v):
                continue
            least, most = min(least, v), max(most, v)
            if n_known < k:
                largest[n_known] = v
                n_known += 1
                if n_known == k:
                    for at in range(k // 2 - 1, -1, -1):
                        _sift(largest, at)
            elif v > largest[0]:
                largest[0] = v
                _sift(largest, 0)
        if not least < most:
            continue
        kth, n_tied = largest[0], 0
        if n_known < k:
            kth = least
        for v in largest[:n_known]:
            n_tied += v == kth
        for j in range(row.size):
            if row[j] > kth:
                mark[j] = True
            elif row[j] == kth and n_tied > 0:
                mark[j] = True
                n_tied -= 1


@nb.njit(cache=True, nogil=True)
def _sift(heap: Any, at: Any) -> None:  # pragma: no cover - compiled
    """Move a value of a heap, the least of which comes first, to its place."""
    value = heap[at]
    while 2 * at + 1 < heap.size:
        child = 2 * at + 1
        if child + 1 < heap.size and heap[child + 1] < heap[child]:
            child += 1
        if not heap[child] < value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


def percentiles(values: FloatArray) -> FloatArray:
    """Percentile of each value within its row by mid-ranks: 0.5 on average, also where all are equal; NaN stay NaN."""
    share = np.empty(values.shape)
    for start in range(0, len(values), ROWS_AT_ONCE):  # ranks need several times the memory of the values
        some = values[start : start + ROWS_AT_ONCE]
        known = ~np.isnan(some)
        # NaN rank behind all others, so that they do not count among them.
        ranks = rankdata(np.where(known, some, np.inf), axis=1)
        n = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
        share[start : start + ROWS_AT_ONCE] = np.where(known, (ranks - 0.5) / n[:, None], np.nan)
    return share


def expression_bins(control: FloatArray, n_bins: int = N_BINS) -> IntArray:
    """Bin of each gene: bins of equal size by mean in control, ties by column."""
    order = np.argsort(control, kind="stable")
    n_bins = min(n_bins, len(control))
    bins = np.empty(len(control), dtype=np.int64)
    bins[order] = np.arange(len(control)) * n_bins // max(len(control), 1)
    return bins

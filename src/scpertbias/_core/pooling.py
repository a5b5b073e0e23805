"""Groups of cells pooled into rows: means of the two halves of a row, its mean, and its variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np

from scpertbias._core import threads
from scpertbias._core.accumulators import GroupSums, stable_order
from scpertbias._core.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Pooled:
    """Means of the two halves of R rows (2, R, G), their ``mean`` (R, G), and unbiased ``var`` (R, G) over the cells of a row.

    The variance between the groups of a row is part of it. NaN where there are no cells, or too few.
    """

    half: FloatArray
    mean: FloatArray
    var: FloatArray


def pool(sums: GroupSums, rows: Sequence[tuple[IntArray, int]], half: IntArray | None = None) -> list[Pooled]:
    """Pool groups into rows, in one or several ways.

    Parameters
    ----------
    sums
        Moments of the groups.
    rows
        For each way the row of each group (−1 leaves a group out), and the number of rows R.
    half
        0 or 1 for each group; by default 0.
    """
    orders, sizes = [], []
    for to, n_rows in rows:
        orders.append(stable_order(to, n_rows)[int((to < 0).sum()) :])
        sizes.append(np.bincount(to[to >= 0], minlength=n_rows))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    half = np.zeros(len(sums.n), dtype=np.int64) if half is None else half
    n_all, n_genes = len(starts) - 1, sums.mean.shape[1]
    of_half, mean, var = np.zeros((2, n_all, n_genes)), np.empty((n_all, n_genes)), np.zeros((n_all, n_genes))
    groups = (sums.n, sums.mean, sums.m2, np.concatenate(orders), starts, half)
    threads.run(_pool, n_all, *groups, of_half, mean, var, n_values=len(orders) * sums.mean.size)
    ends = np.cumsum([n_rows for _, n_rows in rows]).tolist()
    parts = [slice(end - n_rows, end) for end, (_, n_rows) in zip(ends, rows, strict=True)]
    return [Pooled(of_half[:, part], mean[part], var[part]) for part in parts]


@nb.njit(cache=True, nogil=True)
def _pool(
    start: Any,
    stop: Any,
    n: Any,
    mean: Any,
    m2: Any,
    order: Any,
    starts: Any,
    half: Any,
    of_half: Any,
    of_row: Any,
    var: Any,
) -> None:  # pragma: no cover - compiled
    for r in range(start, stop):
        cells = np.zeros(2)
        for k in range(starts[r], starts[r + 1]):
            group, a = order[k], half[order[k]]
            cells[a] += n[group]
            for g in range(of_row.shape[1]):
                of_half[a, r, g] += n[group] * mean[group, g]
        total = cells.sum()
        for g in range(of_row.shape[1]):
            of_row[r, g] = (of_half[0, r, g] + of_half[1, r, g]) / total if total > 0 else np.nan
        for a in range(2):
            for g in range(of_row.shape[1]):
                of_half[a, r, g] = of_half[a, r, g] / cells[a] if cells[a] > 0 else np.nan
        for k in range(starts[r], starts[r + 1]):
            group = order[k]
            if n[group] > 0:
                for g in range(of_row.shape[1]):
                    away = mean[group, g] - of_row[r, g]
                    var[r, g] += m2[group, g] + n[group] * away * away
        for g in range(of_row.shape[1]):
            var[r, g] = var[r, g] / (total - 1) if total > 1 else np.nan

"""Random gene sets with the same expression as the genes that a regime leaves out."""

from __future__ import annotations

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.ranking import expression_bins


class Removals:
    """Random gene sets of the same size and expression as the genes that a regime leaves out."""

    def __init__(self, regime: str, removed: BoolArray, eligible: BoolArray, control: FloatArray) -> None:
        self.regime, self.removed, self.eligible = regime, removed, eligible
        self.bins = expression_bins(control)
        self.take, self.n_replaced = places(self.bins, removed, eligible)
        self.possible = bool(removed.any() and eligible.sum() > removed.sum())

    def draw(self, rng: np.random.Generator) -> BoolArray:
        """Return the genes of one random removal."""
        out = np.zeros(len(self.bins), dtype=bool)
        for b, n in enumerate(self.take):
            out[rng.choice(np.flatnonzero(self.eligible & (self.bins == b)), n, replace=False)] = True
        return out


def places(bins: IntArray, removed: BoolArray, eligible: BoolArray) -> tuple[IntArray, int]:
    """Return the number of genes to draw from each bin, and how many of them replace genes of another bin.

    If a bin has too few genes, they are drawn from the next lower bins, or otherwise from the lowest bin with genes left.
    """
    n_bins = int(bins.max(initial=0)) + 1
    need, free = (np.bincount(bins[which], minlength=n_bins) for which in (removed, eligible))
    take, missing = np.zeros(n_bins, dtype=np.int64), 0
    for b in range(n_bins - 1, -1, -1):
        take[b] = min(need[b] + missing, free[b])
        missing += need[b] - take[b]
    for b in range(n_bins):
        more = min(missing, free[b] - take[b])
        take[b] += more
        missing -= more
    return take, int(np.maximum(take - need, 0).sum())


def mismatch(control: FloatArray, removed: BoolArray, out: BoolArray) -> float:
    """Return the mean |log c| between two sets of equal size, with genes paired by rank."""
    if control.min() < 0 or not (control > 0).any():
        return float("nan")
    logs = np.log(np.maximum(control, control[control > 0].min()))
    return float(np.abs(np.sort(logs[removed]) - np.sort(logs[out])).mean())

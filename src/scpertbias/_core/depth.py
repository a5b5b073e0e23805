"""How every gene follows a cell's depth, in control cells."""

from __future__ import annotations

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray

from .accumulators import GroupSums


class Depth:
    """Regress every gene on log depth within each half of the control, and within batches.

    Parameters
    ----------
    half
        0 or 1 for control cells, −1 for all others, which take no part.
    batch
        The batch of each cell.
    n_genes
        Number of genes.
    """

    def __init__(self, half: IntArray, batch: IntArray, n_genes: int) -> None:
        self.n_batches = int(batch.max(initial=0)) + 1
        self.code: IntArray = np.where(half >= 0, half * self.n_batches + batch, -1)
        self.log_size = np.zeros(len(half))
        self.sums = GroupSums.empty(2 * self.n_batches, n_genes, 1)

    def add_sizes(self, rows: slice, size: FloatArray) -> tuple[IntArray, FloatArray]:
        """Take the depth of some cells; return their groups (cells where it is not positive have none) and log depth."""
        self.code[rows] = np.where(size > 0, self.code[rows], -1)
        self.log_size[rows] = np.log(np.where(size > 0, size, 1.0))
        return self.code[rows], self.log_size[rows, None]

    def subset(self, rows: slice, n_genes: int) -> Depth:
        """Return the same of some cells and genes, with sums of its own."""
        part = Depth.__new__(Depth)
        part.n_batches, part.code, part.log_size = self.n_batches, self.code[rows].copy(), self.log_size[rows].copy()
        part.sums = GroupSums.empty(len(self.sums.n), n_genes, 1)
        return part

    def copy_sizes(self, sizes: list[tuple[slice, IntArray, FloatArray]]) -> None:
        """Take over the groups and log depth of cells that were added elsewhere."""
        for rows, code, log_size in sizes:
            self.code[rows], self.log_size[rows] = code, log_size

    def slopes(self) -> FloatArray | None:
        """Return the slopes (2, G), or None where depth does not vary in a half."""
        member = self.code >= 0
        n = np.bincount(self.code[member], minlength=2 * self.n_batches)
        sums = np.bincount(self.code[member], weights=self.log_size[member], minlength=len(n))
        middle = sums / np.maximum(n, 1)
        away = self.log_size[member] - middle[self.code[member]]
        spread = np.bincount(self.code[member], weights=away**2, minlength=len(n)).reshape(2, -1).sum(axis=1)
        if (spread <= 1e-12 * np.maximum(n.reshape(2, -1).sum(axis=1), 1)).any():
            return None
        cross = self.sums.cross[:, 0] - (middle * self.sums.n)[:, None] * self.sums.mean
        slopes: FloatArray = cross.reshape(2, self.n_batches, -1).sum(axis=1) / spread[:, None]
        return slopes

"""Cells to moments: deal the cells into halves and control blocks, pass over them once, fold the leaves into rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core.accumulators import Leaves
from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.halves import Deal
from scpertbias._core.moments import Covariates, Moments

SLAB = 512
"""Genes that are folded together."""


class Gathering:
    """The pass over the cells: what is known of every cell before, and the leaves that have been filled so far.

    Parameters
    ----------
    dealt
        Leaf of each cell, as :func:`deal` gave it.
    row
        Row of each cell, −1 for none.
    n_rows, reference
        Number of rows, and which is the control.
    batch
        Batch of each cell.
    n_genes
        Number of genes that are kept.
    covariates
        Cells × covariates.
    """

    def __init__(
        self,
        dealt: Deal,
        row: IntArray,
        n_rows: int,
        reference: int,
        *,
        batch: IntArray,
        n_genes: int,
        covariates: FloatArray | None = None,
    ) -> None:
        self.dealt, self.row, self.n_rows, self.reference, self.batch = dealt, row, n_rows, reference, batch
        self.centered: FloatArray | None = None
        self.deviations: FloatArray | None = None
        if covariates is not None:
            self.centered = _center_covariates(covariates, row, reference, batch, dealt.counts.shape[1])
            self.deviations = _within_rows(self.centered, row, n_rows)
        self.leaves = Leaves.empty(len(dealt.row), n_genes, 0 if covariates is None else covariates.shape[1])

    def moments(self) -> Moments:
        """Return the moments of the rows, each cell centered by its batch's control mean; some genes at a time."""
        n_genes, n_blocks = self.leaves.mean.shape[1], int(self.dealt.block.max()) + 1
        n_half = sum_by(self.leaves.n, self._half_row(), 2 * self.n_rows).reshape(2, self.n_rows)
        out = {
            "mean": np.empty((self.n_rows, n_genes)),
            "var": np.empty((self.n_rows, n_genes)),
            "half": np.empty((2, self.n_rows, n_genes)),
            "blocks": np.empty((n_blocks, n_genes)),
            "cross": np.empty((self.n_rows, self.leaves.cross.shape[1], n_genes)),
        }
        for start in range(0, n_genes, SLAB):
            genes = slice(start, start + SLAB)
            for name, values in self._some(genes, n_half, n_blocks).items():
                out[name][..., genes] = values
        cross = out.pop("cross")
        return Moments(
            n=n_half.sum(axis=0),
            n_half=n_half,
            n_blocks=sum_by(self.leaves.n, self.dealt.block, n_blocks),
            reference=self.reference,
            covariates=self._covariates(cross),
            **out,
        )

    def _half_row(self) -> IntArray:
        return self.dealt.half * self.n_rows + self.dealt.row

    def _some(self, genes: slice, n_half: FloatArray, n_blocks: int) -> dict[str, FloatArray]:
        """Fold the leaves of some genes."""
        dealt, n_rows, n_batches = self.dealt, self.n_rows, self.dealt.counts.shape[1]
        leaves = self.leaves.genes(genes)
        half_row = self._half_row()
        batch_means, control_mean = _control_by_batch(leaves, dealt)
        half = sum_by(leaves.mean, half_row, 2 * n_rows, weights=leaves.n)
        blocks = sum_by(leaves.mean, dealt.block, n_blocks, weights=leaves.n)
        n = n_half.sum(axis=0)
        mean = raw = _divide(half[:n_rows] + half[n_rows:], n)
        if n_batches > 1:
            offset = batch_means - control_mean
            half -= sum_by(dealt.counts, half_row, 2 * n_rows) @ offset
            blocks -= sum_by(dealt.counts, dealt.block, n_blocks) @ offset
            mean = _divide(half[:n_rows] + half[n_rows:], n)
        found = {
            "mean": mean,
            "var": _variance(leaves, dealt.row, n, raw),
            "half": _divide(half, n_half.ravel()).reshape(2, n_rows, -1),
            "blocks": _divide(blocks, sum_by(leaves.n, dealt.block, n_blocks)),
        }
        if self.deviations is not None:
            # Σ x·d was taken on raw x: less the batch means it is that of centered x.
            k = self.deviations.shape[1]
            joint = np.where(self.row >= 0, self.row * n_batches + self.batch, -1)
            by_batch = sum_by(self.deviations, joint, n_rows * n_batches).reshape(n_rows, n_batches, k)
            found["cross"] = sum_by(leaves.cross, dealt.row, n_rows) - by_batch.transpose(0, 2, 1) @ batch_means
        return found

    def _covariates(self, cross: FloatArray) -> Covariates | None:
        """Moments of the covariates themselves, beside those with the genes."""
        if self.centered is None or self.deviations is None:
            return None
        kept, leaf = self.row >= 0, np.maximum(self.dealt.leaf, 0)
        half = np.where(kept, self.dealt.half[leaf], -1)
        block = np.where(kept, self.dealt.block[leaf], -1)
        products = self.deviations[:, :, None] * self.deviations[:, None, :]
        return Covariates(
            mean=_group_means(self.centered, self.row, self.n_rows),
            half=np.stack(
                [_group_means(self.centered, np.where(half == a, self.row, -1), self.n_rows) for a in (0, 1)]
            ),
            blocks=_group_means(self.centered, block, int(self.dealt.block.max()) + 1),
            ss=sum_by(products, self.row, self.n_rows),
            cross=cross,
        )


def gather(
    x: Any,
    dealt: Deal,
    row: IntArray,
    n_rows: int,
    reference: int,
    *,
    batch: IntArray,
    covariates: FloatArray | None = None,
) -> Moments:
    """Read cells in memory at once, and return the moments of the rows; see :class:`Gathering`."""
    gathering = Gathering(dealt, row, n_rows, reference, batch=batch, n_genes=x.shape[1], covariates=covariates)
    gathering.leaves.add(x, dealt.leaf, deviations=gathering.deviations)
    return gathering.moments()


def sum_by(values: FloatArray, to: IntArray, n_groups: int, weights: FloatArray | None = None) -> FloatArray:
    """Sum the entries (along the first axis) of each group; −1 leaves an entry out."""
    member = np.flatnonzero(to >= 0)
    weight = np.ones(len(member)) if weights is None else weights[member]
    indicator = sparse.csr_array((weight, (to[member], member)), shape=(n_groups, len(to)))
    out = np.asarray(indicator @ values.reshape(len(to), -1), dtype=np.float64)
    return out.reshape(n_groups, *values.shape[1:])


def _divide(total: FloatArray, n: FloatArray) -> FloatArray:
    """Turn sums into means, in place; NaN where there is nothing."""
    total /= np.where(n > 0, n, np.nan)[:, None]
    return total


def _control_by_batch(leaves: Leaves, dealt: Deal) -> tuple[FloatArray, FloatArray]:
    """Control mean of each batch (S, G) and of all control cells (G,)."""
    n_batches = dealt.counts.shape[1]
    sums = sum_by(leaves.mean, dealt.batch, n_batches, weights=leaves.n)
    cells = sum_by(leaves.n, dealt.batch, n_batches)
    return sums / np.maximum(cells, 1)[:, None], sums.sum(axis=0) / max(cells.sum(), 1)


def _variance(leaves: Leaves, to: IntArray, n: FloatArray, mean: FloatArray) -> FloatArray:
    """Unbiased variance over the cells of a row about its raw mean, the between-batch part included."""
    away = leaves.mean - mean[to]
    away *= away
    away *= leaves.n[:, None]
    away += leaves.m2
    away[leaves.n == 0] = 0.0
    m2 = sum_by(away, to, len(n))
    m2 /= np.where(n > 1, n - 1, np.nan)[:, None]
    return m2


def _center_covariates(
    covariates: FloatArray, row: IntArray, reference: int, batch: IntArray, n_batches: int
) -> FloatArray:
    """Covariates less their batch's control mean, plus the control mean."""
    control = np.where(row == reference, batch, -1)
    means = np.nan_to_num(_group_means(covariates, control, n_batches))
    centered = covariates - means[np.maximum(batch, 0)] + covariates[row == reference].mean(axis=0)
    return np.where((row >= 0)[:, None], centered, 0.0)


def _group_means(values: FloatArray, code: IntArray, n_groups: int) -> FloatArray:
    n = np.bincount(code[code >= 0], minlength=n_groups).astype(np.float64)
    return _divide(sum_by(values, code, n_groups), n)


def _within_rows(centered: FloatArray, row: IntArray, n_rows: int) -> FloatArray:
    """Covariates about their row's mean; zero for cells left out."""
    means = _group_means(centered, row, n_rows)
    return np.where((row >= 0)[:, None], centered - means[np.maximum(row, 0)], 0.0)

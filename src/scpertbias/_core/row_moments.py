"""Cells to moments: assign the cells to halves and control blocks, pass over them once, fold the groups into rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core.accumulators import GroupSums
from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.halves import HalfAssignment
from scpertbias._core.moments import Covariates, Moments

SLAB = 512
"""Genes that are folded together."""


class MomentAccumulator:
    """The pass over the cells: what is known of every cell before, and the sums that have been filled so far.

    Parameters
    ----------
    assignment
        Group of each cell, from :func:`~scpertbias._core.halves.assign_halves`.
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
        assignment: HalfAssignment,
        row: IntArray,
        n_rows: int,
        reference: int,
        *,
        batch: IntArray,
        n_genes: int,
        covariates: FloatArray | None = None,
    ) -> None:
        self.assignment, self.row, self.n_rows, self.reference, self.batch = assignment, row, n_rows, reference, batch
        self.centered: FloatArray | None = None
        self.deviations: FloatArray | None = None
        if covariates is not None:
            self.centered = _center_covariates(covariates, row, reference, batch, assignment.counts.shape[1])
            self.deviations = _within_rows(self.centered, row, n_rows)
        self.sums = GroupSums.empty(len(assignment.row), n_genes, 0 if covariates is None else covariates.shape[1])

    def moments(self) -> Moments:
        """Return the moments of the rows, each cell centered by its batch's control mean; some genes at a time."""
        n_genes, n_blocks = self.sums.mean.shape[1], int(self.assignment.block.max()) + 1
        n_half = sum_by(self.sums.n, self._half_row(), 2 * self.n_rows).reshape(2, self.n_rows)
        out = {
            "mean": np.empty((self.n_rows, n_genes)),
            "var": np.empty((self.n_rows, n_genes)),
            "half": np.empty((2, self.n_rows, n_genes)),
            "blocks": np.empty((n_blocks, n_genes)),
            "cross": np.empty((self.n_rows, self.sums.cross.shape[1], n_genes)),
        }
        for start in range(0, n_genes, SLAB):
            genes = slice(start, start + SLAB)
            for name, values in self._fold(genes, n_half, n_blocks).items():
                out[name][..., genes] = values
        cross = out.pop("cross")
        return Moments(
            n=n_half.sum(axis=0),
            n_half=n_half,
            n_blocks=sum_by(self.sums.n, self.assignment.block, n_blocks),
            reference=self.reference,
            covariates=self._covariates(cross),
            **out,
        )

    def _half_row(self) -> IntArray:
        return self.assignment.half * self.n_rows + self.assignment.row

    def _fold(self, genes: slice, n_half: FloatArray, n_blocks: int) -> dict[str, FloatArray]:
        """Fold the groups of some genes."""
        assignment, n_rows, n_batches = self.assignment, self.n_rows, self.assignment.counts.shape[1]
        sums = self.sums.genes(genes)
        half_row = self._half_row()
        batch_means, control_mean = _control_by_batch(sums, assignment)
        half = sum_by(sums.mean, half_row, 2 * n_rows, weights=sums.n)
        blocks = sum_by(sums.mean, assignment.block, n_blocks, weights=sums.n)
        n = n_half.sum(axis=0)
        mean = raw = _divide(half[:n_rows] + half[n_rows:], n)
        if n_batches > 1:
            offset = batch_means - control_mean
            # Cells per batch times the batch offsets: what centering takes from each sum (rows, G)
            half -= sum_by(assignment.counts, half_row, 2 * n_rows) @ offset
            blocks -= sum_by(assignment.counts, assignment.block, n_blocks) @ offset
            mean = _divide(half[:n_rows] + half[n_rows:], n)
        moments = {
            "mean": mean,
            "var": _variance(sums, assignment.row, n, raw),
            "half": _divide(half, n_half.ravel()).reshape(2, n_rows, -1),
            "blocks": _divide(blocks, sum_by(sums.n, assignment.block, n_blocks)),
        }
        if self.deviations is not None:
            # Σ x·d was taken on raw x: less the batch means it is that of centered x.
            k = self.deviations.shape[1]
            joint = np.where(self.row >= 0, self.row * n_batches + self.batch, -1)
            by_batch = sum_by(self.deviations, joint, n_rows * n_batches).reshape(n_rows, n_batches, k)
            moments["cross"] = sum_by(sums.cross, assignment.row, n_rows) - by_batch.transpose(0, 2, 1) @ batch_means
        return moments

    def _covariates(self, cross: FloatArray) -> Covariates | None:
        """Moments of the covariates themselves, beside those with the genes."""
        if self.centered is None or self.deviations is None:
            return None
        in_row, group = self.row >= 0, np.maximum(self.assignment.group, 0)
        half = np.where(in_row, self.assignment.half[group], -1)
        block = np.where(in_row, self.assignment.block[group], -1)
        products = self.deviations[:, :, None] * self.deviations[:, None, :]
        return Covariates(
            mean=_group_means(self.centered, self.row, self.n_rows),
            half=np.stack(
                [_group_means(self.centered, np.where(half == a, self.row, -1), self.n_rows) for a in (0, 1)]
            ),
            blocks=_group_means(self.centered, block, int(self.assignment.block.max()) + 1),
            ss=sum_by(products, self.row, self.n_rows),
            cross=cross,
        )


def row_moments(
    x: Any,
    assignment: HalfAssignment,
    row: IntArray,
    n_rows: int,
    reference: int,
    *,
    batch: IntArray,
    covariates: FloatArray | None = None,
) -> Moments:
    """Read cells in memory at once, and return the moments of the rows; see :class:`MomentAccumulator`."""
    accumulator = MomentAccumulator(
        assignment, row, n_rows, reference, batch=batch, n_genes=x.shape[1], covariates=covariates
    )
    accumulator.sums.add(x, assignment.group, deviations=accumulator.deviations)
    return accumulator.moments()


def sum_by(values: FloatArray, to: IntArray, n_groups: int, weights: FloatArray | None = None) -> FloatArray:
    """Sum the entries (along the first axis) of each group; −1 leaves an entry out."""
    member = np.flatnonzero(to >= 0)
    weight = np.ones(len(member)) if weights is None else weights[member]
    indicator = sparse.csr_array((weight, (to[member], member)), shape=(n_groups, len(to)))
    # Indicator of the groups (n_groups, n) times the entries
    out = np.asarray(indicator @ values.reshape(len(to), -1), dtype=np.float64)
    return out.reshape(n_groups, *values.shape[1:])


def _divide(total: FloatArray, n: FloatArray) -> FloatArray:
    """Turn sums into means, in place; NaN where there is nothing."""
    total /= np.where(n > 0, n, np.nan)[:, None]
    return total


def _control_by_batch(sums: GroupSums, assignment: HalfAssignment) -> tuple[FloatArray, FloatArray]:
    """Control mean of each batch (S, G) and of all control cells (G,)."""
    n_batches = assignment.counts.shape[1]
    totals = sum_by(sums.mean, assignment.batch, n_batches, weights=sums.n)
    cells = sum_by(sums.n, assignment.batch, n_batches)
    return totals / np.maximum(cells, 1)[:, None], totals.sum(axis=0) / max(cells.sum(), 1)


def _variance(sums: GroupSums, to: IntArray, n: FloatArray, mean: FloatArray) -> FloatArray:
    """Unbiased variance over the cells of a row about its raw mean, the between-batch part included."""
    away = sums.mean - mean[to]
    away *= away
    away *= sums.n[:, None]
    away += sums.m2
    away[sums.n == 0] = 0.0
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

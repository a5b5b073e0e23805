"""Cells to moments: assign the cells to halves and control blocks, pass over them once, fold the groups into rows."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core.accumulators import GroupSums
from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.cell_columns import Covariates
from scpertbias._core.halves import HalfAssignment
from scpertbias._core.moments import Moments, center, control_by_batch, shares, within_batches
from scpertbias._core.pooling import pool

SLAB = 512
"""Genes that are centered together."""


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
        self.covariates: FloatArray | None = None
        self.deviations: FloatArray | None = None
        if covariates is not None:
            self.covariates = np.where((row >= 0)[:, None], covariates, 0.0)
            self.deviations = _within_rows(self.covariates, row, n_rows)
        self.sums = GroupSums.empty(len(assignment.row), n_genes, 0 if covariates is None else covariates.shape[1])

    def moments(self) -> Moments:
        """Return the moments of the rows, each half centered by its own control in each batch."""
        assignment, counts = self.assignment, self._counts()
        n_batches, n_blocks = counts.shape[2], int(assignment.block.max()) + 1
        rows = [(assignment.row, self.n_rows), (assignment.batch, n_batches), (assignment.block, n_blocks)]
        of_rows, of_control, of_blocks = pool(self.sums, rows, assignment.half)
        half, mean, var, blocks = of_rows.half, of_rows.mean, of_rows.var, of_blocks.mean
        control_half, control_var = of_control.half, of_control.var
        guide_half, n_guide_half = self._guides(half, counts, mean, control_half)
        cross, control_cross = self._cross(counts, control_half)
        in_blocks = sum_by(assignment.counts, assignment.block, n_blocks)
        for a in (0, 1):  # the first half of the blocks is of control half 1
            part = slice(a * n_blocks // 2, (a + 1) * n_blocks // 2)
            blocks[part] -= shares(in_blocks[part]) @ np.nan_to_num(control_half[a])
        self._center(mean, half, var, counts, control_half, control_var)
        return Moments(
            counts=counts,
            mean=mean,
            var=var,
            half=half,
            control_half=control_half,
            control_var=control_var,
            blocks=blocks,
            n_blocks=in_blocks,
            reference=self.reference,
            covariates=self._covariates(counts, cross, control_cross),
            guide_half=guide_half,
            n_guide_half=n_guide_half,
        )

    def _center(
        self,
        mean: FloatArray,
        half: FloatArray,
        var: FloatArray,
        counts: FloatArray,
        control_half: FloatArray,
        control_var: FloatArray,
    ) -> None:
        """Center means and variances by the control of each row's batches in place, some genes at a time."""
        n_control = counts[:, self.reference]
        for start in range(0, mean.shape[1] if counts.shape[2] > 1 else 0, SLAB):
            genes = slice(start, start + SLAB)
            of_control = control_half[:, :, genes]
            centered = center(mean[:, genes], half[:, :, genes], counts, of_control, self.reference)
            mean[:, genes], half[:, :, genes] = centered["mean"], centered["half"]
            by_batch = control_by_batch(of_control, n_control)
            var[:, genes] = within_batches(
                var[:, genes], counts.sum(axis=0), by_batch, control_var[:, genes], n_control.sum(axis=0)
            )

    def _half_row(self) -> IntArray:
        return self.assignment.half * self.n_rows + self.assignment.row

    def _counts(self) -> FloatArray:
        """Cells by half, row and batch (2, R, S)."""
        counts = sum_by(self.assignment.counts, self._half_row(), 2 * self.n_rows)
        return counts.reshape(2, self.n_rows, -1)

    def _guide_row(self) -> IntArray:
        """Guide half and row of each perturbed group as one code, −1 for the others."""
        guide = self.assignment.guide
        return np.where(guide >= 0, guide * self.n_rows + self.assignment.row, -1)

    def _guide_counts(self, counts: FloatArray) -> FloatArray:
        """Cells by guide half, row and batch (2, R, S); of the control by its halves of cells."""
        of_guides = sum_by(self.assignment.counts, self._guide_row(), 2 * self.n_rows).reshape(counts.shape)
        of_guides[:, self.reference] = counts[:, self.reference]
        return of_guides

    def _guides(
        self, half: FloatArray, counts: FloatArray, mean: FloatArray, control_half: FloatArray
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Return the means of guide halves, each about its own half of the control, and their cells; None without guides."""
        guide = self.assignment.guide
        if not (guide >= 0).any():
            return None, None
        of_guides = self._guide_counts(counts)
        (pooled,) = pool(self.sums, [(np.where(guide >= 0, self.assignment.row, -1), self.n_rows)], guide)
        means = pooled.half
        means[:, self.reference] = half[:, self.reference]
        return center(mean, means, of_guides, control_half, self.reference)["half"], of_guides.sum(axis=2)

    def _cross(self, counts: FloatArray, control_half: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sums of products of covariates with genes about each row's mean (R, k, G), and about each control batch's."""
        row, batch, n_batches = self.assignment.row, self.assignment.batch, counts.shape[2]
        cross, control_cross = sum_by(self.sums.cross, row, self.n_rows), sum_by(self.sums.cross, batch, n_batches)
        if self.covariates is not None:
            # Σ(z − z̄_0)x of the control's cells in a batch, brought to the mean of z in that batch.
            offset = self._covariate_means()[2] - group_means(self.covariates, self.row, self.n_rows)[self.reference]
            n_control = counts[:, self.reference]
            control = control_by_batch(control_half, n_control)
            control_cross -= (n_control.sum(axis=0)[:, None] * offset)[:, :, None] * control[:, None, :]
        return cross, control_cross

    def _covariate_means(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Means of the covariates by control half and batch (2, S, k), by row and batch (R, S, k), by control batch."""
        values, n_batches = np.asarray(self.covariates), self.assignment.counts.shape[1]
        half = np.where(self.row >= 0, self.assignment.half[np.maximum(self.assignment.group, 0)], -1)
        is_control = self.row == self.reference
        by_half = group_means(values, np.where(is_control, half * n_batches + self.batch, -1), 2 * n_batches)
        joint = np.where(self.row >= 0, self.row * n_batches + self.batch, -1)
        by_row = np.nan_to_num(group_means(values, joint, self.n_rows * n_batches)).reshape(self.n_rows, n_batches, -1)
        return by_half.reshape(2, n_batches, -1), by_row, by_row[self.reference]

    def _covariates(self, counts: FloatArray, cross: FloatArray, control_cross: FloatArray) -> Covariates | None:
        """Moments of the covariates themselves, centered as the genes are, and those with the genes."""
        if self.covariates is None or self.deviations is None:
            return None
        group = np.maximum(self.assignment.group, 0)
        half = np.where(self.row >= 0, self.assignment.half[group], -1)
        block = np.where(self.row >= 0, self.assignment.block[group], -1)
        by_control_half, by_row, by_control = self._covariate_means()
        raw = group_means(self.covariates, self.row, self.n_rows)
        raw_half = np.stack(
            [group_means(self.covariates, np.where(half == a, self.row, -1), self.n_rows) for a in (0, 1)]
        )
        in_batch = np.where(
            (self.row == self.reference)[:, None],
            self.covariates - by_control_half[np.maximum(half, 0), np.maximum(self.batch, 0)],
            0.0,
        )
        away = np.where(
            (self.row == self.reference)[:, None], self.covariates - by_control[np.maximum(self.batch, 0)], 0.0
        )
        is_control = np.where(self.row == self.reference, self.batch, -1)
        return Covariates(
            **center(raw, raw_half, counts, by_control_half, self.reference),
            control_half=by_control_half,
            by_row=by_row,
            blocks=group_means(in_batch, block, int(self.assignment.block.max()) + 1),
            ss=sum_by(_products(self.deviations), self.row, self.n_rows),
            control_ss=sum_by(_products(away), is_control, counts.shape[2]),
            cross=cross,
            control_cross=control_cross,
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
    out = np.asarray(indicator @ values.reshape(len(to), prod(values.shape[1:])), dtype=np.float64)
    return out.reshape(n_groups, *values.shape[1:])


def _divide(total: FloatArray, n: FloatArray) -> FloatArray:
    """Turn sums into means, in place; NaN where there is nothing."""
    total /= np.where(n > 0, n, np.nan)[:, None]
    return total


def _products(values: FloatArray) -> FloatArray:
    return values[:, :, None] * values[:, None, :]


def group_means(values: FloatArray, code: IntArray, n_groups: int) -> FloatArray:
    """Mean of the entries of each group; −1 leaves an entry out, and a group without any is NaN."""
    n = np.bincount(code[code >= 0], minlength=n_groups).astype(np.float64)
    return _divide(sum_by(values, code, n_groups), n)


def _within_rows(centered: FloatArray, row: IntArray, n_rows: int) -> FloatArray:
    """Covariates about their row's mean; zero for cells left out."""
    means = group_means(centered, row, n_rows)
    return np.where((row >= 0)[:, None], centered - means[np.maximum(row, 0)], 0.0)

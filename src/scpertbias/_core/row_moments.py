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
from scpertbias._core.moments import Moments, center, control_by_batch, within_batches

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
        self.covariates: FloatArray | None = None
        self.deviations: FloatArray | None = None
        if covariates is not None:
            self.covariates = np.where((row >= 0)[:, None], covariates, 0.0)
            self.deviations = _within_rows(self.covariates, row, n_rows)
        self.sums = GroupSums.empty(len(assignment.row), n_genes, 0 if covariates is None else covariates.shape[1])

    def moments(self) -> Moments:
        """Return the moments of the rows, each half centered by its own control in each batch; some genes at a time."""
        counts = self._counts()
        n_genes, n_batches = self.sums.mean.shape[1], counts.shape[2]
        n_blocks, k = int(self.assignment.block.max()) + 1, self.sums.cross.shape[1]
        shapes = {
            "mean": (self.n_rows,),
            "var": (self.n_rows,),
            "half": (2, self.n_rows),
            "control_half": (2, n_batches),
            "control_var": (n_batches,),
            "blocks": (n_blocks,),
            "cross": (self.n_rows, k),
            "control_cross": (n_batches, k),
        }
        if (self.assignment.guide >= 0).any():
            shapes["guide_half"] = (2, self.n_rows)
        out: dict[str, Any] = {name: np.empty((*shape, n_genes)) for name, shape in shapes.items()}
        for start in range(0, n_genes, SLAB):
            genes = slice(start, start + SLAB)
            for name, values in self._fold(genes, counts, n_blocks).items():
                out[name][..., genes] = values
        cross, control_cross = out.pop("cross"), out.pop("control_cross")
        return Moments(
            counts=counts,
            n_blocks=sum_by(self.assignment.counts, self.assignment.block, n_blocks),
            reference=self.reference,
            covariates=self._covariates(counts, cross, control_cross),
            n_guide_half=self._guide_counts(counts).sum(axis=2) if "guide_half" in out else None,
            **out,
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

    def _control_half_batch(self) -> IntArray:
        """Half and batch of each control group as one code, −1 for the others."""
        n_batches = self.assignment.counts.shape[1]
        return np.where(self.assignment.batch >= 0, self.assignment.half * n_batches + self.assignment.batch, -1)

    def _fold(self, genes: slice, counts: FloatArray, n_blocks: int) -> dict[str, FloatArray]:
        """Fold the groups of some genes."""
        assignment, n_rows, n_batches = self.assignment, self.n_rows, counts.shape[2]
        sums = self.sums.genes(genes)
        n_control = counts[:, self.reference]
        control_half = sum_by(sums.mean, self._control_half_batch(), 2 * n_batches, weights=sums.n)
        control_half = _divide(control_half, n_control.ravel()).reshape(2, n_batches, -1)
        control = control_by_batch(control_half, n_control)
        raw_half = sum_by(sums.mean, self._half_row(), 2 * n_rows, weights=sums.n).reshape(2, n_rows, -1)
        n = counts.sum(axis=(0, 2))
        raw = _divide(raw_half[0] + raw_half[1], n)
        for a in (0, 1):
            _divide(raw_half[a], counts[a].sum(axis=1))
        blocks = sum_by(sums.mean, assignment.block, n_blocks, weights=sums.n)
        in_blocks = sum_by(assignment.counts, assignment.block, n_blocks)
        for a in (0, 1):  # the first half of the blocks is of control half 1
            part = slice(a * n_blocks // 2, (a + 1) * n_blocks // 2)
            blocks[part] -= in_blocks[part] @ np.nan_to_num(control_half[a])
        control_var = _variance(sums, assignment.batch, n_control.sum(axis=0), control)
        centered = center(raw, raw_half, counts, control_half, self.reference)
        moments = {
            **centered,
            **self._fold_guides(sums, counts, raw, raw_half, control_half),
            "var": within_batches(
                _variance(sums, assignment.row, n, raw), counts.sum(axis=0), control, control_var, n_control.sum(axis=0)
            ),
            "control_half": control_half,
            "control_var": control_var,
            "blocks": _divide(blocks, in_blocks.sum(axis=1)),
        }
        if self.deviations is not None and self.covariates is not None:
            moments["cross"] = sum_by(sums.cross, assignment.row, n_rows)
            # Σ(z − z̄_0)x of the control's cells in a batch, brought to the mean of z in that batch.
            offset = self._covariate_means()[2] - group_means(self.covariates, self.row, n_rows)[self.reference]
            moments["control_cross"] = sum_by(sums.cross, assignment.batch, n_batches)
            moments["control_cross"] -= (n_control.sum(axis=0)[:, None] * offset)[:, :, None] * control[:, None, :]
        return moments

    def _fold_guides(
        self, sums: GroupSums, counts: FloatArray, raw: FloatArray, raw_half: FloatArray, control_half: FloatArray
    ) -> dict[str, FloatArray]:
        """Fold the guide halves of some genes, each about its own half of the control; empty without guides."""
        if not (self.assignment.guide >= 0).any():
            return {}
        of_guides = self._guide_counts(counts)
        means = sum_by(sums.mean, self._guide_row(), 2 * self.n_rows, weights=sums.n).reshape(raw_half.shape)
        for a in (0, 1):
            _divide(means[a], of_guides[a].sum(axis=1))
        means[:, self.reference] = raw_half[:, self.reference]
        return {"guide_half": center(raw, means, of_guides, control_half, self.reference)["half"]}

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
        """Moments of the covariates themselves, centered as the genes are, beside those with the genes."""
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

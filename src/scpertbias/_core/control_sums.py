"""What the pass keeps of control cells besides their moments: means by level of columns, and slopes on depth and MT %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scpertbias._core.accumulators import GroupSums
from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.cell_columns import DEPTH, Levels, Quality
from scpertbias._core.pooling import pool
from scpertbias._core.row_moments import group_means, sum_by

MOST_GROUPS = 256
"""Columns are summed together if they have fewer than this number of combinations of levels."""


class ControlSums:
    """Sum the control cells by level of each column, and regress every gene on measures of quality within its halves.

    Parameters
    ----------
    half
        0 or 1 for control cells, −1 for all others, which take no part.
    batch
        The batch of each cell.
    levels
        Level of each cell, by column; −1 for none. A level that occurs in several batches has a number in each.
    quality
        Measures of quality of each cell by name, NaN where one is not known; depth may be 0 until :meth:`set_size`.
    n_genes
        Number of genes.
    """

    def __init__(
        self,
        half: IntArray,
        batch: IntArray,
        levels: Sequence[IntArray],
        *,
        quality: Mapping[str, FloatArray],
        n_genes: int,
    ) -> None:
        self.half, self.batch, self.levels, self.names = half, batch, list(levels), tuple(quality)
        self.values = np.stack([*quality.values()], axis=1) if quality else np.empty((len(half), 0))
        self.n_batches = int(batch.max(initial=0)) + 1
        known = np.isfinite(self.values).all(axis=1)
        base = np.where(half >= 0, (half * self.n_batches + batch) * 2 + known, -1) if quality else None
        self.codes, self.code_of = _combine(half >= 0, base, self.levels)
        self.sums = [
            GroupSums.empty(int(code.max(initial=-1)) + 1, n_genes, 0 if i else len(quality))
            for i, code in enumerate(self.codes)
        ]

    def set_size(self, rows: slice, size: FloatArray) -> None:
        """Take over the depth of some cells, where only the pass tells it; unknown where it is not positive."""
        if DEPTH in self.names:
            self.values[rows, self.names.index(DEPTH)] = log_depth(size)

    def add(
        self,
        x: object,
        rows: slice,
        genes: slice | None,
        *,
        scale: FloatArray | None,
        columns: IntArray | None,
    ) -> None:
        """Add the values of the cells at ``rows``, of all genes or some; see :meth:`GroupSums.add`."""
        for i, (code, sums) in enumerate(zip(self.codes, self.sums, strict=True)):
            deviations = np.nan_to_num(self.values[rows]) if i == 0 and self.names else None
            if genes is None:
                sums.add(x, code[rows], scale=scale, deviations=deviations, columns=columns)
            else:
                sums.add_genes(genes, x, code[rows], scale=scale, deviations=deviations)

    def subset(self, rows: slice, n_genes: int) -> ControlSums:
        """Return the same of some cells and genes, with sums of its own."""
        part = ControlSums.__new__(ControlSums)
        part.names, part.values = self.names, self.values[rows].copy()
        part.codes = [code[rows] for code in self.codes]
        part.sums = [GroupSums.empty(len(sums.n), n_genes, sums.cross.shape[1]) for sums in self.sums]
        return part

    def kept_levels(self, row: IntArray, n_rows: int, reference: int) -> Levels | None:
        """Return the cells by row and level, and the control of each level."""
        if not self.levels:
            return None
        parts = [self._levels_of(j, row, n_rows, reference) for j in range(len(self.levels))]
        return Levels(
            column=np.concatenate([part.column for part in parts]),
            batch=np.concatenate([part.batch for part in parts]),
            counts=np.concatenate([part.counts for part in parts], axis=1),
            n_control=np.concatenate([part.n_control for part in parts]),
            mean=np.concatenate([part.mean for part in parts]),
            var=np.concatenate([part.var for part in parts]),
        )

    def _levels_of(self, column: int, row: IntArray, n_rows: int, reference: int) -> Levels:
        level = self.levels[column]
        n_levels = int(level.max(initial=-1)) + 1
        member = (row >= 0) & (level >= 0)
        counts = np.bincount(row[member] * n_levels + level[member], minlength=n_rows * n_levels)
        batch = np.zeros(n_levels, dtype=np.int64)
        batch[level[member]] = self.batch[member]
        code, sums = self.codes[self.code_of[column]], self.sums[self.code_of[column]]
        to = np.full(len(sums.n), -1, dtype=np.int64)
        to[code[code >= 0]] = level[code >= 0]
        (pooled,) = pool(sums, [(to, n_levels)])
        by_row = counts.reshape(n_rows, n_levels).astype(np.float64)
        return Levels(
            column=np.full(n_levels, column),
            batch=batch,
            counts=by_row,
            n_control=by_row[reference],
            mean=pooled.mean,
            var=pooled.var,
        )

    def quality(self, row: IntArray, n_rows: int, reference: int) -> Quality | None:
        """Return the measures by row, and the slopes of the genes on them."""
        if not self.names:
            return None
        control = np.flatnonzero(row == reference)
        mean, var = _mean_var(self.values, row, n_rows)
        control_mean, control_var = _mean_var(self.values[control], self.batch[control], self.n_batches)
        return Quality(self.names, mean, var, control_mean, control_var, self._slopes())

    def _slopes(self) -> FloatArray:
        """Slopes within halves and batches (2, k, G), NaN where a measure does not vary in a half."""
        n_groups = 2 * self.n_batches
        member = np.flatnonzero(self.half >= 0)
        member = member[np.isfinite(self.values[member]).all(axis=1)]
        at, values = self.half[member] * self.n_batches + self.batch[member], self.values[member]
        middle = np.nan_to_num(group_means(values, at, n_groups))
        spread = sum_by((values - middle[at]) ** 2, at, n_groups).reshape(2, self.n_batches, -1).sum(axis=1)
        sums = self.sums[0]
        to = np.full(len(sums.n), -1, dtype=np.int64)
        to[self.codes[0][member]] = at
        # Σ z x − z̄ Σ x, by half and batch (2 S, k, G)
        cross = sum_by(sums.cross, to, n_groups)
        cross -= middle[:, :, None] * sum_by(sums.mean, to, n_groups, weights=sums.n)[:, None]
        n = np.bincount(at, minlength=n_groups).reshape(2, -1).sum(axis=1)
        spread[spread <= 1e-12 * np.maximum(n, 1)[:, None]] = np.nan
        slopes: FloatArray = cross.reshape(2, self.n_batches, *cross.shape[1:]).sum(axis=1) / spread[:, :, None]
        return slopes


def log_depth(size: FloatArray) -> FloatArray:
    """Logarithm of the depth of cells, NaN where it is not positive."""
    return np.log(np.where(size > 0, size, np.nan))


def _combine(control: BoolArray, base: IntArray | None, levels: Sequence[IntArray]) -> tuple[list[IntArray], list[int]]:
    """Number the combinations of levels that control cells have; columns that would make too many begin anew.

    Return the codes of the cells (−1 for all others), and for each column the code that its levels are in.
    """
    codes: list[IntArray] = [] if base is None else [_numbered(base, control)]
    code_of = []
    for level in levels:
        alone = np.where(control, level + 1, -1)
        if codes:
            joint = _numbered(np.where(control, codes[-1] * (int(level.max(initial=-1)) + 2) + alone, -1), control)
            if joint.max(initial=-1) < max(MOST_GROUPS, int(level.max(initial=-1)) + 2):
                codes[-1] = joint
                code_of.append(len(codes) - 1)
                continue
        codes.append(_numbered(alone, control))
        code_of.append(len(codes) - 1)
    return codes, code_of


def _numbered(code: IntArray, control: BoolArray) -> IntArray:
    """Number the codes that control cells have from 0; −1 for all other cells."""
    out = np.full(len(code), -1, dtype=np.int64)
    out[control] = np.unique(code[control], return_inverse=True)[1]
    return out


def _mean_var(values: FloatArray, code: IntArray, n_groups: int) -> tuple[FloatArray, FloatArray]:
    """Mean and unbiased variance of each group (groups, k), of the values that are known."""
    mean, var = np.empty((2, n_groups, values.shape[1]))
    for j, column in enumerate(values.T):
        member = (code >= 0) & np.isfinite(column)
        at, one = code[member], column[member]
        n = np.bincount(at, minlength=n_groups)
        mean[:, j] = np.bincount(at, one, n_groups) / np.where(n > 0, n, np.nan)
        var[:, j] = np.bincount(at, (one - mean[at, j]) ** 2, n_groups) / np.where(n > 1, n - 1, np.nan)
    return mean, var

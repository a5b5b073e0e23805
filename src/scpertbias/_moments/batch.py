"""Batches of cells: known properties before reading, and reading of their values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._core.accumulators import GroupSums
from .._core.arrays import FloatArray, IntArray
from .._core.control_sums import ControlSums
from .._core.sums import row_sums
from .._scale import Scale

TOTAL = 0.5
"""If the median size is below this share of the median total count of the cells, the sizes are not totals."""


@dataclass(frozen=True)
class Normalization:
    """Raw counts are transformed to ``log1p(target_sum * count / size)``; without ``size``, it is the total of each cell.

    ``are_totals`` says that ``size`` contains these totals.
    """

    target_sum: float
    size: FloatArray | None
    named: str
    are_totals: bool = False

    def of(self, x: Any) -> tuple[FloatArray, FloatArray]:
        """Return the factor and the size of cells."""
        if self.are_totals and self.size is not None:
            size = totals = self.size
        else:
            totals = row_sums(x)
            size = totals if self.size is None else self.size
        if n := int(((size < 0) | ((size == 0) & (totals > 0))).sum()):
            msg = f"`size_factors`: {self.named} is not positive in {n} cells with counts. Remove these cells, or pass another column."
            raise ValueError(msg)
        _check_totals(size, totals, self.target_sum, self.named)
        return np.divide(self.target_sum, size, out=np.zeros_like(size), where=size > 0), size


def _check_totals(size: FloatArray, totals: FloatArray, target_sum: float, named: str) -> None:
    """Raise an error for sizes that are not totals if counts are scaled to a total: the values would be almost binary.

    Size factors of scran have a mean of 1 and need a ``target_sum`` of 1; totals of all genes can be far above the totals here.
    """
    cells = (size > 0) & (totals > 0)
    if target_sum == 1 or not cells.any():
        return
    typical, total = float(np.median(size[cells])), float(np.median(totals[cells]))
    if typical >= TOTAL * total:
        return
    factors = (
        " For size factors with a mean of 1, as in scran, pass target_sum=1; otherwise convert"
        if typical < 20
        else " Convert"
    )
    msg = (
        f"`size_factors`: {named} (median {typical:.3g}) is far below the total counts per cell (median {total:.4g}), "
        f"so these are not totals. Cells would be scaled to {target_sum * total / typical:.2g} counts."
        f"{factors} the size factors to totals: multiply them by {total / typical:.4g}."
    )
    raise ValueError(msg)


@dataclass(frozen=True)
class CellBatch:
    """What is known of some cells before their values are read.

    ``group`` (−1: none) is each cell's group, ``deviations`` are those of the covariates; ``check`` looks at the values,
    which are those of ``whole_cells`` or of some genes.
    """

    group: IntArray
    deviations: FloatArray | None
    normalization: Normalization | None
    check: Scale
    columns: IntArray | None = None
    whole_cells: bool = True

    def __getitem__(self, rows: slice) -> CellBatch:
        """Return some of the cells."""
        n = self.normalization
        return CellBatch(
            group=self.group[rows],
            deviations=_some(self.deviations, rows),
            normalization=n if n is None else replace(n, size=_some(n.size, rows)),
            check=self.check,
            columns=self.columns,
            whole_cells=self.whole_cells,
        )

    def read(self, x: Any, sums: GroupSums, control: ControlSums, rows: slice, genes: slice | None = None) -> None:
        """Add the values of these cells, which lie at ``rows``, to the sums; of ``genes`` only where given."""
        self.check.add(x, whole_cells=self.whole_cells and genes is None)
        to = self.columns
        if genes is not None and to is not None:
            start, to = int((to[: genes.start] >= 0).sum()), to[genes]
            x, genes = x[:, np.flatnonzero(to >= 0)], slice(start, start + int((to >= 0).sum()))
        scale = size = None
        if self.normalization is not None:
            scale, size = self.normalization.of(x)
        if genes is None:
            sums.add(x, self.group, scale=scale, deviations=self.deviations, columns=to)
        else:
            sums.add_genes(genes, x, self.group, scale=scale, deviations=self.deviations)
        if size is not None:
            if self.whole_cells and not (genes and genes.start):
                self.check.add_sizes(size)
            control.set_size(rows, size)
        control.add(x, rows, genes, scale=scale, columns=to)


def _some(values: Any, rows: slice) -> Any:
    return None if values is None else values[rows]

"""Statistics of columns of ``obs``: covariates, levels for the test of balance, depth and MT %."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

DEPTH, MT_PERCENT = "depth", "mt_percent"


@dataclass(frozen=True)
class Covariates:
    """Moments of k covariates of the cells, centered as the genes are.

    ``mean`` (R, k), ``half`` (2, R, k), ``control_half`` (2, S, k), ``blocks`` (K, k) as those of :class:`Moments`;
    ``by_row`` (R, S, k) raw means by row and batch; ``ss`` (R, k, k) sums of squares and ``cross`` (R, k, G) sums of
    products with the genes, about each row's raw mean; ``control_ss`` (S, k, k) and ``control_cross`` (S, k, G) the same
    for the control of each batch, about its mean.
    """

    mean: FloatArray
    half: FloatArray
    control_half: FloatArray
    by_row: FloatArray
    blocks: FloatArray
    ss: FloatArray
    control_ss: FloatArray
    cross: FloatArray
    control_cross: FloatArray

    def columns(self, keep: IntArray) -> Covariates:
        """Keep some covariates."""
        return Covariates(
            mean=self.mean[:, keep],
            half=self.half[:, :, keep],
            control_half=self.control_half[:, :, keep],
            by_row=self.by_row[:, :, keep],
            blocks=self.blocks[:, keep],
            ss=self.ss[:, keep][:, :, keep],
            control_ss=self.control_ss[:, keep][:, :, keep],
            cross=self.cross[:, keep],
            control_cross=self.control_cross[:, keep],
        )


@dataclass(frozen=True)
class Levels:
    """Cells of R rows by level of columns of ``obs``, and the control there; only levels with enough control cells.

    ``column`` (K,) numbers the columns, ``batch`` (K,) the batches: a level that occurs in several batches has an entry
    in each. ``counts`` (R, K) are the cells, ``mean`` and ``var`` (K, G) those of the control cells of a level, and
    ``n_control`` (K,) their number.
    """

    column: IntArray
    batch: IntArray
    counts: FloatArray
    n_control: FloatArray
    mean: FloatArray
    var: FloatArray

    @property
    def noise(self) -> FloatArray:
        """Sampling variance of the control means, summed over genes (K,)."""
        noise: FloatArray = self.var.sum(axis=1) / self.n_control
        return noise

    def of(self, column: int) -> Levels:
        """Return those of one column."""
        keep = self.column == column
        return Levels(
            column=self.column[keep],
            batch=self.batch[keep],
            counts=self.counts[:, keep],
            n_control=self.n_control[keep],
            mean=self.mean[keep],
            var=self.var[keep],
        )

    def genes(self, keep: BoolArray | IntArray | slice) -> Levels:
        """Keep some genes."""
        return replace(self, mean=self.mean[:, keep], var=self.var[:, keep])

    def merge(self, weight: csr_array) -> Levels:
        """Sum rows: ``weight`` is the indicator of the new rows (new rows, rows)."""
        return replace(self, counts=weight @ self.counts)


@dataclass(frozen=True)
class Quality:
    """Measures of the quality of cells (log depth, MT %) by row, and how the genes follow them in the control.

    ``names`` are the k measures; ``mean`` and ``var`` (R, k) are over the cells of each row, ``control_mean`` and
    ``control_var`` (S, k) over the control cells of each batch. ``slopes`` (2, k, G) are those of the genes within each
    control half; NaN where a measure does not vary there.
    """

    names: tuple[str, ...]
    mean: FloatArray
    var: FloatArray
    control_mean: FloatArray
    control_var: FloatArray
    slopes: FloatArray

    def slopes_on(self, name: str) -> FloatArray | None:
        """Return the slopes on one measure (2, G), or None where they are not known."""
        if name not in self.names:
            return None
        slopes: FloatArray = self.slopes[:, self.names.index(name)]
        return slopes if np.isfinite(slopes).all() else None

    def genes(self, keep: BoolArray | IntArray | slice) -> Quality:
        """Keep some genes."""
        return replace(self, slopes=self.slopes[:, :, keep])

    def scale(self, scale: FloatArray) -> Quality:
        """Divide the genes by a scale (G,)."""
        return replace(self, slopes=self.slopes / scale)

    def merge(self, weight: csr_array, n: FloatArray) -> Quality:
        """Pool rows of ``n`` cells: ``weight`` is the indicator of the new rows (new rows, rows)."""
        total = (weight @ n)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (weight @ (n[:, None] * np.nan_to_num(self.mean))) / total
            squares = np.maximum(n - 1, 0)[:, None] * np.nan_to_num(self.var)
            squares += n[:, None] * np.nan_to_num(self.mean - weight.T @ mean) ** 2
            return replace(self, mean=mean, var=(weight @ squares) / (total - 1))

"""Moments of a screen: what every fit and every question needs of the cells.

Rows are groups of cells (perturbation × split). Everything after the pass over the cells is arithmetic on these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Covariates:
    """Moments of the covariates, about each row's own mean and, with batches, about the batch's control mean.

    ``mean`` (R, k), ``half`` (2, R, k), ``blocks`` (K, k), ``ss`` (R, k, k) sums of squares, ``cross`` (R, k, G) sums
    of products with the genes.
    """

    mean: FloatArray
    half: FloatArray
    blocks: FloatArray
    ss: FloatArray
    cross: FloatArray


@dataclass(frozen=True)
class Moments:
    """Moments of R rows on G genes.

    ``n`` (R,) cells, ``mean`` (R, G), ``var`` (R, G) unbiased over cells (NaN under two cells), ``half`` (2, R, G)
    means of two disjoint halves (NaN where empty), ``n_half`` (2, R), ``blocks`` (K, G) means of the control blocks
    (the first K/2 are control half 1), ``n_blocks`` (K,), ``reference`` the row of the control, ``depth_slopes`` (2, G)
    those of the genes on log depth within each control half, None where no depth is known.
    """

    n: FloatArray
    mean: FloatArray
    var: FloatArray
    half: FloatArray
    n_half: FloatArray
    blocks: FloatArray
    n_blocks: FloatArray
    reference: int
    covariates: Covariates | None = None
    depth_slopes: FloatArray | None = None

    @property
    def control(self) -> FloatArray:
        """Mean of the control cells (G,)."""
        control: FloatArray = self.mean[self.reference]
        return control

    @property
    def pooled_var(self) -> FloatArray:
        """Pooled within-row variance (G,): Σ(n−1)s² / Σ(n−1)."""
        freedom = np.maximum(self.n - 1, 0)
        if freedom.sum() == 0:
            return np.full(self.mean.shape[1], np.nan)
        # Σ_r (n_r − 1) s²_r / Σ_r (n_r − 1) (G,)
        pooled: FloatArray = freedom @ np.where(freedom[:, None] > 0, self.var, 0.0) / freedom.sum()
        return pooled

    def genes(self, keep: BoolArray | IntArray) -> Moments:
        """Keep some genes."""
        covariates = self.covariates
        if covariates is not None:
            covariates = replace(covariates, cross=covariates.cross[:, :, keep])
        return replace(
            self,
            mean=self.mean[:, keep],
            var=self.var[:, keep],
            half=self.half[:, :, keep],
            blocks=self.blocks[:, keep],
            depth_slopes=None if self.depth_slopes is None else self.depth_slopes[:, keep],
            covariates=covariates,
        )

    def merge(self, codes: IntArray, n_rows: int) -> Moments:
        """Sum rows with the same code (the splits of one perturbation); the order is that of the codes."""
        if np.array_equal(codes, np.arange(n_rows)):
            return replace(self, covariates=None)
        weight = csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(n_rows, len(codes)))
        n, mean = _weighted(weight, self.n, self.mean)
        # Sums of squares within the merged rows, and between them (R, G)
        within = weight @ np.nan_to_num(self.var * np.maximum(self.n - 1, 0)[:, None])
        between = weight @ (self.n[:, None] * (self.mean - mean[codes]) ** 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            var = np.where(n[:, None] > 1, (within + between) / (n[:, None] - 1), np.nan)
        halves = [_weighted(weight, self.n_half[a], self.half[a]) for a in (0, 1)]
        return replace(
            self,
            n=n,
            mean=mean,
            var=var,
            half=np.stack([h[1] for h in halves]),
            n_half=np.stack([h[0] for h in halves]),
            reference=int(codes[self.reference]),
            covariates=None,
        )


def _weighted(weight: csr_array, n: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cells and mean of merged rows; a row without cells is NaN."""
    total = weight @ n
    with np.errstate(invalid="ignore", divide="ignore"):
        return total, (weight @ (n[:, None] * np.where(n[:, None] > 0, mean, 0.0))) / total[:, None]


@dataclass(frozen=True)
class Slopes:
    """A linear fit of genes on covariates: ``slopes`` (k, G), ``center`` (k,) and the genes' means ``middle`` (G,)."""

    slopes: FloatArray
    center: FloatArray
    middle: FloatArray


def regress_out(moments: Moments, *, rows: BoolArray, add_intercept: bool = True) -> tuple[Moments, Slopes]:
    """Take the linear part of the covariates out of every moment, as if it had been taken out of every cell.

    Slopes are those of a least-squares fit, intercept included, on the cells of ``rows`` (with batches: within
    batches). The covariates are centered at the mean of those cells.

    Returns
    -------
    The moments of the residuals (with the intercept if asked for), and the fit.
    """
    covariates = moments.covariates
    if covariates is None:
        msg = "These moments hold no covariates."
        raise ValueError(msg)
    n, c, x = moments.n[rows], covariates.mean[rows], moments.mean[rows]
    # Means of the covariates (k,) and genes (G,) over the cells of the rows
    center, middle = n @ c / n.sum(), n @ x / n.sum()
    away = c - center
    # Squares of the covariates: within rows, plus between rows Σ_r n_r a_r a_rᵀ (k, k)
    ss = covariates.ss[rows].sum(axis=0) + np.einsum("r,ri,rj->ij", n, away, away)
    # Products with the genes: within rows, plus between rows Σ_r n_r a_r (x_r − x̄)ᵀ (k, G)
    cross = covariates.cross[rows].sum(axis=0) + np.einsum("r,ri,rg->ig", n, away, x - middle)
    slopes = _solve(ss, cross)
    shift = 0.0 if add_intercept else middle
    freedom = np.maximum(moments.n - 1, 1)[:, None]
    # 2 b_g · c_rg, products of a row's covariates with each gene, times the slopes (R, G)
    explained = 2 * np.einsum("ig,rig->rg", slopes, covariates.cross)
    # Less b_gᵀ S_r b_g, the squares of the fitted values within the row (R, G)
    explained -= np.einsum("ig,rij,jg->rg", slopes, covariates.ss, slopes)
    residual = replace(
        moments,
        mean=moments.mean - (covariates.mean - center) @ slopes - shift,
        var=np.maximum(moments.var - explained / freedom, 0.0),
        half=moments.half - (covariates.half - center) @ slopes - shift,
        blocks=moments.blocks - (covariates.blocks - center) @ slopes - shift,
        covariates=None,
        depth_slopes=None,
    )
    return residual, Slopes(slopes, center, middle)


def _solve(ss: FloatArray, cross: FloatArray) -> FloatArray:
    """Solve the normal equations; covariates that say the same share the slope, a constant one gets none."""
    size = np.sqrt(ss.diagonal())
    size = np.where(size > 0, size, 1.0)
    correlation = ss / np.outer(size, size)
    # C⁺ (Xᵀy), C the correlations of the covariates (k, G)
    slopes: FloatArray = np.linalg.pinv(correlation, rcond=1e-10, hermitian=True) @ (cross / size[:, None])
    return slopes / size[:, None]


def standardize(moments: Moments, *, center: FloatArray, scale: FloatArray) -> Moments:
    """Apply (x − center) / scale to every moment, gene by gene."""
    return replace(
        moments,
        mean=(moments.mean - center) / scale,
        var=moments.var / scale**2,
        half=(moments.half - center) / scale,
        blocks=(moments.blocks - center) / scale,
        covariates=None,
        depth_slopes=None if moments.depth_slopes is None else moments.depth_slopes / scale,
    )


def total_mean_var(moments: Moments, rows: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Mean and population variance (divided by n) over all cells of some rows."""
    n, x = moments.n[rows], moments.mean[rows]
    middle = n @ x / n.sum()
    within = np.maximum(n - 1, 0) @ np.nan_to_num(moments.var[rows])
    return middle, (within + n @ (x - middle) ** 2) / n.sum()

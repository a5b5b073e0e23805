"""Regress covariates out of moments, with the same result as for every cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.cell_columns import Covariates
from scpertbias._core.moments import Moments, control_by_batch, shares, within_batches
from scpertbias._core.row_moments import group_means, sum_by
from scpertbias._core.z_scores import value_sums


@dataclass(frozen=True)
class Slopes:
    """A linear fit of genes on covariates: ``slopes`` (k, G), ``center`` (k,) and what goes besides, ``shift`` (G,)."""

    slopes: FloatArray
    center: FloatArray
    shift: FloatArray


def regress_out(
    moments: Moments, *, rows: BoolArray, add_intercept: bool = True, between: bool = False
) -> tuple[Moments, Slopes]:
    """Regress covariates out of all moments, with the same result as for every cell.

    Slopes are those of a least-squares fit on the cells of ``rows``, about the mean of each row and batch. The covariates
    are centered at the mean of those cells. With ``between`` what lies between the rows counts too, as in a fit with one
    intercept for all cells.

    Returns
    -------
    The moments of the residuals (optionally with the intercept), and the fit.
    """
    covariates = moments.covariates
    if covariates is None:
        msg = "These moments have no covariates."
        raise ValueError(msg)
    n, c, x = moments.n[rows], covariates.mean[rows], moments.mean[rows]
    middle_of_covariates, middle = n @ c / n.sum(), n @ x / n.sum()
    slopes = solve(*covariate_products(moments, covariates, rows, between=between))
    shift = np.zeros_like(middle) if add_intercept else middle

    def rest(values: FloatArray, of_covariates: FloatArray) -> FloatArray:
        left: FloatArray = values - (of_covariates - middle_of_covariates) @ slopes - shift
        return left

    control_half = rest(moments.control_half, covariates.control_half)
    n_control = moments.counts[:, moments.reference]
    of_control = _left_variance(
        moments.control_var, slopes, covariates.control_cross, covariates.control_ss, moments.n_control
    )
    raw_var = _left_variance(moments.raw_var, slopes, covariates.cross, covariates.ss, moments.n)
    residual = replace(
        moments,
        mean=rest(moments.mean, covariates.mean),
        var=within_batches(
            raw_var,
            moments.counts.sum(axis=0),
            control_by_batch(control_half, n_control),
            of_control,
            moments.n_control,
        ),
        half=rest(moments.half, covariates.half),
        control_half=control_half,
        control_var=of_control,
        blocks=moments.blocks - covariates.blocks @ slopes,
        covariates=None,
        levels=None,  # the covariates of levels are not kept
        quality=None,
        value_sums=value_sums(moments),
        guide_half=None,  # the covariates of guide halves are not kept
        n_guide_half=None,
    )
    return residual, Slopes(slopes, middle_of_covariates, shift)


def covariate_products(
    moments: Moments, covariates: Covariates, rows: BoolArray, *, between: bool
) -> tuple[FloatArray, FloatArray]:
    """Sums of squares (k, k) and of products with the genes (k, G), about the mean of each row and batch.

    With ``between`` those of the rows about their common mean are added.
    """
    ss, cross = covariates.ss[rows].sum(axis=0), covariates.cross[rows].sum(axis=0)
    counts = moments.counts.sum(axis=0)[rows]
    # Mean of the covariates of each row: Σ_b w_rb z̄_rb (R, k)
    raw = np.einsum("rs,rsk->rk", shares(counts), covariates.by_row[rows])
    away = covariates.by_row[rows] - raw[:, None]
    # What lies between the batches of a row goes: of the genes it is that of the control.
    # Squares of the covariates between the batches of the rows: Σ n_rb a_rb a_rbᵀ (k, k)
    ss = ss - np.einsum("rs,rsi,rsj->ij", counts, away, away)
    # Their products with the control means of these batches: Σ n_rb a_rb c_bᵀ (k, G)
    cross = cross - np.einsum("rs,rsi->si", counts, away).T @ moments.control_batch
    if between:
        n, c, x = moments.n[rows], covariates.mean[rows], moments.mean[rows]
        apart = c - n @ c / n.sum()
        # Squares between rows: Σ n_r a_r a_rᵀ (k, k)
        ss = ss + np.einsum("r,ri,rj->ij", n, apart, apart)
        # Products between rows: Σ n_r a_r (x̄_r − x̄)ᵀ (k, G)
        cross = cross + np.einsum("r,ri,rg->ig", n, apart, x - n @ x / n.sum())
    return ss, cross


@dataclass(frozen=True)
class CellWeights:
    """How the cells of a fit count: Σ weight·x over ``cells`` (None: all) are the products of the covariates with the genes.

    ``products`` (cells, k) are the weights for these; ``mean`` (cells,) those for the genes' means about which the fit is;
    ``ss`` (k, k) are the products of the covariates, and ``center`` (k,) their means.
    """

    cells: IntArray | None
    products: FloatArray
    mean: FloatArray
    ss: FloatArray
    center: FloatArray


def equal_weights(covariates: FloatArray) -> CellWeights:
    """Weigh cells for a fit on all of them, with one intercept."""
    n, center = len(covariates), covariates.mean(axis=0)
    away = covariates - center
    return CellWeights(None, away, np.full(n, 1 / n), away.T @ away, center)


def cell_weights(
    covariates: FloatArray, row: IntArray, batch: IntArray, fit: BoolArray, *, between: bool
) -> CellWeights:
    """Weigh cells such that their sums are those of :func:`covariate_products`, without moments.

    Parameters
    ----------
    covariates
        Cells × covariates.
    row, batch
        Row and batch of each cell; row 0 is the control, −1 none.
    fit
        Cells on which the slopes are fitted.
    between
        Whether what lies between the rows counts too.
    """
    cells = np.flatnonzero((row == 0) | (fit & (row >= 0)))
    z, row, batch, fit = covariates[cells], row[cells], batch[cells], fit[cells]
    n_rows, n_batches = int(row.max()) + 1, int(batch.max()) + 1
    control = row == 0
    of_control = group_means(z, np.where(control, batch, -1), n_batches)
    # As the genes, less the control of their batch and plus all of it
    centered = z - of_control[batch] + z[control].mean(axis=0)
    center = centered[fit].mean(axis=0)
    apart = group_means(centered, row, n_rows)[row] - center if between else np.zeros_like(z)
    away = z - group_means(z, row * n_batches + batch, n_rows * n_batches)[row * n_batches + batch]
    ss = away[fit].T @ away[fit] + apart[fit].T @ apart[fit]

    def less_control(weights: FloatArray) -> FloatArray:
        # What lies between the batches goes: of the genes it is that of the control.
        of_batch = sum_by(weights, batch, n_batches) / np.bincount(batch[control], minlength=n_batches)[:, None]
        return weights - np.where(control[:, None], of_batch[batch], 0.0)

    weights = np.where(fit[:, None], z - group_means(z, row, n_rows)[row] + apart, 0.0)
    mean = less_control((fit / fit.sum())[:, None])[:, 0] + control / control.sum()
    return CellWeights(cells, less_control(weights), mean, ss, center)


def _left_variance(var: FloatArray, slopes: FloatArray, cross: FloatArray, ss: FloatArray, n: FloatArray) -> FloatArray:
    """Variance that the linear part of the covariates leaves: s² − (2 β·Σzx − β·Σzz·β) / (n − 1), not below 0."""
    # 2 b_g · c_rg, products of a row's covariates with each gene, times the slopes (R, G)
    explained = 2 * np.einsum("ig,rig->rg", slopes, cross)
    # Less b_gᵀ S_r b_g, the squares of the fitted values within the row (R, G)
    explained -= np.einsum("ig,rij,jg->rg", slopes, ss, slopes)
    left: FloatArray = np.maximum(var - explained / np.maximum(n - 1, 1)[:, None], 0.0)
    return left


def solve(ss: FloatArray, cross: FloatArray) -> FloatArray:
    """Solve the normal equations; equal covariates share the slope, and constant covariates have slope 0."""
    size = np.sqrt(ss.diagonal())
    size = np.where(size > 0, size, 1.0)
    correlation = ss / np.outer(size, size)
    # C⁺ (Xᵀy), C the correlations of the covariates (k, G)
    slopes: FloatArray = np.linalg.pinv(correlation, rcond=1e-10, hermitian=True) @ (cross / size[:, None])
    return slopes / size[:, None]

"""Regression of covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from anndata import AnnData

from .. import _genes, _moments, _store, _validate
from .._core.arrays import BoolArray, FloatArray
from .._core.covariates import Slopes, cell_weights, covariate_products, equal_weights, regress_out, solve
from .._core.moments import Moments
from .._core.residuals import products, residuals
from .._docs import docs
from .._labels import LabelMap
from .._log import added, warn
from .._moments.profiles import write_layer
from .._moments.values import values_of

FIT_ON = ("control", "train", "all")
CONSTANT = 1e-8
"""A standard deviation below this share of the mean is due to rounding."""
REPEATED = 1e-10
"""A covariate with less residual variance than this share is a linear combination of other covariates."""


@docs.dedent
def regress_mt_ribo(
    adata: AnnData,
    *,
    covariates: Sequence[str] = ("pct_counts_mt", "pct_counts_ribo"),
    fit_on: str = "control",
    add_intercept: bool = True,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    key_added: str = "regressed",
    copy: bool = False,
) -> AnnData | None:
    """Regress out the mitochondrial and ribosomal fractions (or other covariates), gene by gene.

    By default, slopes are fitted on control cells. A fit on all cells would also remove the effects of the
    perturbations on these fractions. ``fit_on="all"`` is equivalent to ``sc.pp.regress_out``, up to the intercept.

    Parameters
    ----------
    %(adata)s Profiles must be made with ``covariates=``.
    covariates
        Numeric columns of ``obs``, which are regressed out jointly. A column is left out, with a warning, if it is
        constant in the cells of the fit, or is a linear combination of the other columns.
    fit_on
        Cells for fitting the slopes. ``"control"``: the control cells. ``"train"``: the training cells including the
        control. Slopes are then fitted within perturbations and batches, so that effects of perturbations are not
        attributed to a covariate. ``"all"``: all cells with one intercept, like :func:`scanpy.pp.regress_out`. If
        ``batch_key`` is not passed, ``"all"`` includes cells without a label.
    add_intercept
        Whether to keep the mean of each gene, so that values stay on the log-normalized scale.
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['regressed' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32`` on cells)
        Residuals, cells × genes. For profiles, their halves, variances and control blocks are also stored.

    Raises
    ------
    KeyError
        If a covariate is missing. For ``pct_counts_*``, the message contains the scanpy call that adds this column.
    TypeError
        If a covariate is not numeric.
    ValueError
        If no covariate varies, or if a covariate has missing values or is not in the profiles.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.regress_mt_ribo(adata, covariates=["p_mito"], batch_key="bio_rep")
    >>> adata.layers["regressed"].shape
    (20729, 303)
    """
    _validate.cells_or_profiles(adata)
    _validate.choice(fit_on, FIT_ON, argument="fit_on")
    _genes.refuse_others(adata)
    requested = _as_names(covariates)
    record = {"kind": "regressed", "covariates": requested, "fit_on": fit_on, "add_intercept": add_intercept}
    data: dict[str, Any] = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "batch_key": batch_key,
        "min_cells": min_cells,
        "layer": layer,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    _store.check_key(adata, key_added)
    if _store.profiles_record(adata) is not None:
        screen = _moments.of(adata, **data)
        residual, _ = regress_profiles(screen, requested, fit_on=fit_on, add_intercept=add_intercept)
        adata = adata.copy() if copy else adata
        write_layer(adata, key_added, residual, record)
    else:
        _validate.memory(adata)
        fit = fit_cells(adata, requested, fit_on, data, add_intercept=add_intercept)
        values = _residuals(adata, fit, layer)
        adata = adata.copy() if copy else adata
        _store.put_layer(adata, key_added, values, record)
    added(f"{key_added!r}, {adata.n_obs} × {adata.n_vars} (adata.layers)")
    return adata if copy else None


@dataclass(frozen=True)
class Fit:
    """The slopes of the covariates that were not left out."""

    covariates: list[str]
    slopes: Slopes


def regress_profiles(
    screen: _moments.Screen, covariates: Sequence[str] | None, *, fit_on: str, add_intercept: bool = True
) -> tuple[Moments, Fit]:
    """Regress covariates (None: all) out of the moments of a screen."""
    available = [str(c) for c in screen.record.get("covariates", [])] if screen.moments.covariates is not None else []
    requested = available if covariates is None else _as_names(covariates)
    missing = [c for c in requested if c not in available]
    if missing or not requested:
        msg = (
            f"`covariates`: these profiles have the covariates {available}{f', but not {missing}' if missing else ''}. "
            f"Pass covariates={missing or ['...']} to spb.pp.profiles."
        )
        raise ValueError(msg)
    return _regress_moments(
        screen.moments,
        available,
        requested,
        _fit_rows(screen, fit_on),
        add_intercept=add_intercept,
        between=fit_on == "all",
    )


def varying(screen: _moments.Screen, fit_on: str) -> list[int]:
    """Return the covariates of profiles that can be regressed out."""
    c, rows = screen.moments.covariates, _fit_rows(screen, fit_on)
    return [] if c is None else _independent_in(screen.moments, range(c.mean.shape[1]), rows, between=fit_on == "all")


def _fit_rows(rows: _moments.Screen | _moments.Selection, fit_on: str) -> BoolArray:
    if fit_on == "control":
        return rows.perturbation == 0
    return (rows.split == "train") & rows.used if fit_on == "train" else np.ones(len(rows.split), dtype=bool)


def _regress_moments(
    moments: Moments,
    available: list[str],
    requested: list[str],
    rows: BoolArray,
    *,
    add_intercept: bool = True,
    between: bool,
) -> tuple[Moments, Fit]:
    """Regress out the given covariates, except those that are constant or a combination of others in the rows."""
    if moments.covariates is None:
        msg = "These moments have no covariates."
        raise ValueError(msg)
    chosen = _independent_in(moments, [available.index(c) for c in requested], rows, between=between)
    names = _names(chosen, available, requested)
    residual, slopes = regress_out(_select(moments, chosen), rows=rows, add_intercept=add_intercept, between=between)
    return residual, Fit(names, slopes)


def _names(chosen: Sequence[int], available: Sequence[str], requested: Sequence[str]) -> list[str]:
    """Return the names of the covariates that are regressed out; say which of those requested are not."""
    if not chosen:
        msg = f"`covariates`: none of {requested} varies between the cells used for fitting. Pass other columns."
        raise ValueError(msg)
    names = [available[j] for j in chosen]
    if len(names) < len(requested):
        warn(
            f"Covariates that are constant or redundant in the cells used for fitting were left out: "
            f"{[c for c in requested if c not in names]}."
        )
    return names


def _independent_in(moments: Moments, candidates: Sequence[int], rows: BoolArray, *, between: bool) -> list[int]:
    """Return the covariates that vary over the cells of some rows, and independently of those before."""
    c, n = moments.covariates, moments.n[rows]
    if c is None:
        return []
    ss, _ = covariate_products(moments, c, rows, between=between)
    return _independent(ss, n @ c.mean[rows] / n.sum(), n.sum(), candidates)


def _independent(ss: FloatArray, center: FloatArray, n: float, candidates: Sequence[int]) -> list[int]:
    """Return the covariates that vary about their means, and independently of those before, by their products (k, k)."""
    chosen: list[int] = []
    for j in candidates:
        if ss[j, j] <= n * (CONSTANT * center[j]) ** 2:
            continue
        size = np.sqrt(ss.diagonal()[chosen])
        shared = ss[j, chosen] / size / np.sqrt(ss[j, j])
        explained = shared @ np.linalg.solve(ss[np.ix_(chosen, chosen)] / np.outer(size, size), shared)
        if explained < 1 - REPEATED:
            chosen.append(j)
    return chosen


def _select(moments: Moments, chosen: Sequence[int]) -> Moments:
    """Keep some covariates."""
    c = moments.covariates
    if c is None or list(chosen) == list(range(c.mean.shape[1])):
        return moments
    return replace(moments, covariates=c.columns(np.asarray(chosen)))


def _as_names(covariates: str | Sequence[str]) -> list[str]:
    return [covariates] if isinstance(covariates, str) else list(dict.fromkeys(str(c) for c in covariates))


def fit_cells(
    adata: AnnData, covariates: list[str], fit_on: str, data: dict[str, Any], *, add_intercept: bool = True
) -> Fit:
    """Fit the slopes on cells, with the same result as on their moments; only the cells of the fit are read."""
    if not covariates:
        msg = "`covariates` is empty; name at least one numeric column of obs."
        raise ValueError(msg)
    z = _validate.numeric_columns(adata, covariates, argument="covariates")
    x, check = values_of(adata, data["layer"], normalize=False)
    if fit_on == "all" and data["batch_key"] is None:  # no labels are needed
        n_fit, weights = len(z), equal_weights(z)
    else:
        selection = _moments.select(adata, data)
        _moments.warn_batches(adata, data, selection.labels.codes)
        fit = (selection.row >= 0) & _fit_rows(selection, fit_on)[selection.row]
        n_fit = int(fit.sum())
        weights = cell_weights(z, selection.row, selection.batch, fit, between=fit_on == "all")
    check.add(x)
    check.finish()
    chosen = _independent(weights.ss, weights.center, n_fit, range(len(covariates)))
    names = _names(chosen, covariates, covariates)
    columns = (
        weights.products[:, chosen] if add_intercept else np.column_stack([weights.products[:, chosen], weights.mean])
    )
    sums = products(x, columns, weights.cells)
    shift = np.zeros(adata.n_vars) if add_intercept else sums[-1]
    slopes = solve(weights.ss[np.ix_(chosen, chosen)], sums[: len(chosen)])
    return Fit(names, Slopes(slopes, weights.center[chosen], shift))


def _residuals(adata: AnnData, fit: Fit, layer: str | None) -> npt.NDArray[np.float32]:
    z = _validate.numeric_columns(adata, fit.covariates, argument="covariates") - fit.slopes.center
    slopes, shift = fit.slopes.slopes, fit.slopes.shift
    if shift.any():
        z, slopes = np.column_stack([z, np.ones(len(z))]), np.vstack([slopes, shift])
    return residuals(_store.matrix(adata, layer), z, slopes)

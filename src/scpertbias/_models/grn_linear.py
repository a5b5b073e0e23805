"""Ridge with coefficients that are smooth over a gene network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .._core.linear import Linear
from .._core.solvers import grn
from .._docs import docs
from .._labels import LabelMap
from ._base import Problem, Solution, model
from ._fit import fit
from ._smoothing import check_words, same_for_unseen, smoothers


def check(*, axis: str, alpha: float, gamma: float | Sequence[float], laplacian: str) -> None:
    """Refuse parameters that are unknown or out of range."""
    check_words(axis, laplacian)
    gammas = np.atleast_1d(np.asarray(gamma, dtype=np.float64))
    if gammas.ndim != 1 or not len(gammas) or not (gammas >= 0).all() or not alpha >= 0:
        msg = f"`alpha` is {alpha} and `gamma` is {gamma}; both must be 0 or more (gamma can be a sequence)."
        raise ValueError(msg)


def fits_genes_separately(*, axis: str, gamma: float, **_: Any) -> bool:
    """Whether there is no smoothing over output genes."""
    return axis == "perturbations" or gamma == 0


def solve(problem: Problem, *, axis: str, alpha: float, gamma: float | Sequence[float], laplacian: str) -> Solution:
    """Solve exactly; from several values of gamma, select the one with the smallest validation error."""
    smooth = smoothers(problem, axis, laplacian)

    def solution_at(strength: float) -> Linear:
        return grn(problem.means, problem.n, alpha=alpha, gamma=strength, rows=problem.rows, **smooth)

    chosen = {}
    strengths = np.asarray(gamma, dtype=np.float64)
    if strengths.ndim == 0:
        best = solution_at(float(strengths))
    else:
        scaled = (strengths * np.median(problem.n[problem.perturbed])).tolist()
        best, chosen["gamma"] = _validated(problem, {g: solution_at(g) for g in scaled})
    has_coef = problem.trained[problem.rows] | (axis != "genes")
    coef = np.where(has_coef[:, None], best.coef, np.nan)
    constant, note = same_for_unseen(problem, axis, best.coef)
    return Solution(best.fitted, coef, note, chosen, constant)


def _validated(problem: Problem, fits: dict[float, Linear]) -> tuple[Linear, float]:
    """Return the fit with the smallest mean squared error on the validation perturbations."""
    rows = problem.val_n > 0
    if not rows.any():
        msg = "`gamma` is a sequence, but no perturbation is in the validation split. Call spb.pp.split, or pass one value."
        raise ValueError(msg)
    error = {g: float(((f.fitted[rows] - problem.val_means[rows]) ** 2).mean()) for g, f in fits.items()}
    best = min(error, key=lambda g: (error[g], g))
    return fits[best], best


@model(
    "grn_linear",
    unseen={"genes": "one constant", "perturbations": "from its neighbors in the net"},
    needs=("net",),
    attribution="|W[:, p]|",
    citation="Kavirayuni & Venturelli 2025",
    solve=solve,
    check=check,
    fits_genes_separately=fits_genes_separately,
)
@docs.dedent
def fit_grn_linear(
    adata: AnnData,
    net: pd.DataFrame | None = None,
    *,
    axis: str = "genes",
    alpha: float = 0.1,
    gamma: float | Sequence[float] = 1.0,
    laplacian: str = "normalized",
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    key_added: str = "grn_linear",
    copy: bool = False,
) -> AnnData | None:
    """Fit ridge regression with coefficients that are smooth over a gene network (Laplacian penalty).

    Parameters
    ----------
    %(adata)s
    net
        Gene network: a table with ``source``, ``target`` and optional ``weight``. By default
        the result of :func:`scpertbias.pp.coexpression_net` on the control cells. For profiles, ``net`` is required.
    axis
        Smoothing over ``"genes"`` (the output genes, as in the paper), ``"perturbations"`` (the perturbed genes), or
        ``"both"``. With ``"genes"``, all unseen perturbations get the same prediction.
    alpha
        Ridge penalty.
    gamma
        Strength of the smoothing. If ``gamma`` is a sequence, its values are multiplied by the median number of cells
        per training perturbation. The value with the smallest error on the validation split is then selected.
    laplacian
        ``"normalized"`` (I − D⁻¹ᐟ²AD⁻¹ᐟ²) or ``"unnormalized"`` (D − A), with adjacency matrix A and degree matrix D.
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['grn_linear' | key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation, or NaN if there is none.
    ``adata.varm['grn_linear' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Attribution, genes × perturbations: the absolute coefficients ``|W[:, p]|`` of each perturbation ``p``; NaN for
        perturbations without coefficients.
    ``adata.uns['scpertbias']['models']['grn_linear' | key_added]`` : :class:`dict`
        Parameters and training data.

    Raises
    ------
    ValueError
        If no edge of the net joins two measured or perturbed genes, or ``gamma`` is a sequence and the validation split
        is empty.

    References
    ----------
    Kavirayuni & Venturelli 2025, methods 2.3.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> net = spb.pp.coexpression_net(adata, threshold=0.1)
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_grn_linear(profiles, net)
    >>> spb.get.predictions(profiles, "grn_linear").shape
    (26, 303)
    """
    data = {
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
    params = {"axis": axis, "alpha": alpha, "gamma": gamma, "laplacian": laplacian}
    return fit(adata, "grn_linear", params=params, data=data, key_added=key_added, copy=copy, net=net)

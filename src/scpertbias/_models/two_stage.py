"""Low-rank approximation, then GRN-Linear on the residual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .._core.solvers import two_stage
from .._docs import docs
from .._labels import LabelMap
from ._base import Problem, Solution, model
from ._fit import fit
from ._smoothing import check_words, same_for_unseen, smoothers


def check(*, n_components: int, axis: str, alpha: float, gamma: float, laplacian: str) -> None:
    """Refuse parameters that are unknown or out of range."""
    check_words(axis, laplacian)
    if n_components < 1:
        msg = f"`n_components` is {n_components}; it must be at least 1."
        raise ValueError(msg)
    if np.ndim(gamma) or not gamma >= 0 or not alpha >= 0:
        msg = f"`alpha` is {alpha} and `gamma` is {gamma}; each must be one number, 0 or more."
        raise ValueError(msg)


def solve(problem: Problem, *, n_components: int, axis: str, alpha: float, gamma: float, laplacian: str) -> Solution:
    """Solve both stages from the means; the rank is limited by the training means."""
    rank = min(n_components, int(problem.trained.sum()) - 1, len(problem.control))
    smooth = smoothers(problem, axis, laplacian)
    solution = two_stage(
        problem.means,
        problem.n,
        n_components=rank,
        alpha=alpha,
        gamma=gamma,
        rows=problem.rows,
        first=problem.low_rank(rank) if rank else None,
        **smooth,
    )
    has_coef = problem.trained[problem.rows] | (axis != "genes")
    coef = np.where(has_coef[:, None], solution.coef, np.nan)
    chosen = {"n_components": rank} if rank != n_components else {}
    constant, note = same_for_unseen(problem, axis, solution.coef)
    return Solution(solution.fitted, coef, note, chosen, constant)


@model(
    "two_stage",
    unseen={"genes": "one constant", "perturbations": "from its neighbors in the net"},
    needs=("net",),
    attribution="|(UV + W)[:, p]|",
    citation="Kavirayuni & Venturelli 2025",
    solve=solve,
    check=check,
)
@docs.dedent
def fit_two_stage(
    adata: AnnData,
    net: pd.DataFrame | None = None,
    *,
    n_components: int = 10,
    axis: str = "genes",
    alpha: float = 0.1,
    gamma: float = 1.0,
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
    key_added: str = "two_stage",
    copy: bool = False,
) -> AnnData | None:
    """Fit a low-rank approximation of the training means, then GRN-Linear on the residual, and add both.

    Parameters
    ----------
    %(adata)s
    net
        Gene network: a table with ``source``, ``target`` and optional ``weight``. By default
        the result of :func:`scpertbias.pp.coexpression_net` on the control cells. For profiles, ``net`` is required.
    n_components
        Rank of the first stage (at most the number of training perturbations).
    axis
        Smoothing over ``"genes"`` (the output genes, as in the paper), ``"perturbations"`` (the perturbed genes), or
        ``"both"``. With ``"genes"``, all unseen perturbations get the same prediction.
    alpha
        Ridge penalty.
    gamma
        Strength of the smoothing.
    laplacian
        ``"normalized"`` (I − D⁻¹ᐟ²AD⁻¹ᐟ²) or ``"unnormalized"`` (D − A), with adjacency matrix A and degree matrix D.
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['two_stage' | key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation, or NaN if there is none.
    ``adata.varm['two_stage' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Attribution, genes × perturbations: the absolute coefficients ``|(UV + W)[:, p]|`` of each perturbation ``p``,
        where UV is the low-rank approximation and W are the coefficients of the second stage. NaN for perturbations
        without coefficients.
    ``adata.uns['scpertbias']['models']['two_stage' | key_added]`` : :class:`dict`
        Parameters and training data.

    Raises
    ------
    ValueError
        If no edge of the net joins two measured or perturbed genes.

    References
    ----------
    Kavirayuni & Venturelli 2025, methods 2.3.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> net = spb.pp.coexpression_net(adata, threshold=0.1)
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_two_stage(profiles, net)
    >>> spb.get.predictions(profiles, "two_stage").shape
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
    params = {"n_components": n_components, "axis": axis, "alpha": alpha, "gamma": gamma, "laplacian": laplacian}
    return fit(adata, "two_stage", params=params, data=data, key_added=key_added, copy=copy, net=net)

"""Ridge regression on the perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from anndata import AnnData

from .. import _validate
from .._core.solvers import ridge
from .._docs import docs
from .._labels import LabelMap
from ._base import CONSTANT, Problem, Solution, always, model
from ._fit import fit

Coding = Literal["one_hot", "reference"]
Weights = Literal["cells", "perturbations"]


def check(*, alpha: float, coding: str, weights: str) -> None:
    """Refuse parameters that are unknown or out of range."""
    _validate.choice(coding, ("one_hot", "reference"), argument="coding")
    _validate.choice(weights, ("cells", "perturbations"), argument="weights")
    if not alpha >= 0:
        msg = f"`alpha` is {alpha}; it must be 0 or more."
        raise ValueError(msg)


def solve(problem: Problem, *, alpha: float, coding: Coding, weights: Weights) -> Solution:
    """Solve from the means: every perturbation is shrunk toward the intercept."""
    solution = ridge(problem.means, problem.n, 0, alpha=alpha, coding=coding, weights=weights, rows=problem.rows)
    coef = np.where(problem.trained[problem.rows, None], solution.coef, np.nan)
    return Solution(solution.fitted, coef, note=CONSTANT, constant=True)


@model(
    "ridge",
    unseen="a constant prediction, which is close to the mean of the training perturbations (with coding one_hot) or "
    "close to the control (with coding reference)",
    attribution="|W[:, p]|",
    citation="Kavirayuni & Venturelli 2025",
    solve=solve,
    check=check,
    fits_genes_separately=always,
)
@docs.dedent
def fit_ridge(
    adata: AnnData,
    *,
    alpha: float = 0.1,
    coding: Coding = "one_hot",
    weights: Weights = "cells",
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    key_added: str = "ridge",
    copy: bool = False,
) -> AnnData | None:
    """Fit ridge regression of expression on the perturbation.

    The solution is computed from the mean and the number of cells of each perturbation. It is the same as that of a fit
    on all cells. The prediction for unseen perturbations is constant.

    Parameters
    ----------
    %(adata)s
    alpha
        Ridge penalty.
    coding
        ``"one_hot"``: the control and each training perturbation have a column, as in the paper. The prediction for
        unseen perturbations is then close to the unweighted mean of the control and the training perturbations.
        ``"reference"``: the control has no column. The prediction for unseen perturbations is then close to the control
        mean.
    weights
        ``"cells"``: each cell has the same weight. ``"perturbations"``: each perturbation has the same weight.
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['ridge' | key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation, or NaN if there is none.
    ``adata.varm['ridge' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Attribution, genes × perturbations: the absolute coefficients ``|W[:, p]|`` of each perturbation ``p``; NaN for
        perturbations without coefficients.
    ``adata.uns['scpertbias']['models']['ridge' | key_added]`` : :class:`dict`
        Parameters and training data.

    Raises
    ------
    ValueError
        If values are on the wrong scale, no control is recognized, or no perturbation has training cells.

    References
    ----------
    Kavirayuni & Venturelli 2025, methods 2.3.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.get.predictions(profiles, "ridge").shape
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
    params = {"alpha": alpha, "coding": coding, "weights": weights}
    return fit(adata, "ridge", params=params, data=data, key_added=key_added, copy=copy)

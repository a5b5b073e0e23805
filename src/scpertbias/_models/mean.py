"""The mean of the training perturbations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anndata import AnnData

from .._docs import docs
from .._labels import LabelMap
from ._base import CONSTANT, Problem, Solution, always, model
from ._fit import fit


def solve(problem: Problem) -> Solution:
    """Predict the unweighted mean of the means of the training perturbations, without the control."""
    predictions = np.tile(problem.means[problem.perturbed].mean(axis=0), (len(problem.row_codes), 1))
    predictions[problem.row_codes == 0] = problem.control
    return Solution(predictions, note=CONSTANT, constant=True)


@model(
    "mean",
    unseen="the mean of the training perturbations",
    citation="Ahlmann-Eltze et al. 2025",
    solve=solve,
    fits_genes_separately=always,
)
@docs.dedent
def fit_mean(
    adata: AnnData,
    *,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    key_added: str = "mean",
    copy: bool = False,
) -> AnnData | None:
    """Fit the mean baseline: predict the mean of the training perturbations for every perturbation.

    The mean is unweighted and excludes the control.

    Parameters
    ----------
    %(adata)s
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['mean' | key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation, or NaN if there is none.
    ``adata.uns['scpertbias']['models']['mean' | key_added]`` : :class:`dict`
        Parameters and training data.

    Raises
    ------
    ValueError
        If values are on the wrong scale, no control is recognized, or no perturbation has training cells.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders, Nature Methods 2025.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.get.predictions(profiles, "mean").shape
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
    return fit(adata, "mean", params={}, data=data, key_added=key_added, copy=copy)

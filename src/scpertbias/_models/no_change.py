"""The no-change baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anndata import AnnData

from .._docs import docs
from .._labels import LabelMap
from ._base import CONSTANT, Problem, Solution, always, model
from ._fit import fit


def solve(problem: Problem) -> Solution:
    """Predict the control mean for every perturbation."""
    return Solution(np.tile(problem.control, (len(problem.row_codes), 1)), note=CONSTANT, constant=True)


@model(
    "no_change",
    unseen="the control mean",
    citation="Ahlmann-Eltze et al. 2025",
    solve=solve,
    fits_genes_separately=always,
)
@docs.dedent
def fit_no_change(
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
    key_added: str = "no_change",
    copy: bool = False,
) -> AnnData | None:
    """Fit the no-change baseline: predict the mean of the control cells for every perturbation.

    Parameters
    ----------
    %(adata)s
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['no_change' | key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation.
    ``adata.uns['scpertbias']['models']['no_change' | key_added]`` : :class:`dict`
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
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.get.predictions(profiles, "no_change").shape
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
    return fit(adata, "no_change", params={}, data=data, key_added=key_added, copy=copy)

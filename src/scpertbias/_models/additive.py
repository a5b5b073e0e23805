"""The additive baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anndata import AnnData

from .._docs import docs
from .._labels import LabelMap
from ._base import Problem, Solution, always, model
from ._fit import fit


def solve(problem: Problem) -> Solution:
    """Predict control plus the sum of the single effects of a combination; NaN if a target has no single effect in training."""
    effect = {
        targets[0]: problem.means[p] - problem.control
        for p, targets in enumerate(problem.targets)
        if len(targets) == 1 and problem.trained[p]
    }
    predictions = np.full((len(problem.row_codes), len(problem.control)), np.nan)
    for row, p in enumerate(problem.row_codes.tolist()):
        targets = problem.targets[p]
        if p == 0 or (targets and all(gene in effect for gene in targets)):
            predictions[row] = problem.control + sum(effect[gene] for gene in targets)
    return Solution(predictions)


@model(
    "additive",
    unseen="for a combination: control plus the sum of the effects of its single genes; no prediction if one of its "
    "genes was not perturbed alone in training",
    citation="Ahlmann-Eltze et al. 2025",
    solve=solve,
    fits_genes_separately=always,
)
@docs.dedent
def fit_additive(
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
    key_added: str = "additive",
    copy: bool = False,
) -> AnnData | None:
    """Fit the additive baseline: the effect of a combination is the sum of the effects of its single perturbations.

    A combination is not predicted if one of its single perturbations is missing in the training data.

    Parameters
    ----------
    %(adata)s
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['additive' | key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation, or NaN.
    ``adata.uns['scpertbias']['models']['additive' | key_added]`` : :class:`dict`
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
    >>> spb.tl.fit_additive(profiles)
    >>> spb.get.predictions(profiles, "additive").shape
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
    return fit(adata, "additive", params={}, data=data, key_added=key_added, copy=copy)

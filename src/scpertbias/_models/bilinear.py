"""The linear model of Ahlmann-Eltze et al.: G W Pᵀ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .._core.arrays import FloatArray
from .._core.bilinear import bilinear
from .._docs import docs
from .._labels import LabelMap
from ._base import Problem, Solution, model
from ._fit import fit
from ._products import PROFILES


def check(
    *,
    n_components: int,
    alpha: float,
    gene_embedding: pd.DataFrame | None = None,
    perturbation_embedding: pd.DataFrame | None = None,
) -> None:
    """Refuse parameters out of range, and embeddings that are not tables of finite numbers."""
    if n_components < 1 or not alpha > 0:
        msg = f"`n_components` is {n_components} and `alpha` is {alpha}; n_components must be at least 1, and alpha above 0."
        raise ValueError(msg)
    check_table(gene_embedding, argument="gene_embedding")
    check_table(perturbation_embedding, argument="perturbation_embedding")


def solve(
    problem: Problem,
    *,
    n_components: int,
    alpha: float,
    gene_embedding: pd.DataFrame | None = None,
    perturbation_embedding: pd.DataFrame | None = None,
) -> Solution:
    """Solve exactly; a perturbation without an embedding is not predicted."""
    columns = problem.target_columns()
    rank = min(n_components, int(problem.trained.sum()) - 1, len(problem.control) - 1)
    if rank < 1:
        msg = f"The model bilinear needs at least two genes; the data have {len(problem.control)}."
        raise ValueError(msg)
    single = [t[0] if len(t) == 1 else "" for t in problem.targets]
    products = None if problem.products is None else problem.products.of(PROFILES, problem.trained)
    solution = bilinear(
        problem.means,
        problem.trained,
        0,
        columns,
        n_components=rank,
        alpha=alpha,
        gene_embedding=aligned(gene_embedding, problem.symbols, argument="gene_embedding"),
        perturbation_embedding=aligned(perturbation_embedding, single, argument="perturbation_embedding"),
        rows=problem.rows,
        products=products,
    )
    chosen = {"n_components": rank} if rank != n_components else {}
    solution.predictions[problem.row_codes == 0] = problem.control
    return Solution(solution.predictions, solution.coef, chosen=chosen)


@model(
    "bilinear",
    unseen="from the embedding of its target gene; no prediction if the target is not measured",
    attribution="|(G W P)[:, p]|",
    citation="Ahlmann-Eltze et al. 2025",
    solve=solve,
    check=check,
)
@docs.dedent
def fit_bilinear(
    adata: AnnData,
    *,
    n_components: int = 10,
    alpha: float = 0.1,
    gene_embedding: pd.DataFrame | None = None,
    perturbation_embedding: pd.DataFrame | None = None,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    key_added: str = "bilinear",
    copy: bool = False,
) -> AnnData | None:
    """Fit the bilinear model of Ahlmann-Eltze et al.: gene embedding × W × perturbation embedding.

    Combinations are not predicted. A single perturbation is not predicted if its target is not measured, or has no
    embedding.

    Parameters
    ----------
    %(adata)s
    n_components
        Number of principal components of the training means. At most the number of training perturbations, and less
        than the number of genes.
    alpha
        Ridge penalty, both for the gene embedding and for the perturbation embedding.
    gene_embedding
        Embedding of the output genes (index: gene symbols; columns: dimensions); by default principal components.
    perturbation_embedding
        Embedding of the perturbed genes (index: gene symbols), for example from a pretrained model.
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['bilinear' | key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation, or NaN.
    ``adata.varm['bilinear' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Attribution, genes × perturbations: ``|(G W P)[:, p]|``; NaN where the model has no parameters.
    ``adata.uns['scpertbias']['models']['bilinear' | key_added]`` : :class:`dict`
        Parameters and training data.

    Raises
    ------
    ValueError
        If values are on the wrong scale, no control is recognized, no perturbation has training cells, or no training
        perturbation has an embedding.
    TypeError
        If an embedding is not a DataFrame.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders, Nature Methods 2025.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_bilinear(profiles)
    >>> spb.get.predictions(profiles, "bilinear").shape
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
    params = {
        "n_components": n_components,
        "alpha": alpha,
        "gene_embedding": gene_embedding,
        "perturbation_embedding": perturbation_embedding,
    }
    return fit(adata, "bilinear", params=params, data=data, key_added=key_added, copy=copy)


def check_table(embedding: pd.DataFrame | None, *, argument: str) -> None:
    """Refuse an embedding that is not a table of finite numbers with one row per gene."""
    if embedding is None:
        return
    if not isinstance(embedding, pd.DataFrame):
        msg = f"`{argument}` is a {type(embedding).__name__}; pass a DataFrame with gene symbols as index."
        raise TypeError(msg)
    text = [str(c) for c, dtype in embedding.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]
    if text or embedding.shape[1] == 0:
        msg = f"`{argument}` needs numeric columns, but " + (
            f"{text[:5]} are not numeric." if text else "has no columns."
        )
        raise TypeError(msg)
    if not embedding.index.is_unique:
        twice = embedding.index[embedding.index.duplicated()].unique()[:5].tolist()
        msg = f"`{argument}` has repeated genes, for example, {twice}. Keep one row per gene."
        raise ValueError(msg)
    if not np.isfinite(embedding.to_numpy(np.float64)).all():
        msg = f"`{argument}` contains NaN or infinite values. Drop these genes."
        raise ValueError(msg)


def aligned(embedding: pd.DataFrame | None, genes: Iterable[str], *, argument: str) -> FloatArray | None:
    """Return the rows of some genes, or NaN."""
    if embedding is None:
        return None
    rows = embedding.reindex(list(genes)).to_numpy(np.float64)
    if not np.isfinite(rows).any():
        msg = (
            f"`{argument}`: none of its {len(embedding)} genes is in the data (for example, {list(embedding.index[:3])}). Use gene "
            "symbols as index."
        )
        raise ValueError(msg)
    return rows

"""Selection of the genes that an audit needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _moments, _store, _validate
from .._core.arrays import BoolArray, FloatArray
from .._docs import docs
from .._labels import LabelMap
from .._log import info
from .._moments.profiles import target_measured
from ._annotate import marked, masks


@docs.dedent
def select_genes(
    adata: AnnData,
    *,
    n_top_genes: int = 5000,
    sets: pd.DataFrame | None = None,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Keep all measured targets, all confounder genes, and the genes with the highest mean expression in control cells.

    Parameters
    ----------
    %(adata)s
    n_top_genes
        Number of genes with the highest mean expression in control cells; ties are broken by gene name. Targets and
        confounder genes are kept in addition to this number.
    sets
        Further confounder gene sets (``source``, ``target``). Mitochondrial and ribosomal genes are taken from
        ``var["mt"]`` and ``var["ribo"]``, see :func:`scpertbias.pp.annotate_confounders`. If these columns are missing,
        the genes are recognized by their names.
    %(groupby)s
    %(reference)s
    %(layer)s
    %(split_key)s
    %(gene_symbols)s
    %(copy)s

    Returns
    -------
    %(stored)s All other genes are removed.

    Raises
    ------
    ValueError
        If ``n_top_genes`` is not positive.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.select_genes(adata, n_top_genes=30)
    >>> adata.n_vars
    32
    """
    _validate.cells_or_profiles(adata)
    if n_top_genes < 1:
        msg = f"`n_top_genes` is {n_top_genes}; it must be at least 1."
        raise ValueError(msg)
    data = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    mean, targets, symbols = _moments.control_mean(adata, data, layer)
    keep = highest(adata, mean, targets, symbols, n_top_genes=n_top_genes, sets=sets)
    adata = adata.copy() if copy else adata
    n_before = adata.n_vars
    keep_genes(adata, keep)
    info(
        f"kept {adata.n_vars} of {n_before} genes: the {n_top_genes} genes with the highest mean in control, all targets and all confounder genes"
    )
    return adata if copy else None


def highest(
    adata: AnnData,
    mean: FloatArray,
    targets: Sequence[Sequence[str]],
    symbols: npt.NDArray[np.str_],
    *,
    n_top_genes: int,
    sets: pd.DataFrame | None = None,
) -> BoolArray:
    """Return the genes of highest mean, every measured target and every confounder gene."""
    keep = np.zeros(adata.n_vars, dtype=bool)
    keep[np.lexsort((adata.var_names.to_numpy(str), -mean))[:n_top_genes]] = True
    keep |= np.isin(symbols, [gene for genes in targets for gene in genes])
    further = masks(symbols, sets=sets)
    for name in further:
        keep |= marked(adata, name, symbols) if name in ("mt", "ribo") else further[name]
    return keep


def keep_genes(adata: AnnData, keep: BoolArray) -> None:
    """Drop the other genes; in profiles, update which targets are measured."""
    adata._inplace_subset_var(keep)
    if _store.profiles_record(adata) is not None:
        _store.put_obs(adata, *target_measured(adata))

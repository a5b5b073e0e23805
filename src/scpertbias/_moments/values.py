"""The values of cells before the pass: columns that are genes, scale, and size factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _genes, _keys, _scale, _store, _validate
from .._core.arrays import BoolArray
from .._core.chunks import some_columns
from .._log import info
from .batch import Normalization


def values_of(adata: AnnData, layer: str | None, normalize: bool) -> tuple[Any, _scale.Scale]:
    """Return the values, and what looks at their scale; refuse what has no value."""
    x, may_be_negative = _store.matrix(adata, layer), _store.layer_record(adata, layer) is not None
    base = _store.log_base(adata)
    check = _scale.Scale(layer=layer, normalize=normalize, may_be_negative=may_be_negative, log_base=base)
    if 0 in x.shape:
        check.finish()
    return x, check


def only_genes(adata: AnnData, x: Any, genes: BoolArray | None) -> tuple[AnnData, Any, BoolArray, dict[str, int]]:
    """Return tables, values and requested genes without columns that are not genes, and the number of these columns."""
    features, others = _genes.are_genes(adata)
    genes = np.ones(adata.n_vars, dtype=bool) if genes is None else genes
    if not others:
        return adata, x, genes, others
    info(f"columns that are not genes are left out: {_genes.described(others)}")
    tables = AnnData(obs=adata.obs, var=adata.var.loc[features])
    return tables, some_columns(x, np.flatnonzero(features)), genes[features], others


def features_record(others: dict[str, int]) -> dict[str, Any]:
    """Return which kinds of columns are not genes, and how many of each."""
    return {"left_out_feature": list(others), "left_out_feature_n": np.array(list(others.values()), dtype=np.int64)}


def normalization(adata: AnnData, normalize: bool, size_factors: str | None, target_sum: float) -> Normalization | None:
    """Return how raw counts are normalized, or None where values are log-normalized already."""
    if not normalize:
        if size_factors is not None:
            msg = "`size_factors` is for raw counts, but normalize=True was not passed. Pass normalize=True, or omit size_factors."
            raise ValueError(msg)
        return None
    if target_sum <= 0:
        msg = f"`target_sum` is {target_sum}; it must be positive."
        raise ValueError(msg)
    size = None
    if size_factors is not None:
        size = _validate.numeric_columns(adata, [size_factors], argument="size_factors")[:, 0]
    return Normalization(target_sum, size, f"obs[{size_factors!r}]", are_totals=size_factors == _keys.OWN_TOTAL)


def other_total(adata: AnnData, mean_size: float, normalize: bool, size_factors: str | None) -> dict[str, Any]:
    """Return the column of ``obs`` with the name of a total, if it differs much from the totals of these counts."""
    if not normalize or not np.isfinite(mean_size):
        return {}
    if size_factors not in (None, _keys.OWN_TOTAL):
        return {"n_shallow": 0}  # the size factors say how deep the cells are
    for key in _validate.DEPTH_COLUMNS:
        if key in adata.obs.columns and pd.api.types.is_numeric_dtype(adata.obs[key]):
            mean = float(adata.obs[key].mean())
            if not 0.5 < mean / mean_size < 2:
                return {"other_total": key, "other_total_mean": mean}
    return {}

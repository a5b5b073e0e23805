"""Moments of cells or profiles, with the same interface for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from anndata import AnnData

from .. import _genes, _scale, _store, _validate
from .._core.arrays import BoolArray, FloatArray
from .._core.sums import column_sums
from .._labels import LabelMap, stored_map
from .cells import read as read_cells
from .profiles import read as read_profiles
from .screen import Screen
from .used_cells import cell_codes


def of(
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
    covariates: Sequence[str] = (),
    guide_key: str | None = None,
    normalize: bool = False,
    size_factors: str | None = None,
    target_sum: float = 1e4,
    rng: int | np.random.Generator | None = 0,
    chunk_memory: float | None = None,
    genes: BoolArray | None = None,
    tested: bool = False,
) -> Screen:
    """Return the moments of profiles, or compute them from cells in one pass.

    With ``chunk_memory`` (gigabytes) cells need not be in memory; ``genes`` keeps some of them. ``tested`` says that the caller
    tests balance over columns of ``obs``, so that nobody is warned of those that look like batches.
    """
    _validate.cells_or_profiles(adata, lazy=chunk_memory is not None)
    data = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": stored_map(label_map),
        "batch_key": batch_key,
        "min_cells": min_cells,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    if _store.profiles_record(adata) is not None:
        return read_profiles(adata, data, layer=layer)
    return read_cells(
        adata,
        data,
        layer=layer,
        covariates=covariates,
        guide_key=guide_key,
        normalize=normalize,
        size_factors=size_factors,
        target_sum=target_sum,
        rng=rng,
        chunk_memory=chunk_memory,
        genes=genes,
        tested=tested,
    )


def control_mean(
    adata: AnnData, data: Mapping[str, Any], layer: str | None
) -> tuple[FloatArray, tuple[tuple[str, ...], ...], npt.NDArray[np.str_]]:
    """Return the mean of the control cells, the targets of all labels, and the gene symbols."""
    if _store.profiles_record(adata) is not None:
        screen = of(adata)
        return screen.moments.control, screen.targets, screen.symbols
    _genes.refuse_others(adata)
    codes, targets, symbols = cell_codes(adata, data)
    x = _store.matrix(adata, layer)
    _scale.numbers(x, layer=layer)
    control = x[codes == 0]
    mean = column_sums(control) / control.shape[0]
    if not np.isfinite(mean).all():
        msg = (
            f"Control cells contain NaN or infinite values in {int((~np.isfinite(mean)).sum())} genes. Remove these "
            "genes first."
        )
        raise ValueError(msg)
    return mean, targets, symbols

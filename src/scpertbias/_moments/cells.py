"""Moments of a screen from cells: selection, rows and halves, scale, and one pass over the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _genes, _keys, _validate
from .._columns import WORDS
from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.cell_columns import DEPTH, MT_PERCENT
from .._core.control_sums import ControlSums, log_depth
from .._core.halves import assign_halves
from .._core.row_moments import MomentAccumulator
from .._labels import Labels
from . import obs_columns, streaming, values
from .batch import Normalization
from .screen import Screen
from .used_cells import Selection, select, warn_batches


def read(
    adata: AnnData,
    data: dict[str, Any],
    *,
    layer: str | None,
    covariates: Sequence[str],
    guide_key: str | None,
    normalize: bool,
    size_factors: str | None,
    target_sum: float,
    rng: int | np.random.Generator | None,
    chunk_memory: float | None,
    genes: BoolArray | None = None,
    tested: bool = False,
) -> Screen:
    """Compute the moments of the cells, for all or some genes, in one pass."""
    x, check = values.values_of(adata, layer, normalize)
    adata, x, genes, others = values.only_genes(adata, x, genes)
    selection = select(adata, data)
    codes, row, batch, perturbation = selection.codes, selection.row, selection.batch, selection.perturbation
    seed = int(rng) if isinstance(rng, int | np.integer) else int(np.random.default_rng(rng).integers(2**32))
    hashes, guides = _hashes(adata, seed), _guide_halves(adata, guide_key, codes)
    n_rows, n_genes = len(perturbation), int(genes.sum())
    assignment = assign_halves(
        row, n_rows, 0, hashes, batch=batch, n_batches=len(selection.batch_names), guide_half=guides
    )
    normalized = values.normalization(adata, normalize, size_factors, target_sum)
    z = _validate.numeric_columns(adata, covariates, argument="covariates") if len(covariates) else None
    columns = None if genes.all() else np.where(genes, np.cumsum(genes) - 1, -1)
    accumulator = MomentAccumulator(assignment, row, n_rows, 0, batch=batch, n_genes=n_genes, covariates=z)
    half = np.where(codes == 0, assignment.half[assignment.group], -1)
    looked_at = obs_columns.examine(adata.obs, codes, batch, leave_out=_read_by(data, guide_key))
    levels, quality = obs_columns.levels(looked_at), _quality(adata, normalized)
    control = ControlSums(half, batch, levels, quality=quality, n_genes=n_genes)
    settings = streaming.ReadSettings(control, normalized, check, chunk_memory, columns)
    moments = streaming.moments(x, accumulator, settings)
    record = {
        **_data_record({**data, "layer": layer}, selection.labels, selection.symbols_key),
        "covariates": list(covariates),
        "guide_key": guide_key,
        "normalize": normalize,
        "size_factors": size_factors,
        "target_sum": float(target_sum),
        **check.record(),
        **values.other_total(adata, check.record()["mean_size"], normalize, size_factors),
        **values.features_record(others),
        "rng": seed if isinstance(rng, int | np.integer) else None,
        "n_cells": int(adata.n_obs),
        "batch_names": selection.batch_names,
        **_columns_record(adata, looked_at, data, selection.labels.codes, tested=tested),
        **_left_out_record(selection),
    }
    return Screen(
        moments=moments,
        names=selection.names,
        targets=selection.targets,
        perturbation=perturbation,
        split=selection.split,
        genes=adata.var_names[genes],
        symbols=_genes.one_each(selection.symbols[genes], adata.var_names[genes], moments.control),
        used=selection.used,
        reason=selection.reason,
        codes=codes,
        record=record,
        labels=selection.labels.table,
    )


def _data_record(data: dict[str, Any], labels: Labels, symbols_key: str | None) -> dict[str, Any]:
    """Return the settings as interpreted, to be compared with later arguments."""
    batch_key = data["batch_key"]
    return {
        **data,
        "reference": list(labels.controls),
        "reference_name": labels.reference,
        "batch_key": [batch_key] if isinstance(batch_key, str) else (list(batch_key) if batch_key else None),
        "gene_symbols": symbols_key,
    }


def _columns_record(
    adata: AnnData,
    columns: Sequence[obs_columns.ObsColumn],
    data: Mapping[str, Any],
    codes: IntArray,
    *,
    tested: bool,
) -> dict[str, Any]:
    """Return the columns of ``obs`` that were considered for the test of balance, with levels and status."""
    names_of_tested = [column.name for column in columns if tested and column.status == obs_columns.TESTED]
    likely = warn_batches(adata, data, codes, names_of_tested)
    return {
        "obs_columns": [column.name for column in columns],
        "obs_columns_levels": np.array([column.n_levels for column in columns], dtype=np.int64),
        "obs_columns_status": [column.status for column in columns],
        "tested_columns": names_of_tested,
        _keys.LIKELY_BATCHES: [f"{name} ({WORDS[kind]})" for name, kind in likely.items()],
    }


def _left_out_record(selection: Selection) -> dict[str, Any]:
    """Return the cells left out by reason, the kind of each reason, and the perturbations without remaining cells."""
    return {
        "left_out_reason": list(selection.left_out),
        "left_out_kind": [selection.kinds[reason] for reason in selection.left_out],
        "left_out_cells": np.array(list(selection.left_out.values()), dtype=np.int64),
        "left_out_perturbations": sorted(set(selection.labels.names) - set(selection.names)),
    }


def _hashes(adata: AnnData, seed: int) -> npt.NDArray[np.uint64]:
    """Hash (seed, cell name): the order in which cells are assigned depends on nothing else."""
    key = f"{seed % 10**16:016d}"
    return pd.util.hash_array(adata.obs_names.to_numpy(object), hash_key=key, categorize=False)


def _guide_halves(adata: AnnData, guide_key: str | None, codes: IntArray) -> IntArray | None:
    """Assign the guides of each perturbation to halves alternately, in the order of their names; not of the control."""
    if guide_key is None:
        return None
    guide = _validate.column(adata, guide_key, argument="guide_key").astype(object)
    frame = pd.DataFrame({"code": codes, "guide": guide.where(guide.notna(), "").astype(str).to_numpy()})
    return (frame.groupby("code")["guide"].rank(method="dense").to_numpy(np.int64) - 1) % 2


def _read_by(data: dict[str, Any], guide_key: str | None) -> set[str]:
    """Return the columns for labels, guides, splits and similar roles, which are not batches."""
    batch_key = data["batch_key"]
    batches = [batch_key] if isinstance(batch_key, str) else list(batch_key or ())
    return {data["groupby"], data["split_key"], *batches} | ({guide_key} if guide_key else set())


def _quality(adata: AnnData, normalization: Normalization | None) -> dict[str, FloatArray]:
    """Return the measures of quality of each cell; the depth of raw counts is known only after reading."""
    size, mt = _validate.depth(adata) if normalization is None else np.ones(adata.n_obs), _validate.mt_percent(adata)
    quality = {} if size is None else {DEPTH: log_depth(size)}
    return quality if mt is None else {**quality, MT_PERCENT: np.where(np.isfinite(mt), mt, np.nan)}

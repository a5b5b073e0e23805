"""Moments of a screen from cells: selection, rows and halves, scale, and one pass over the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _genes, _keys, _validate
from .._columns import WORDS, likely_batches, one_level_batches, say_likely
from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.cell_columns import DEPTH, MT_PERCENT
from .._core.control_sums import ControlSums, log_depth
from .._core.halves import assign_halves
from .._core.row_moments import MomentAccumulator
from .._labels import Labels
from .._log import warn
from . import obs_columns, streaming, values
from .batch import Normalization
from .screen import Screen
from .used_cells import check_labels, leave_out, read_labels, splits, usable


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
    check.begin(x)
    labels, symbols, symbols_key = _checked_labels(adata, data)
    batch, batch_names = _validate.batch_codes(adata, data["batch_key"])
    split = splits(adata, data["split_key"], labels)
    codes, left_out, kinds = leave_out(labels, batch, batch_names, split)
    codes, codes_with_cells = _compress(codes)
    names = tuple(labels.names[i] for i in codes_with_cells)
    row, perturbation, split_of_row = _rows(codes, split)
    used, reason = usable(row, perturbation, data["min_cells"], left_out, kinds)
    seed = int(rng) if isinstance(rng, int | np.integer) else int(np.random.default_rng(rng).integers(2**32))
    hashes, guides = _hashes(adata, seed), _guide_halves(adata, guide_key, codes)
    n_rows, n_genes = len(perturbation), int(genes.sum())
    assignment = assign_halves(row, n_rows, 0, hashes, batch=batch, n_batches=len(batch_names), guide_half=guides)
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
        **_data_record({**data, "layer": layer}, labels, symbols_key),
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
        "batch_names": batch_names,
        **_columns_record(adata, looked_at, data, labels.codes, tested=tested),
        **_left_out_record(left_out, kinds, sorted(set(labels.names) - set(names))),
    }
    return Screen(
        moments=moments,
        names=names,
        targets=tuple(labels.targets[i] for i in codes_with_cells),
        perturbation=perturbation,
        split=split_of_row,
        genes=adata.var_names[genes],
        symbols=_genes.one_each(symbols[genes], adata.var_names[genes], moments.control),
        used=used,
        reason=reason,
        codes=codes,
        record=record,
        labels=labels.table,
    )


def _checked_labels(adata: AnnData, data: Mapping[str, Any]) -> tuple[Labels, npt.NDArray[np.str_], str | None]:
    """Return labels and symbols like ``read_labels``, and log the interpretation and missing symbols."""
    labels, symbols, symbols_key = read_labels(adata, data)
    check_labels(adata, labels, data["groupby"])
    if text := _genes.ids_without_symbols(adata.var_names, symbols, symbols_key):
        warn(f"{text}.")
    return labels, symbols, symbols_key


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
    likely = _warn_batches(adata, data, codes, names_of_tested)
    return {
        "obs_columns": [column.name for column in columns],
        "obs_columns_levels": np.array([column.n_levels for column in columns], dtype=np.int64),
        "obs_columns_status": [column.status for column in columns],
        "tested_columns": names_of_tested,
        _keys.LIKELY_BATCHES: [f"{name} ({WORDS[kind]})" for name, kind in likely.items()],
        "one_level_batches": one_level_batches(adata.obs, codes, data["groupby"]),
    }


def _left_out_record(left_out: dict[str, int], kinds: dict[str, str], perturbations: list[str]) -> dict[str, Any]:
    """Return the cells left out by reason, the kind of each reason, and the perturbations without remaining cells."""
    return {
        "left_out_reason": list(left_out),
        "left_out_kind": [kinds[reason] for reason in left_out],
        "left_out_cells": np.array(list(left_out.values()), dtype=np.int64),
        "left_out_perturbations": perturbations,
    }


def _warn_batches(adata: AnnData, data: Mapping[str, Any], codes: IntArray, tested: Sequence[str]) -> dict[str, str]:
    """Warn about columns that could be batches, if there is no ``batch_key`` and their balance is not tested; return them."""
    if data["batch_key"] is not None:
        return {}
    likely = likely_batches(adata.obs, codes, data["groupby"])
    likely = {name: kind for name, kind in likely.items() if name not in tested}
    if likely:
        warn(
            f"`batch_key` was not given, so differences between the levels of {say_likely(likely)} count as effects of "
            f"perturbations. Pass batch_key={next(iter(likely))!r}. If effects differ between cell lines, times or "
            f"doses, analyze each level separately."
        )
    return likely


def _compress(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Renumber the codes such that every one has a cell, and return which were kept."""
    codes_with_cells = np.flatnonzero(np.bincount(codes[codes >= 0]))
    renumbered = np.full(codes_with_cells.max() + 2, -1, dtype=np.int64)
    renumbered[codes_with_cells] = np.arange(len(codes_with_cells))
    return renumbered[codes], codes_with_cells


def _rows(codes: IntArray, split: IntArray) -> tuple[IntArray, IntArray, npt.NDArray[np.str_]]:
    """Return each cell's row, and the perturbation and split of every row, the reference first."""
    joint = np.where(codes >= 0, codes * len(_keys.SPLITS) + split, -1)
    row, present = _compress(joint)
    return row, present // len(_keys.SPLITS), np.array(_keys.SPLITS)[present % len(_keys.SPLITS)]


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

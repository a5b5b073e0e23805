"""Cells to a screen: which cells count, in which row and half, on which scale, and one pass over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _keys, _store, _validate
from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.cell_columns import DEPTH, MT_PERCENT
from .._core.control_sums import ControlSums, log_depth
from .._core.halves import assign_halves
from .._core.row_moments import MomentAccumulator
from .._labels import NO_LABEL, Labels, parse, warn_if_guides
from .._log import info, warn
from . import obs_columns, streaming
from .batch import Normalization
from .screen import Screen


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
    """Take the moments of the cells, of all or some genes, in one pass."""
    x = _store.matrix(adata, layer)
    may_be_negative = _store.layer_record(adata, layer) is not None
    check = _validate.Scale(layer=layer, normalize=normalize, may_be_negative=may_be_negative)
    if 0 in x.shape:
        check.finish()
    labels, symbols, symbols_key = _labels(adata, data["groupby"], data["reference"], data["gene_symbols"])
    warn_if_guides(labels.names[1:], data["groupby"])
    batch, batch_names = _validate.batch_codes(adata, data["batch_key"])
    split = _splits(adata, data["split_key"], labels)
    codes, left_out, kinds = _leave_out(labels, batch, batch_names, split)
    codes, codes_with_cells = _compress(codes)
    names = tuple(labels.names[i] for i in codes_with_cells)
    row, perturbation, split_of_row = _rows(codes, split)
    used, reason = _usable(row, perturbation, data["min_cells"])
    seed = int(rng) if isinstance(rng, int | np.integer) else int(np.random.default_rng(rng).integers(2**32))
    hashes, guides = _hashes(adata, seed), _guide_halves(adata, guide_key, codes)
    n_rows, n_genes = len(perturbation), adata.n_vars if genes is None else int(genes.sum())
    assignment = assign_halves(row, n_rows, 0, hashes, batch=batch, n_batches=len(batch_names), guide_half=guides)
    normalization = _normalization(adata, normalize, size_factors, target_sum)
    values = _validate.numeric_columns(adata, covariates, argument="covariates") if len(covariates) else None
    genes = np.ones(adata.n_vars, dtype=bool) if genes is None else genes
    columns = None if genes.all() else np.where(genes, np.cumsum(genes) - 1, -1)
    accumulator = MomentAccumulator(assignment, row, n_rows, 0, batch=batch, n_genes=n_genes, covariates=values)
    half = np.where(codes == 0, assignment.half[assignment.group], -1)
    looked_at = obs_columns.examine(adata.obs, codes, batch, leave_out=_read_by(data, guide_key))
    levels = obs_columns.levels(looked_at)
    control = ControlSums(half, batch, levels, quality=_quality(adata, normalization), n_genes=n_genes)
    settings = streaming.ReadSettings(control, normalization, check, chunk_memory, columns)
    moments = streaming.moments(x, accumulator, settings)
    record = {
        **_data_record(data, labels, symbols_key),
        "layer": layer,
        "covariates": list(covariates),
        "guide_key": guide_key,
        "normalize": normalize,
        "size_factors": size_factors,
        "target_sum": float(target_sum),
        "rng": seed if isinstance(rng, int | np.integer) else None,
        "n_cells": int(adata.n_obs),
        "batch_names": batch_names,
        **_columns_record(adata, looked_at, tested=tested, has_batches=bool(data["batch_key"])),
        **_left_out_record(left_out, kinds, sorted(set(labels.names) - set(names))),
    }
    return Screen(
        moments=moments,
        names=names,
        targets=tuple(labels.targets[i] for i in codes_with_cells),
        perturbation=perturbation,
        split=split_of_row,
        genes=adata.var_names[genes],
        symbols=symbols[genes],
        used=used,
        reason=reason,
        codes=codes,
        record=record,
    )


def _data_record(data: dict[str, Any], labels: Labels, symbols_key: str | None) -> dict[str, Any]:
    """Return what was asked as it was understood: profiles refuse another value."""
    batch_key = data["batch_key"]
    return {
        **data,
        "reference": list(labels.controls),
        "reference_name": labels.reference,
        "batch_key": [batch_key] if isinstance(batch_key, str) else (list(batch_key) if batch_key else None),
        "gene_symbols": symbols_key,
    }


def _columns_record(
    adata: AnnData, columns: Sequence[obs_columns.ObsColumn], *, tested: bool, has_batches: bool
) -> dict[str, Any]:
    """Return the columns of ``obs`` that were looked at for balance, how many levels each has, and what it is."""
    names_of_tested = [column.name for column in columns if tested and column.status == obs_columns.TESTED]
    return {
        "obs_columns": [column.name for column in columns],
        "obs_columns_levels": np.array([column.n_levels for column in columns], dtype=np.int64),
        "obs_columns_status": [column.status for column in columns],
        "tested_columns": names_of_tested,
        _keys.LIKELY_BATCHES: [] if has_batches else _likely_batches(adata, names_of_tested),
    }


def _left_out_record(left_out: dict[str, int], kinds: dict[str, str], perturbations: list[str]) -> dict[str, Any]:
    """Return the cells left out by reason, the kind of each, and the perturbations that have none left."""
    return {
        "left_out_reason": list(left_out),
        "left_out_kind": [kinds[reason] for reason in left_out],
        "left_out_cells": np.array(list(left_out.values()), dtype=np.int64),
        "left_out_perturbations": perturbations,
    }


def cell_codes(
    adata: AnnData,
    *,
    groupby: str,
    reference: str | Sequence[str] | None,
    gene_symbols: str | None,
    split_key: str,
) -> tuple[IntArray, tuple[tuple[str, ...], ...], npt.NDArray[np.str_]]:
    """Return the label code of each training cell (0 control, −1 any other cell), the targets, the gene symbols."""
    _validate.cells_or_profiles(adata, lazy=True)  # only tables are read
    labels, symbols, _ = _labels(adata, groupby, reference, gene_symbols)
    train = _splits(adata, split_key, labels) == _keys.SPLITS.index("train")
    return np.where(train, labels.codes, -1), labels.targets, symbols


def _labels(
    adata: AnnData, groupby: str, reference: str | Sequence[str] | None, gene_symbols: str | None
) -> tuple[Labels, npt.NDArray[np.str_], str | None]:
    symbols, key = _validate.gene_symbols(adata, gene_symbols)
    values = _validate.column(adata, groupby, argument="groupby")
    return parse(values, groupby=groupby, reference=reference, symbols=symbols.tolist()), symbols, key


def _likely_batches(adata: AnnData, tested: Sequence[str]) -> list[str]:
    """Name the columns that look like batches, without those whose balance is tested, and warn of them."""
    likely = [name for name in _validate.likely_batches(adata) if name not in tested]
    if likely:
        warn(
            f"obs holds {likely}, which look like batches, and `batch_key` was not given: differences between batches then "
            f"count as effects of perturbations. Pass batch_key={likely[0]!r}."
        )
    return likely


def _splits(adata: AnnData, split_key: str, labels: Labels) -> IntArray:
    """Return the split of each cell; control cells are train; without the column all are."""
    if split_key not in adata.obs.columns:
        info(f"there is no obs[{split_key!r}]: all perturbations are used for training")
        return np.zeros(adata.n_obs, dtype=np.int64)
    return np.where(labels.codes == 0, 0, _validate.split_codes(adata, split_key))


def _leave_out(
    labels: Labels, batch: IntArray, batch_names: Sequence[str], split: IntArray
) -> tuple[IntArray, dict[str, int], dict[str, str]]:
    """Return codes with −1 for every cell that cannot count, and by reason how many were left out, and its kind."""
    codes, left_out = labels.codes.copy(), dict(labels.dropped)
    kinds = {reason: _keys.MISSING if reason == NO_LABEL else _keys.LABEL for reason in left_out}

    def drop(cells: BoolArray, reason: str, kind: str) -> None:
        n = int((cells & (codes >= 0)).sum())
        if n:
            left_out[reason], kinds[reason] = n, kind
            codes[cells] = -1

    drop(batch < 0, "no batch", _keys.MISSING)
    drop(split < 0, "no split", _keys.MISSING)
    if len(batch_names) > 1:
        controls = np.bincount(batch[codes == 0], minlength=len(batch_names))
        for i in np.flatnonzero(controls < obs_columns.MIN_CONTROLS).tolist():
            drop(batch == i, f"batch {batch_names[i]!r} with {controls[i]} control cells", _keys.SMALL_BATCH)
    if small := [reason for reason, kind in kinds.items() if kind == _keys.SMALL_BATCH]:
        cells = sum(left_out[reason] for reason in small)
        warn(f"{cells} cells are left out: under {obs_columns.MIN_CONTROLS} control cells in {', '.join(small[:5])}.")
    n_control = int((codes == 0).sum())
    if n_control < _validate.MIN_CONTROL_CELLS:
        msg = (
            f"The control {labels.reference!r} has {n_control} cells; at least {_validate.MIN_CONTROL_CELLS} are "
            "needed. Pass reference= if another label is the control"
            + (", or use fewer batches." if len(batch_names) > 1 else ".")
        )
        raise ValueError(msg)
    return codes, left_out, kinds


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


def _normalization(
    adata: AnnData, normalize: bool, size_factors: str | None, target_sum: float
) -> Normalization | None:
    """Return how raw counts are normalized, or None where values are log-normalized already."""
    if not normalize:
        if size_factors is not None:
            msg = "`size_factors` was given without normalize=True; values that are log-normalized already need none."
            raise ValueError(msg)
        return None
    if target_sum <= 0:
        msg = f"`target_sum` is {target_sum}; it must be positive."
        raise ValueError(msg)
    size = None
    if size_factors is not None:
        size = _validate.numeric_columns(adata, [size_factors], argument="size_factors")[:, 0]
    return Normalization(target_sum, size, f"obs[{size_factors!r}]")


def _read_by(data: dict[str, Any], guide_key: str | None) -> set[str]:
    """Return the columns that say what a cell is, and not where it comes from."""
    batch_key = data["batch_key"]
    batches = [batch_key] if isinstance(batch_key, str) else list(batch_key or ())
    return {data["groupby"], data["split_key"], *batches} | ({guide_key} if guide_key else set())


def _quality(adata: AnnData, normalization: Normalization | None) -> dict[str, FloatArray]:
    """Return the measures of quality of each cell; raw counts tell the depth only when they are read."""
    size, mt = _validate.depth(adata) if normalization is None else np.ones(adata.n_obs), _validate.mt_percent(adata)
    quality = {} if size is None else {DEPTH: log_depth(size)}
    return quality if mt is None else {**quality, MT_PERCENT: np.where(np.isfinite(mt), mt, np.nan)}


def _usable(row: IntArray, perturbation: IntArray, min_cells: int) -> tuple[BoolArray, npt.NDArray[np.str_]]:
    """Return which rows enter fits and scores, and why the others do not."""
    n = np.bincount(perturbation, weights=np.bincount(row[row >= 0], minlength=len(perturbation)))[perturbation]
    used = (n >= min_cells) | (perturbation == 0)
    if not used[perturbation > 0].any():
        most = int(n[perturbation > 0].max(initial=0))
        msg = f"No perturbation has min_cells={min_cells} cells (the largest has {most}); lower min_cells."
        raise ValueError(msg)
    few = [f"{int(k)} cells, fewer than min_cells={min_cells}" for k in n]
    return used, np.where(used, "", few)

"""Cells to a screen: which cells count, in which row and half, on which scale, and one pass over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _keys, _store, _validate
from .._columns import WORDS, likely_batches, say_likely
from .._core.arrays import BoolArray, IntArray
from .._core.depth import Depth
from .._core.halves import assign_halves
from .._core.row_moments import MomentAccumulator
from .._labels import NO_LABEL, SEVERAL, Labels, announce, parse, stored_map
from .._log import info, some, warn
from . import streaming
from .batch import Normalization
from .screen import Screen

MIN_BATCH_CONTROLS = 10
LIKELY_BATCHES = "likely_batches"
FEW_REPLICATES = 10
REPEATED = 0.2


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
) -> Screen:
    """Take the moments of the cells, of all or some genes, in one pass."""
    x = _store.matrix(adata, layer)
    may_be_negative = _store.layer_record(adata, layer) is not None
    check = _validate.Scale(layer=layer, normalize=normalize, may_be_negative=may_be_negative)
    if 0 in x.shape:
        check.finish()
    labels, symbols, symbols_key = read_labels(adata, data)
    _check_labels(adata, labels, data["groupby"])
    batch, batch_names = _validate.batch_codes(adata, data["batch_key"])
    likely = _warn_batches(adata, data, labels.codes)
    split = _splits(adata, data["split_key"], labels)
    codes, left_out, kinds = _leave_out(labels, batch, batch_names, split)
    codes, codes_with_cells = _compress(codes)
    names = tuple(labels.names[i] for i in codes_with_cells)
    row, perturbation, split_of_row = _rows(codes, split)
    used, reason = _usable(row, perturbation, data["min_cells"], left_out, kinds)
    seed = int(rng) if isinstance(rng, int | np.integer) else int(np.random.default_rng(rng).integers(2**32))
    hashes, guides = _hashes(adata, seed), _guide_halves(adata, guide_key, codes)
    n_rows, n_genes = len(perturbation), adata.n_vars if genes is None else int(genes.sum())
    assignment = assign_halves(row, n_rows, 0, hashes, batch=batch, n_batches=len(batch_names), guide_half=guides)
    normalization = _normalization(adata, normalize, size_factors, target_sum)
    values = _validate.numeric_columns(adata, covariates, argument="covariates") if len(covariates) else None
    genes = np.ones(adata.n_vars, dtype=bool) if genes is None else genes
    columns = None if genes.all() else np.where(genes, np.cumsum(genes) - 1, -1)
    accumulator = MomentAccumulator(assignment, row, n_rows, 0, batch=batch, n_genes=n_genes, covariates=values)
    size = _validate.depth(adata) if normalization is None else None
    half = np.where(codes == 0, assignment.half[assignment.group], -1)
    depth = None if normalization is None and size is None else Depth(half, batch, n_genes)
    settings = streaming.ReadSettings(depth, size, normalization, check, chunk_memory, columns)
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
        LIKELY_BATCHES: [f"{name} ({WORDS[kind]})" for name, kind in likely.items()],
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
        labels=labels.table,
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


def _left_out_record(left_out: dict[str, int], kinds: dict[str, str], perturbations: list[str]) -> dict[str, Any]:
    """Return the cells left out by reason, the kind of each, and the perturbations that have none left."""
    return {
        "left_out_reason": list(left_out),
        "left_out_kind": [kinds[reason] for reason in left_out],
        "left_out_cells": np.array(list(left_out.values()), dtype=np.int64),
        "left_out_perturbations": perturbations,
    }


def cell_codes(
    adata: AnnData, data: Mapping[str, Any]
) -> tuple[IntArray, tuple[tuple[str, ...], ...], npt.NDArray[np.str_]]:
    """Return the label code of each training cell (0 control, −1 any other cell), the targets, the gene symbols."""
    _validate.cells_or_profiles(adata, lazy=True)  # only tables are read
    labels, symbols, _ = read_labels(adata, data)
    train = _splits(adata, data["split_key"], labels) == _keys.SPLITS.index("train")
    return np.where(train, labels.codes, -1), labels.targets, symbols


def read_labels(adata: AnnData, data: Mapping[str, Any]) -> tuple[Labels, npt.NDArray[np.str_], str | None]:
    """Return the labels of the cells, the gene symbols, and the column of ``var`` that these are in."""
    symbols, key = _validate.gene_symbols(adata, data["gene_symbols"])
    labels = parse(
        _validate.column(adata, data["groupby"], argument="groupby"),
        groupby=data["groupby"],
        reference=data["reference"],
        combination_sep=data["combination_sep"],
        label_map=stored_map(data["label_map"]),
        symbols=symbols.tolist(),
        ids=None if key is None else adata.var_names,
    )
    return labels, symbols, key


def _check_labels(adata: AnnData, labels: Labels, groupby: str) -> None:
    """Say what was understood, and refuse cells that stand in several rows, one for each of their guides."""
    announce(labels, groupby)
    if adata.obs_names.is_unique:
        return
    pairs = pd.DataFrame({"cell": adata.obs_names, "code": labels.codes})[labels.codes >= 0].drop_duplicates()
    n = pairs["cell"].nunique()
    several = int((pairs["cell"].value_counts() > 1).sum())
    if several > REPEATED * n:
        msg = (
            f"{several} of {n} cells occur under several labels of obs[{groupby!r}], as where each guide of a cell has a row "
            "of its own (high multiplicity of infection). Keep the cells with one guide: "
            "adata = adata[~adata.obs_names.duplicated(keep=False)].copy()."
        )
        raise ValueError(msg)


def _warn_batches(adata: AnnData, data: Mapping[str, Any], codes: IntArray) -> dict[str, str]:
    """Warn of columns that could be batches, where none was named; return them."""
    if data["batch_key"] is not None:
        return {}
    likely = likely_batches(adata.obs, codes, data["groupby"])
    if likely:
        warn(
            f"{say_likely(likely)} may change the control, and `batch_key` was not given: differences between their levels "
            f"then count as effects of perturbations. Pass batch_key={next(iter(likely))!r}. If effects themselves differ "
            "between cell lines, times or doses, analyze each level apart."
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
    kinds = {reason: _keys.MISSING if reason in (NO_LABEL, SEVERAL) else _keys.LABEL for reason in left_out}

    def drop(cells: BoolArray, reason: str, kind: str) -> None:
        n = int((cells & (codes >= 0)).sum())
        if n:
            left_out[reason], kinds[reason] = n, kind
            codes[cells] = -1

    drop(batch < 0, "no batch", _keys.MISSING)
    drop(split < 0, "no split", _keys.MISSING)
    if len(batch_names) > 1:
        controls = np.bincount(batch[codes == 0], minlength=len(batch_names))
        for i in np.flatnonzero(controls < MIN_BATCH_CONTROLS).tolist():
            drop(batch == i, f"batch {batch_names[i]!r} with {controls[i]} control cells", _keys.SMALL_BATCH)
    if small := [reason for reason, kind in kinds.items() if kind == _keys.SMALL_BATCH]:
        cells = sum(left_out[reason] for reason in small)
        warn(f"{cells} cells are left out: under {MIN_BATCH_CONTROLS} control cells in {', '.join(small[:5])}.")
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


def _usable(
    row: IntArray, perturbation: IntArray, min_cells: int, left_out: Mapping[str, int], kinds: Mapping[str, str]
) -> tuple[BoolArray, npt.NDArray[np.str_]]:
    """Return which rows enter fits and scores, and why the others do not."""
    n = np.bincount(perturbation, weights=np.bincount(row[row >= 0], minlength=len(perturbation)))[perturbation]
    used = (n >= min_cells) | (perturbation == 0)
    if not used[perturbation > 0].any():
        most = int(n[perturbation > 0].max(initial=0))
        small = [reason for reason, kind in kinds.items() if kind == _keys.SMALL_BATCH]
        if most == 0 and small:
            msg = (
                f"No batch holds both control and perturbed cells ({some(small)}), so that no cell can be compared with a "
                "control of its own batch. Name another column, or leave batch_key out: differences between the batches "
                "then count as effects."
            )
        else:
            msg = f"No perturbation has min_cells={min_cells} cells (the largest has {most}); lower min_cells."
            if 0 < most < FEW_REPLICATES:
                msg += (
                    " If the rows are replicates of bulk samples or sums over cells: single cells are needed, as noise and "
                    "ceilings are estimated from the variance over cells within a perturbation."
                )
        raise ValueError(msg)
    few = [f"{int(k)} cells, fewer than min_cells={min_cells}" for k in n]
    return used, np.where(used, "", few)

"""Selection of cells by label and split, and the cells left out with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _genes, _keys, _validate
from .._columns import likely_batches, say_likely
from .._core.arrays import BoolArray, IntArray
from .._labels import NO_LABEL, SEVERAL, Labels, announce, parse, stored_map
from .._log import info, some, warn
from .obs_columns import MIN_CONTROLS

FEW_REPLICATES = 10
REPEATED = 0.2


def cell_codes(
    adata: AnnData, data: Mapping[str, Any]
) -> tuple[IntArray, tuple[tuple[str, ...], ...], npt.NDArray[np.str_]]:
    """Return the label code of each training cell (0 control, −1 any other cell), the targets, the gene symbols."""
    _validate.cells_or_profiles(adata, lazy=True)  # only tables are read
    labels, symbols, _ = read_labels(adata, data)
    train = splits(adata, data["split_key"], labels) == _keys.SPLITS.index("train")
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


@dataclass(frozen=True)
class Selection:
    """The cells that count, and the rows that they make: one for each perturbation and split, the control first.

    ``codes`` and ``row`` are the perturbation and the row of each cell (−1: left out), ``batch`` its batch. ``names`` and
    ``targets`` belong to the perturbations, ``perturbation``, ``split``, ``used`` and ``reason`` to the rows. ``left_out`` and
    ``kinds`` have the number of cells left out, and the kind, by reason.
    """

    labels: Labels
    symbols: npt.NDArray[np.str_]
    symbols_key: str | None
    batch: IntArray
    batch_names: list[str]
    codes: IntArray
    names: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]
    row: IntArray
    perturbation: IntArray
    split: npt.NDArray[np.str_]
    used: BoolArray
    reason: npt.NDArray[np.str_]
    left_out: dict[str, int]
    kinds: dict[str, str]


def select(adata: AnnData, data: Mapping[str, Any]) -> Selection:
    """Return the cells that count by labels, batches and splits; log how labels were read, and which symbols are missing."""
    labels, symbols, symbols_key = read_labels(adata, data)
    check_labels(adata, labels, data["groupby"])
    if text := _genes.ids_without_symbols(adata.var_names, symbols, symbols_key):
        warn(f"{text}.")
    batch, batch_names = _validate.batch_codes(adata, data["batch_key"])
    split = splits(adata, data["split_key"], labels)
    codes, left_out, kinds = leave_out(labels, batch, batch_names, split)
    codes, codes_with_cells = _compress(codes)
    row, perturbation, split_of_row = _rows(codes, split)
    used, reason = usable(row, perturbation, data["min_cells"], left_out, kinds)
    return Selection(
        labels=labels,
        symbols=symbols,
        symbols_key=symbols_key,
        batch=batch,
        batch_names=batch_names,
        codes=codes,
        names=tuple(labels.names[i] for i in codes_with_cells),
        targets=tuple(labels.targets[i] for i in codes_with_cells),
        row=row,
        perturbation=perturbation,
        split=split_of_row,
        used=used,
        reason=reason,
        left_out=left_out,
        kinds=kinds,
    )


def check_labels(adata: AnnData, labels: Labels, groupby: str) -> None:
    """Log the interpretation of labels, and raise an error for cells that occur in several rows, one per guide."""
    announce(labels, groupby)
    if adata.obs_names.is_unique:
        return
    pairs = pd.DataFrame({"cell": adata.obs_names, "code": labels.codes})[labels.codes >= 0].drop_duplicates()
    n = pairs["cell"].nunique()
    several = int((pairs["cell"].value_counts() > 1).sum())
    if several > REPEATED * n:
        msg = (
            f"{several} of {n} cells occur in several rows with different labels in obs[{groupby!r}], possibly one row per guide "
            f"(high multiplicity of infection). Keep only the cells with one guide: "
            "adata = adata[~adata.obs_names.duplicated(keep=False)].copy()."
        )
        raise ValueError(msg)


def splits(adata: AnnData, split_key: str, labels: Labels) -> IntArray:
    """Return the split of each cell; control cells are train; without the column all are."""
    if split_key not in adata.obs.columns:
        info(f"obs has no column {split_key!r}, so all perturbations are used for training")
        return np.zeros(adata.n_obs, dtype=np.int64)
    return np.where(labels.codes == 0, 0, _validate.split_codes(adata, split_key))


def leave_out(
    labels: Labels, batch: IntArray, batch_names: Sequence[str], split: IntArray
) -> tuple[IntArray, dict[str, int], dict[str, str]]:
    """Return codes with −1 for cells that are left out, and their number and kind by reason."""
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
        for i in np.flatnonzero(controls < MIN_CONTROLS).tolist():
            drop(batch == i, f"batch {batch_names[i]!r} with {controls[i]} control cells", _keys.SMALL_BATCH)
    if small := [reason for reason, kind in kinds.items() if kind == _keys.SMALL_BATCH]:
        cells = sum(left_out[reason] for reason in small)
        warn(
            f"{cells} cells are left out, because their batch has fewer than {MIN_CONTROLS} control cells: {', '.join(small[:5])}."
        )
    n_control = int((codes == 0).sum())
    if n_control < _validate.MIN_CONTROL_CELLS:
        msg = (
            f"The control {labels.reference!r} has {n_control} cells; at least {_validate.MIN_CONTROL_CELLS} are "
            "needed. Pass reference= if another label is the control"
            + (", or use fewer batches." if len(batch_names) > 1 else ".")
        )
        raise ValueError(msg)
    return codes, left_out, kinds


def usable(
    row: IntArray, perturbation: IntArray, min_cells: int, left_out: Mapping[str, int], kinds: Mapping[str, str]
) -> tuple[BoolArray, npt.NDArray[np.str_]]:
    """Return the rows that are used in fits and scores, and the reasons for the others."""
    n = np.bincount(perturbation, weights=np.bincount(row[row >= 0], minlength=len(perturbation)))[perturbation]
    used = (n >= min_cells) | (perturbation == 0)
    if not used[perturbation > 0].any():
        most = int(n[perturbation > 0].max(initial=0))
        small = [reason for reason, kind in kinds.items() if kind == _keys.SMALL_BATCH]
        if most == 0 and small:
            msg = (
                f"No batch contains both control and perturbed cells ({some(small)}), so cells cannot be compared "
                f"with controls of their own batch. Pass another column, or omit batch_key; then differences between "
                f"batches count as effects."
            )
        else:
            msg = f"No perturbation has the minimum number of cells, min_cells={min_cells} (the largest has {most}); lower min_cells."
            if 0 < most < FEW_REPLICATES:
                msg += (
                    " Rows that are bulk replicates or sums over cells are not sufficient, because noise and ceilings "
                    "are estimated from the variance between single cells."
                )
        raise ValueError(msg)
    few = [f"{int(k)} cells, fewer than min_cells={min_cells}" for k in n]
    return used, np.where(used, "", few)


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


def warn_batches(
    adata: AnnData, data: Mapping[str, Any], codes: IntArray, tested: Sequence[str] = ()
) -> dict[str, str]:
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

"""Files with the cells of every feature regime, for training other models."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _genes, _keys, _moments, _store, _validate
from .._core.arrays import BoolArray
from .._docs import docs
from .._files import BESIDE_CELLS, whole_folder
from .._labels import LabelMap, stored_map
from .._log import info, warn_once
from .._moments.profiles import write as write_profiles
from .._moments.values import normalization
from ._cell_files import COUNTS, CellFile, CellValues, Residual, write_cell_files
from ._regime_tables import (
    PERTURBATION,
    SPLIT,
    add_shares,
    add_split,
    cell_table,
    gene_table,
    perturbations_table,
    random_regimes,
    sets_table,
)
from ._regimes import RegimePlan, plan_regimes
from ._regress import regress_profiles

CHECKSUMS, PERTURBATIONS, SPLITS, SETS = BESIDE_CELLS
SPARSE = (_keys.FULL, *_keys.WITHOUT_GENES)
"""Regimes that are written by default: those whose values are sparse."""


@docs.dedent
def write_regimes(
    adata: AnnData,
    folder: str | os.PathLike[str],
    regimes: Sequence[str] | None = None,
    *,
    n_random: int = 0,
    train_only: bool = False,
    covariates: Sequence[str] = (),
    fit_on: str = "control",
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    normalize: bool = False,
    size_factors: str | None = None,
    target_sum: float = 1e4,
    chunk_memory: float = 0.5,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Write the cells of each feature regime to a file, so that any model can be retrained without the confounders.

    All files contain the same cells in the same order, with the same split. If cells are in a file (``backed="r"``),
    they are read in parts, and twice: first to compute moments, then to write the files.

    Parameters
    ----------
    adata
        Cells: log-normalized, or raw counts with ``normalize=True``; in memory or backed by a file.
    folder
        New or empty folder in which the files are written.
    regimes
        Regimes to write: ``"full"``, ``"no_mt"``, ``"no_mt_ribo"``, ``"regressed"`` (see :func:`scpertbias.pp.regimes`).
        By default the first three, if mitochondrial or ribosomal genes are measured. The values of ``"regressed"`` are
        dense, so the file needs 4 bytes per value (cells × genes).
    n_random
        Number of additional regimes ``random_1``, ``random_2``, …, which leave out random genes. The number of these
        genes is the number of confounder genes that ``no_mt_ribo`` leaves out, or ``no_mt`` if there is no
        ``no_mt_ribo``. Their mean expression is similar to that of the confounder genes. With the same ``rng``,
        :func:`scpertbias.tl.audit` draws the same genes.
    train_only
        Whether to leave out the cells of the held-out perturbations.
    covariates
        Columns of ``obs`` for the regime ``regressed``. With ``normalize=True``, missing columns ``pct_counts_mt`` and
        ``pct_counts_ribo`` are computed from the raw counts.
    fit_on
        Cells for fitting the regression: ``"control"`` or ``"train"``.
    %(cells)s
    normalize
        Whether the values are raw counts. If True, they are normalized as in :func:`scpertbias.pp.profiles`.
    size_factors
        Column of ``obs`` with the size factor of each cell, for ``normalize``.
    target_sum
        Total counts per cell after scaling, for ``normalize``.
    chunk_memory
        Limit in gigabytes for the cells that are in memory at the same time, if cells are read in parts.
    %(rng)s

    Returns
    -------
    One row per file of cells: ``regime``, ``file``, ``n_cells``, ``n_genes``, ``bytes`` and ``sha256``. The folder
    contains:

    ``REGIME.h5ad``
        ``X`` is log-normalized; ``layers["counts"]`` contains the raw counts, if ``adata`` has them. ``obs``:
        ``perturbation``, ``split``, ``batch``, ``condition`` (format of GEARS and scGPT), ``target_gene`` (format of
        cell-eval). ``var``: ``gene_name``, and a boolean column for each confounder gene set.
    ``splits.csv``
        The split of every cell. If ``obs`` has no split, one is made by :func:`scpertbias.pp.split`.
    ``perturbations_to_predict.csv``
        Every perturbation with its split and its name in each format. Models are evaluated on the ``test``
        perturbations.
    ``gene_sets.csv``, ``SHA256SUMS``
        The confounder gene sets and the random genes (``source``, ``target``), and the checksum of every file.

    Raises
    ------
    ValueError
        If the folder is not empty, the disk is too small for ``"regressed"``, a requested regime cannot be created, or values
        are on the wrong scale.

    Examples
    --------
    >>> import tempfile
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> files = spb.pp.write_regimes(adata, tempfile.mkdtemp(), batch_key="bio_rep")
    >>> files[["regime", "n_cells", "n_genes"]].to_numpy().tolist()
    [['full', 20729, 303], ['no_mt', 20729, 298]]
    """
    _validate.cells_or_profiles(adata, lazy=True)
    if _store.profiles_record(adata) is not None:
        msg = "`adata` contains profiles; pass the cells."
        raise ValueError(msg)
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"`folder`: {str(folder)!r} is {'not empty' if folder.is_dir() else 'a file'}; choose a new folder."
        raise ValueError(msg)
    data: dict[str, Any] = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": stored_map(label_map),
        "batch_key": batch_key,
        "min_cells": min_cells,
        "layer": layer,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    counts = _store.matrix(adata, COUNTS) if not normalize and _store.has_layer(adata, COUNTS) else None
    cells = _store.light(adata, layer)
    with warn_once():
        if split_key not in cells.obs.columns:
            add_split(cells, data, rng)
        if normalize:
            add_shares(cells, data, covariates, _genes.are_genes(cells)[0], chunk_memory)
        reading: dict[str, Any] = {"normalize": normalize, "size_factors": size_factors, "target_sum": target_sum}
        screen = _moments.of(cells, **data, covariates=covariates, **reading, rng=rng, chunk_memory=chunk_memory)
        profiles = write_profiles(screen, cells.var.loc[screen.genes])
        plan = plan_regimes(profiles, regimes, fit_on=fit_on)
        names = [name for name in plan.genes if regimes is not None or name in SPARSE]
        random = random_regimes(profiles, plan, n_random, rng)
        values = cell_values(cells, data, screen.genes, counts=counts, chunk_memory=chunk_memory, **reading)
        with whole_folder(folder) as temporary:
            maker = FileMaker(cells, profiles, plan, data, fit_on, random)
            files = [maker.file(name, temporary / f"{name}.h5ad", train_only=train_only) for name in (*names, *random)]
            _check_room(files, temporary)
            write_cell_files(values, files)
            maker.write_tables(temporary)
            table = _described(files, temporary)
    info(f"wrote {len(table)} regimes of {len(maker.table)} cells to {folder}")
    return table


def cell_values(
    cells: AnnData,
    data: Mapping[str, Any],
    genes: pd.Index,
    *,
    normalize: bool,
    size_factors: str | None,
    target_sum: float,
    counts: Any = None,
    chunk_memory: float,
) -> CellValues:
    """Return the values of some genes of cells, for writing."""
    how = normalization(cells, normalize, size_factors, target_sum)
    columns = cells.var_names.get_indexer(genes)
    return CellValues(_store.matrix(cells, data["layer"]), columns, how, counts, chunk_memory)


class FileMaker:
    """Defines the files of regimes before the values of cells are read."""

    def __init__(
        self,
        cells: AnnData,
        profiles: AnnData,
        plan: RegimePlan,
        data: Mapping[str, Any],
        fit_on: str,
        random: Mapping[str, BoolArray],
    ) -> None:
        self._cells, self._plan, self._fit_on, self._random = cells, plan, fit_on, random
        self._screen = _moments.of(profiles)
        self.table = cell_table(cells, data)
        self.var = gene_table(profiles, self._screen.symbols.tolist())
        self.perturbations = perturbations_table(self.table)

    def file(self, regime: str, path: Path, *, train_only: bool, test: BoolArray | None = None) -> CellFile:
        """Return the file of a regime; ``test`` are the held-out cells, by default those of the split."""
        keep = self._random[regime] if regime in self._random else self._plan.genes[regime]
        table = self.table
        if test is not None:
            table = table.assign(**{SPLIT: pd.Categorical(np.where(test, "test", "train"))})
        rows = (table[PERTURBATION] != "").to_numpy()
        if train_only:
            rows &= (table[SPLIT] != "test").to_numpy()
        residual = self._residual() if regime == _keys.REGRESSED else None
        notes = {_keys.ROOT: {_keys.LAYERS: {"X": {"kind": "regressed"}}}} if residual is not None else None
        return CellFile(path, table, self.var, rows, np.flatnonzero(keep), residual, notes)

    def _residual(self) -> Residual:
        """Return the residual to subtract, the same as for the moments of the screen."""
        _, fit = regress_profiles(self._screen, None, fit_on=self._fit_on)
        z = _validate.numeric_columns(self._cells, fit.covariates, argument="covariates")
        return Residual(z - fit.slopes.center, fit.slopes.slopes)

    def write_tables(self, folder: Path) -> None:
        """Write the tables and the card."""
        counted = self.table[self.table[PERTURBATION] != ""]
        counted[[PERTURBATION, SPLIT]].to_csv(folder / SPLITS, index_label="cell")
        self.perturbations.to_csv(folder / PERTURBATIONS, index=False)
        sets_table(self.var, self._random).to_csv(folder / SETS, index=False)


def _check_room(files: Sequence[CellFile], folder: Path) -> None:
    """Log the size of dense values, and raise an error if the disk is too small."""
    for file in files:
        if not (size := file.dense_bytes):
            continue
        info(f"{file.path.name}: regressed values are stored dense and need {size / 1e9:.2f} GB")
        if size > (free := shutil.disk_usage(folder).free):
            msg = f"`regimes`: 'regressed' needs {size / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free in {folder.parent}."
            raise ValueError(msg)


def _described(files: Sequence[CellFile], folder: Path) -> pd.DataFrame:
    """Return a row for each file of cells, and write the checksums of all files."""
    checksums = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    (folder / CHECKSUMS).write_text("".join(f"{sum_}  {name}\n" for name, sum_ in checksums.items()), encoding="utf-8")
    rows = [
        {
            "regime": file.path.stem,
            "file": file.path.name,
            "n_cells": int(file.rows.sum()),
            "n_genes": len(file.genes),
            "bytes": file.path.stat().st_size,
            "sha256": checksums[file.path.name],
        }
        for file in files
    ]
    return pd.DataFrame(rows)


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

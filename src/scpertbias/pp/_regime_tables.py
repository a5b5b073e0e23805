"""Tables of an export: labels in the format of other packages, splits, gene sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from .. import _keys, _moments, _store, _validate, ds
from .._core.arrays import BoolArray
from .._core.chunks import chunks
from .._core.matched_genes import Removals
from .._core.sums import row_sums
from .._labels import is_control_word
from .._moments.used_cells import leave_out, splits
from ._annotate import marked, masks
from ._regimes import RegimePlan, removed
from ._split import split

FRACTIONS = (0.8, 0.1, 0.1)
CONTROL = "non-targeting"
"""Name of the control in the column ``target_gene``.

Other columns also use it if the label in the data is not a common word for a control.
"""
PERTURBATION, SPLIT, BATCH = "perturbation", "split", "batch"


def add_split(cells: AnnData, data: Mapping[str, Any], rng: int | np.random.Generator | None) -> None:
    """Split the perturbations of cells, whose values are not read."""
    tables = AnnData(sparse.csr_matrix(cells.shape, dtype=np.float32), obs=cells.obs.copy(), var=cells.var.copy())
    arguments = {key: value for key, value in data.items() if key not in ("batch_key", "layer", "split_key")}
    split(tables, fractions=FRACTIONS, **arguments, key_added=data["split_key"], rng=rng)
    cells.obs[data["split_key"]] = tables.obs[data["split_key"]]


def add_shares(
    cells: AnnData, data: Mapping[str, Any], covariates: Sequence[str], genes: BoolArray, chunk_memory: float
) -> None:
    """Add missing percentages of counts (``pct_counts_mt``, ``pct_counts_ribo``) to ``obs``, in a separate pass."""
    symbols, _ = _validate.gene_symbols(cells, data["gene_symbols"])
    sets = {name: name.removeprefix("pct_counts_") for name in covariates if name not in cells.obs.columns}
    sets = {name: key for name, key in sets.items() if key in ("mt", "ribo")}
    if not sets:
        return
    x = _store.matrix(cells, data["layer"])
    sums = {name: np.zeros(cells.n_obs) for name in sets}
    totals = np.zeros(cells.n_obs)
    for chunk in chunks(x, n_bytes=chunk_memory * 1e9):
        totals[chunk.rows] += row_sums(chunk.x[:, np.flatnonzero(genes[chunk.genes])])
        for name, key in sets.items():
            here = np.flatnonzero((marked(cells, key, symbols) & genes)[chunk.genes])
            sums[name][chunk.rows] += row_sums(chunk.x[:, here])
    for name, counted in sums.items():
        cells.obs[name] = 100 * np.divide(counted, totals, out=np.zeros_like(totals), where=totals > 0)


def cell_table(cells: AnnData, data: Mapping[str, Any]) -> pd.DataFrame:
    """Return ``obs`` with the columns for other packages; ``perturbation`` is "" for cells that are left out.

    Another column of ``obs`` with one of these names is renamed to ``NAME_original``.
    """
    labels, _, _ = _moments.read_labels(cells, data)
    batch, batch_names = _validate.batch_codes(cells, data["batch_key"])
    part = splits(cells, data["split_key"], labels)
    codes, _, _ = leave_out(labels, batch, batch_names, part)
    control = labels.reference if is_control_word(labels.reference) else CONTROL
    names = [control, *labels.names[1:]]
    columns = {
        PERTURBATION: [*names, ""],
        "condition": ["ctrl", *map(_condition, names[1:], labels.targets[1:]), ""],
        "target_gene": [CONTROL, *names[1:], ""],
    }
    table = cells.obs.copy()
    new = {name: pd.Categorical(np.array(values, dtype=object)[codes]) for name, values in columns.items()}
    new[SPLIT] = pd.Categorical(np.array(_keys.SPLITS, dtype=object)[part])
    if len(batch_names) > 1:
        new[BATCH] = pd.Categorical(np.array([*batch_names, ""], dtype=object)[batch])
    if "cell_type" not in table:
        new["cell_type"] = pd.Categorical(np.full(len(table), "cells", dtype=object))  # required by GEARS
    for name, values in new.items():
        if name in table and not np.array_equal(table[name].astype(str).to_numpy(str), np.asarray(values).astype(str)):
            table[f"{name}_original"] = table[name]
        table[name] = values
    return table


def _condition(name: str, targets: Sequence[str]) -> str:
    """Return a label in the format of GEARS and scGPT."""
    genes = list(targets) or [name]
    return f"{genes[0]}+ctrl" if len(genes) == 1 else "+".join(genes)


def gene_table(profiles: AnnData, symbols: Sequence[str]) -> pd.DataFrame:
    """Return ``var`` with symbols, and a boolean column for each set of confounders."""
    table, names = profiles.var.copy(), np.asarray(symbols, dtype=str)
    table["gene_name"] = names
    for name, mask in masks(names, sets=ds.confounder_sets()).items():
        table[name] = marked(profiles, name, names) if name in ("mt", "ribo") else mask
    return table


def perturbations_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Return all perturbations, with their names, splits and numbers of cells.

    A perturbation with cells in several splits is not ``test``.
    """
    perturbed = cells[(cells[PERTURBATION] != "") & (cells["condition"] != "ctrl")]
    rows = []
    for name, group in perturbed.groupby(PERTURBATION, observed=True, sort=True):
        parts = [part for part in _keys.SPLITS if (group[SPLIT] == part).any()]
        rows.append((name, group["condition"].iloc[0], group["target_gene"].iloc[0], parts[0], len(group)))
    return pd.DataFrame(rows, columns=[PERTURBATION, "condition", "target_gene", SPLIT, "n_cells"])


def random_regimes(
    profiles: AnnData, plan: RegimePlan, n_random: int, rng: int | np.random.Generator | None
) -> dict[str, BoolArray]:
    """Return the genes that remain after the random removals of an audit, as many genes as the smallest feature regime."""
    regimes = [name for name in _keys.WITHOUT_GENES if name in plan.genes]
    if not n_random:
        return {}
    if not regimes:
        msg = "`n_random`: random removals need the regime 'no_mt' or 'no_mt_ribo', and these data have neither."
        raise ValueError(msg)
    keep = plan.genes[regimes[-1]]
    confounders = removed(profiles, _keys.WITHOUT_GENES[-1])
    removals = Removals(regimes[-1], ~keep, keep & ~confounders, _moments.of(profiles).moments.control)
    if not removals.possible:
        msg = (
            f"`n_random`: {regimes[-1]!r} leaves out {int((~keep).sum())} genes, and there are too few other genes for a "
            "random removal."
        )
        raise ValueError(msg)
    seed = int(np.random.default_rng(rng).integers(2**32))
    return {
        f"{_keys.RANDOM}_{number + 1}": ~removals.draw(np.random.default_rng([seed, number]))
        for number in range(n_random)
    }


def sets_table(var: pd.DataFrame, random: Mapping[str, BoolArray]) -> pd.DataFrame:
    """Return the measured genes of the confounder gene sets, and those of the random removals (``source``, ``target``)."""
    sets = {str(name): var[name].to_numpy(bool) for name in var if pd.api.types.is_bool_dtype(var[name])}
    sets |= {name: ~keep for name, keep in random.items()}
    rows = [(name, gene) for name, genes in sets.items() for gene in var.index[genes]]
    return pd.DataFrame(rows, columns=["source", "target"])

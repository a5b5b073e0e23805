"""What became of each perturbation, before any model: the table for whoever ran the screen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ... import _tables
from ..._core.arrays import BoolArray, FloatArray
from ..._core.ranking import percentiles
from ..._moments import Screen
from ...pp._annotate import SPECIES, masks
from ...pp._check import REPRODUCIBLE

KINDS = tuple(_tables.TABLES["perturbations"].pick("kind")[0].values)
SYSTEMATIC, OTHER = "systematic", "other"
AXES = ("mt", "ribo", SYSTEMATIC)
MAJORITY = 0.5


def perturbations_table(screen: Screen, check: pd.DataFrame, confounding: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per perturbation: how well it worked, and one word for what it is.

    Parameters
    ----------
    screen
        The screen.
    check
        What :func:`scpertbias.pp.check` found in it.
    confounding
        The table of :func:`scpertbias.tl.confounding`, if there is one (of an audit that of ``full`` is read). Without
        it no axis is known, and ``kind`` is ``reproducible`` where it would be ``mostly shared axis`` or ``specific``.
    """
    rows = check[check["check"] == "perturbation"].reset_index(drop=True)
    names = rows["perturbation"].to_numpy(str)
    target_genes = _target_genes(screen).reindex(names).reset_index(drop=True)
    shares, targeted = _axes(confounding, names)
    in_set = targeted | np.isin(names, _of_marked_targets(screen))
    table = pd.DataFrame(
        {
            "perturbation": names,
            "n_cells": rows["n_cells"].to_numpy(np.int64),
            "reproducibility": rows["reproducibility"].to_numpy(np.float64),
            "effect": np.sqrt(np.maximum(rows["squared_effect"].to_numpy(np.float64), 0.0)),
            "response_share": rows["response_share"].to_numpy(np.float64),
            **{column: target_genes[column] for column in target_genes.columns},
            **{axis: shares[axis].to_numpy() if axis in shares else np.nan for axis in AXES},
            "top_genes": rows["top_genes"],
        }
    )
    table["target_gene"] = table["target_gene"].fillna("")
    left_out = ~np.isin(names, [screen.names[p] for p in np.unique(screen.perturbation[screen.used])])
    table["kind"] = _kinds(table["reproducibility"].to_numpy(), left_out, in_set, shares)
    return table[_tables.columns("perturbations")]


def _kinds(repeat: FloatArray, left_out: BoolArray, in_set: BoolArray, shares: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Return the first word that holds."""
    values = shares.to_numpy(np.float64)
    has_shares = np.isfinite(values).any(axis=1)
    mostly_on_axis = (values > MAJORITY).any(axis=1)
    return np.select(
        [left_out, ~(repeat >= REPRODUCIBLE), in_set, mostly_on_axis, has_shares], KINDS[:5], default=KINDS[5]
    )


def _axes(confounding: pd.DataFrame | None, names: npt.NDArray[np.str_]) -> tuple[pd.DataFrame, BoolArray]:
    """Return each perturbation's share on gene sets and the systematic axis, and whether a target is in a set."""
    if confounding is None:
        return pd.DataFrame(index=names), np.zeros(len(names), dtype=bool)
    if "regime" in confounding.columns:
        confounding = confounding[confounding["regime"] == "full"]
    axes = (confounding["kind"] == "genes") | (confounding["axis"] == SYSTEMATIC)
    rows = confounding[(confounding["level"] == "perturbation") & axes & (confounding["axis"] != OTHER)]
    shares = rows.pivot(index="perturbation", columns="axis", values="share").reindex(names)
    targeted = rows.loc[rows["n_target"].to_numpy(np.float64) > 0, "perturbation"]
    return shares, np.isin(names, targeted.to_numpy(str))


def _of_marked_targets(screen: Screen) -> list[str]:
    """Return the perturbations of a mitochondrial or ribosomal gene, by its name, measured or not."""
    genes = np.array(sorted({gene for targets in screen.targets for gene in targets}), dtype=str)
    if not len(genes):
        return []
    confounder_genes = {
        g for species in SPECIES for mask in masks(genes, species=species).values() for g in genes[mask]
    }
    return [name for name, targets in zip(screen.names, screen.targets, strict=True) if confounder_genes & set(targets)]


def _target_genes(screen: Screen) -> pd.DataFrame:
    """Return z of each perturbation's own gene and its percentile by |z|; of several targets the one that moved least."""
    merged, column = screen.merged, screen.column_of()
    m = merged.moments
    var = m.pooled_var
    rows = {}
    for p, name in enumerate(merged.names):
        columns = np.array([column[gene] for gene in merged.targets[p] if gene in column], dtype=np.int64)
        if not len(columns) or not m.n[p] > 0:
            continue
        se = np.sqrt(var * (1 / m.n[p] + 1 / m.n[m.reference]))
        z = np.divide(m.mean[p] - m.control, se, out=np.zeros(len(se)), where=se > 0)
        gene = columns[np.argmin(np.abs(z[columns]))]
        rows[name] = (str(screen.symbols[gene]), z[gene], percentiles(np.abs(z)[None])[0, gene])
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["target_gene", "target_z", "target_percentile"])
    return table.astype({"target_z": np.float64, "target_percentile": np.float64})  # also where no target is measured

"""Quality of each perturbation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ... import _tables, ds
from ..._core.detection import categories
from ..._moments import Screen
from ...pp._annotate import masks
from .._gene_sets import OTHER, TECHNICAL

KINDS = tuple(_tables.TABLES["perturbations"].pick("kind")[0].values)
SYSTEMATIC = "systematic"
AXES = ("mt", "ribo", SYSTEMATIC)
MAJORITY = 0.5


def perturbations_table(screen: Screen, check: pd.DataFrame, confounding: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per perturbation: whether it worked, and its category.

    Parameters
    ----------
    screen
        The screen.
    check
        Result of :func:`scpertbias.pp.check`.
    confounding
        The table of :func:`scpertbias.tl.confounding`, if available (for an audit, that of ``full``). Without it, no
        perturbation is ``mostly shared``.
    """
    rows = check[check["check"] == "perturbation"].reset_index(drop=True)
    names = rows["perturbation"].to_numpy(str)
    target_genes = _target_genes(screen).reindex(names).reset_index(drop=True)
    shares, targeted = _axes(confounding, names)
    table = pd.DataFrame(
        {
            "perturbation": names,
            "n_cells": rows["n_cells"].to_numpy(np.int64),
            "reproducibility": rows["reproducibility"].to_numpy(np.float64),
            "effect": np.sqrt(np.maximum(rows["squared_effect"].to_numpy(np.float64), 0.0)),
            "response_share": rows["response_share"].to_numpy(np.float64),
            "q": rows["q"].to_numpy(np.float64),
            **{column: target_genes[column] for column in target_genes.columns},
            **{axis: shares[axis].to_numpy() if axis in shares else np.nan for axis in AXES},
            "top_genes": rows["top_genes"],
        }
    )
    table["target_gene"] = table["target_gene"].fillna("")
    table["kind"] = _kinds(screen, targeted, shares).reindex(names, fill_value=KINDS[0]).to_numpy()
    return table[_tables.columns("perturbations")]


def _kinds(screen: Screen, targeted: list[str], shares: pd.DataFrame) -> pd.Series:
    """Return the first category that applies, by perturbation."""
    names = np.array(screen.names)
    axes = shares.columns.intersection([SYSTEMATIC, *TECHNICAL])
    mostly = (shares[axes] > MAJORITY).any(axis=1).reindex(names, fill_value=False).to_numpy(bool)
    in_set = np.isin(names, [*targeted, *_of_marked_targets(screen)])
    return pd.Series(categories(screen.detection, in_set, mostly), index=names)


def _axes(confounding: pd.DataFrame | None, names: npt.NDArray[np.str_]) -> tuple[pd.DataFrame, list[str]]:
    """Return each perturbation's share on gene sets and the shared axis, and those that target a confounder gene set."""
    if confounding is None:
        return pd.DataFrame(index=names), []
    if "regime" in confounding.columns:
        confounding = confounding[confounding["regime"] == "full"]
    axes = (confounding["kind"] == "genes") | (confounding["axis"] == SYSTEMATIC)
    rows = confounding[(confounding["level"] == "perturbation") & axes & (confounding["axis"] != OTHER)]
    shares = rows.pivot(index="perturbation", columns="axis", values="share").reindex(names)
    confounders = rows["axis"].isin(set(ds.confounder_sets()["source"]))
    return shares, rows.loc[confounders & (rows["n_target"] > 0), "perturbation"].tolist()


def _of_marked_targets(screen: Screen) -> list[str]:
    """Return the perturbations of a mitochondrial or ribosomal gene, by its name, measured or not."""
    genes = np.array(sorted({gene for targets in screen.targets for gene in targets}), dtype=str)
    if not len(genes):
        return []
    confounder_genes = {g for mask in masks(genes).values() for g in genes[mask]}
    return [name for name, targets in zip(screen.names, screen.targets, strict=True) if confounder_genes & set(targets)]


def _target_genes(screen: Screen) -> pd.DataFrame:
    """Return the change of the target gene of each perturbation; of several measured targets, the smallest change."""
    d = screen.detection
    return pd.DataFrame(
        {
            "target_gene": np.where(d.own_gene >= 0, screen.symbols[d.own_gene], ""),
            "target_log_change": d.own_effect,
            "target_z": d.own_z,
            "target_q": d.own_q,
            "target_percentile": d.own_percentile,
        },
        index=list(screen.names),
    )

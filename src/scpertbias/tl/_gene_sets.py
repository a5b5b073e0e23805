"""Gene sets for shares of the response: technical sets, programs, and the genes in no confounder gene set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import ds
from .._core.arrays import BoolArray
from .._core.gene_sets import MIN_SET as MIN_SET
from .._moments import Screen
from ..pp._annotate import SPECIES

TECHNICAL = ("mt", "ribo", "heat_shock", "upr_isr", "histone")
"""Technical sets, which change with the state of cells; all other sets are programs."""
MARKED = ("mt", "ribo")
OTHER = "other"
HALF = 0.5


@dataclass(frozen=True)
class GeneSet:
    """A gene set: its measured genes, the symbols of all, and the genes for its null distribution.

    ``bundled`` sets are those of :func:`scpertbias.ds.confounder_sets`, and the genes in none of them.
    """

    name: str
    measured: BoolArray
    symbols: frozenset[str]
    pool: BoolArray
    set_class: str
    confounder: bool
    by_user: bool = False


def measured_sets(adata: AnnData, screen: Screen, sets: pd.DataFrame | None = None) -> list[GeneSet]:
    """Return the confounder gene sets, ``other`` (measured genes in none), and the programs: Hallmark and sets of the user.

    A set of the user replaces a bundled one of the same name.
    """
    species = _species(screen)
    confounders, own = _symbols_of(ds.confounder_sets(species)), {} if sets is None else _symbols_of(sets)
    symbols_of = {**confounders, **_symbols_of(ds.hallmark(species)), **own}
    measured = {name: np.isin(screen.symbols, sorted(symbols)) for name, symbols in symbols_of.items()}
    for name in MARKED:
        if name not in own and name in adata.var.columns and adata.var[name].dtype == bool:
            measured[name] = adata.var[name].to_numpy(bool)
    confounder = np.any([measured[name] for name in confounders], axis=0)
    gene_sets = [
        GeneSet(
            name,
            measured[name],
            symbols | frozenset(screen.symbols[measured[name]].tolist()),
            ~(confounder | measured[name]),
            "technical" if name in TECHNICAL else "program",
            name in confounders,
            name in own,
        )
        for name, symbols in symbols_of.items()
    ]
    n = len(confounders)
    other = GeneSet(OTHER, ~confounder, frozenset(), np.zeros(len(confounder), dtype=bool), "", confounder=True)
    return [*gene_sets[:n], other, *gene_sets[n:]]


def overlapped(sets: Sequence[GeneSet], beyond: Sequence[bool], shares: Sequence[float]) -> list[str]:
    """Return for each set ``beyond`` random genes the set that is named instead, or an empty text.

    Technical sets are first, then sets by share. A set is represented by an earlier one if they have at least half of the
    genes of the smaller set in common.
    """
    order = [i for i in np.argsort(-np.asarray(shares), kind="stable") if beyond[i]]
    order.sort(key=lambda i: sets[i].set_class != "technical")
    instead, leading = [""] * len(sets), list[int]()
    for i in order:
        for j in leading:
            common = int((sets[i].measured & sets[j].measured).sum())
            if common >= HALF * min(sets[i].measured.sum(), sets[j].measured.sum()):
                instead[i] = sets[j].name
                break
        else:
            leading.append(i)
    return instead


def notable(confounding: pd.DataFrame) -> pd.DataFrame:
    """Return the table of shares without Hallmark sets that are not ``beyond`` random genes or represented by another set."""
    leading = confounding["beyond"].eq(True).fillna(False).astype(bool) & (confounding["part_of"] == "")
    bundled = confounding["axis"].isin(set(ds.hallmark()["source"]))
    return confounding[leading | ~bundled]


def _species(screen: Screen) -> str:
    """Return the species with more measured confounder genes."""

    def n_measured(species: str) -> int:
        return int(np.isin(screen.symbols, ds.confounder_sets(species)["target"].to_numpy(str)).sum())

    return max(SPECIES, key=n_measured)


def _symbols_of(sets: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Return the symbols of each set, in the order in which sets occur."""
    missing = {"source", "target"} - set(sets.columns)
    if missing:
        msg = f"`sets` lacks the columns {sorted(missing)}; its columns are {list(sets.columns)}."
        raise ValueError(msg)
    named = sets.dropna(subset=["source", "target"]).astype({"source": str, "target": str})
    if OTHER in set(named["source"]):
        msg = f"`sets` contains a set named {OTHER!r}, but this name means genes in no confounder gene set. Use another name."
        raise ValueError(msg)
    return {str(name): frozenset(frame["target"]) for name, frame in named.groupby("source", sort=False)}

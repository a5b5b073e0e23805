"""Whose axes carry the response?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _moments, _store, _tables, _validate, ds
from .._core.arrays import BoolArray, FloatArray
from .._core.axes import half_effects, resample
from .._core.ceilings import correlation
from .._core.confounding import APPROXIMATE, N_PARTS, Response, Share, direction_shares, gene_set_shares, response
from .._core.confounding import note_codes as note_codes
from .._docs import docs
from .._log import added
from .._moments import Screen
from ..pp._annotate import SPECIES
from ..pp._check import REPRODUCIBLE
from ._compared import data_of_models

MARKED = ("mt", "ribo")
OTHER = "other"
N_TOP = 5


@docs.dedent
def confounding(
    adata: AnnData,
    sets: pd.DataFrame | None = None,
    *,
    n_random: int = 1000,
    n_boot: int = 1000,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Say which share of the response of a screen lies on axes that confound it; no model is asked.

    A model that only knows an axis with a large share explains that much of the response without knowing any
    perturbation. A share is that of the axis alone, free of the noise of finitely many cells (so it may be negative), and
    gene sets are judged by ``p`` against sets of equally expressed genes, directions by their interval.

    Where models are stored, ``groupby`` and the like are read from them.

    Parameters
    ----------
    %(adata)s
    sets
        Gene sets, with columns ``source`` (name) and ``target`` (gene symbol); by default
        :func:`scpertbias.ds.confounder_sets`, with the genes of ``var['mt']`` and ``var['ribo']`` where there are such
        columns.
    n_random
        Random sets of genes for the null.
    n_boot
        Resamples of perturbations and of control blocks for the intervals.
    %(cells)s
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_confounding)s

    Raises
    ------
    ValueError
        If ``sets`` lacks a column.

    References
    ----------
    Kavirayuni & Venturelli 2025, discussion (variance contribution of these genes); Viñas Torné et al., Nature Biotechnology
    2025 (systematic variation).

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.confounding(profiles)
    >>> table = spb.get.confounding(profiles)
    >>> table[table["level"] == "screen"].set_index("axis")["share"].drop("other").idxmax()
    'systematic'
    """
    _validate.cells_or_profiles(adata)
    data = {
        "groupby": groupby,
        "reference": reference,
        "batch_key": batch_key,
        "min_cells": min_cells,
        "layer": layer,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    records = _store.models(adata)
    screen = _moments.of(adata, **(data_of_models(records, data) if records else data))
    gene_sets = measured_sets(adata, screen, sets)
    table = confounding_table(screen, gene_sets, n_random=n_random, n_boot=n_boot, rng=rng)
    adata = adata.copy() if copy else adata
    _store.put(adata, confounding=table)
    added("'confounding', a row for each axis, and for each axis and perturbation (adata.uns['scpertbias'])")
    return adata if copy else None


@dataclass(frozen=True)
class GeneSet:
    """A set of genes: which of the measured ones, and the symbols of all."""

    name: str
    measured: BoolArray
    symbols: frozenset[str]


def measured_sets(adata: AnnData, screen: Screen, sets: pd.DataFrame | None = None) -> list[GeneSet]:
    """Return the sets with the genes that are measured, and at last ``other``, the measured genes in none."""
    gene_sets: list[GeneSet] = []
    for name, symbols in _symbols_of(screen, sets).items():
        measured = np.isin(screen.symbols, sorted(symbols))
        if sets is None and name in MARKED and name in adata.var.columns and adata.var[name].dtype == bool:
            measured = adata.var[name].to_numpy(bool)
        gene_sets.append(GeneSet(name, measured, symbols | frozenset(screen.symbols[measured].tolist())))
    rest = ~np.any([s.measured for s in gene_sets], axis=0) if gene_sets else np.ones(len(screen.genes), dtype=bool)
    return [*gene_sets, GeneSet(OTHER, rest, frozenset())]


def _symbols_of(screen: Screen, sets: pd.DataFrame | None) -> dict[str, frozenset[str]]:
    """Return the symbols of each set, in the order in which sets occur."""
    if sets is None:
        # Of the two species that of which more genes are measured.
        of_species = [ds.confounder_sets(species) for species in SPECIES]
        sets = max(of_species, key=lambda frame: int(np.isin(screen.symbols, frame["target"].to_numpy(str)).sum()))
    missing = {"source", "target"} - set(sets.columns)
    if missing:
        msg = f"`sets` lacks the columns {sorted(missing)}; it holds {list(sets.columns)}."
        raise ValueError(msg)
    named = sets.dropna(subset=["source", "target"]).astype({"source": str, "target": str})
    if OTHER in set(named["source"]):
        msg = f"`sets` holds a set named {OTHER!r}, which here are the genes in no set; give it another name."
        raise ValueError(msg)
    return {str(name): frozenset(frame["target"]) for name, frame in named.groupby("source", sort=False)}


def confounding_table(
    screen: Screen,
    sets: Sequence[GeneSet],
    *,
    n_random: int = 1000,
    n_boot: int = 1000,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Return the table of :func:`confounding`.

    Parameters
    ----------
    screen
        The screen; all splits of a perturbation are taken together.
    sets
        From :func:`measured_sets`.
    n_random
        Random sets of genes for the null.
    n_boot
        Resamples for the intervals.
    rng
        Seed or generator.
    """
    fold_rng, boot_rng, null_rng = np.random.default_rng(rng).spawn(3)
    merged = screen.merged
    m = merged.moments
    halved = np.isfinite(m.half).all(axis=(0, 2))
    rows = np.flatnonzero(merged.used & (merged.perturbation > 0) & halved)
    effects = half_effects(m, rows)
    whole = response(effects, resample(effects, n_boot, boot_rng) if len(rows) and n_boot else None)
    targets = [set(screen.targets[p]) for p in rows]
    targeted = np.array([[not t.isdisjoint(s.symbols) for t in targets] for s in sets], dtype=bool)
    measured = np.array([s.measured for s in sets], dtype=bool)
    by_set = gene_set_shares(
        whole, measured, targeted.reshape(len(sets), -1), control=m.control, n_random=n_random, rng=null_rng
    )
    fold = np.empty(len(rows), dtype=np.int64)
    fold[fold_rng.permutation(len(rows))] = np.arange(len(rows)) * min(N_PARTS, len(rows)) // max(len(rows), 1)
    depth = m.depth_slopes
    by_direction = direction_shares(whole, depth, fold)
    writer = _Writer(screen, whole, [screen.names[p] for p in rows])
    frames = [
        *(writer.frame(s.name, "genes", share, hit) for s, share, hit in zip(sets, by_set, targeted, strict=True)),
        *(writer.frame(name, "direction", share, np.zeros(len(rows), bool)) for name, share in by_direction.items()),
    ]
    table = pd.concat(frames, ignore_index=True)
    order = table["level"].map({"screen": 0, "perturbation": 1}).argsort(kind="stable")
    return table.iloc[order].reset_index(drop=True)[_tables.columns("confounding")]


@dataclass
class _Writer:
    """Writes the rows of an axis."""

    screen: Screen
    whole: Response
    names: list[str]

    def __post_init__(self) -> None:
        effects = self.whole.effects
        self.sign = np.sign(effects.first.sum(axis=0) + effects.second.sum(axis=0))
        r = np.maximum(correlation(effects.first, effects.second), 0.0)
        repeats = 2 * r / (1 + r)
        self.weak = ~(repeats >= REPRODUCIBLE)
        n, effective = len(self.names), self.whole.n_effective
        self.approximate = f"{APPROXIMATE}: {n} perturbations, {effective:.0f} effective"

    def frame(self, name: str, kind: str, share: Share, n_target: BoolArray) -> pd.DataFrame:
        """Return the row of the screen and those of the perturbations."""
        weights = share.weights
        genes = int(np.count_nonzero(weights)) if kind == "genes" else len(self.screen.genes)
        notes = [share.note] if share.note else []
        if np.isfinite(share.low) and self.whole.approximate:
            notes.append(self.approximate)
        row = {
            "axis": name,
            "kind": kind,
            "level": "screen",
            "perturbation": "",
            "share": share.share,
            "ci_low": share.low,
            "ci_high": share.high,
            "null": share.null,
            "p": share.p,
            "shapley": share.shapley,
            "on_systematic": share.on_systematic,
            "share_without": share.share_without,
            "n_target": int(n_target.sum()),
            "n_effective": self.whole.n_effective,
            "n_genes": genes,
            "top_genes": self._top(weights, kind),
            "note": "; ".join(notes),
        }
        if len(share.per_perturbation) == 0 or genes == 0:
            return pd.DataFrame([row])
        single = pd.DataFrame(
            {
                "axis": name,
                "kind": kind,
                "level": "perturbation",
                "perturbation": self.names,
                "share": np.where(self.weak, np.nan, share.per_perturbation),
                "n_target": n_target.astype(np.int64),
                "n_genes": genes,
                "top_genes": "",
                "note": np.where(self.weak, f"reproducibility under {REPRODUCIBLE}", ""),
            }
        )
        return pd.concat([pd.DataFrame([row]), single.reindex(columns=list(row))], ignore_index=True)

    def _top(self, weights: FloatArray, kind: str) -> str:
        """Name the genes that count most, with the way in which they change."""
        if not len(weights) or not np.isfinite(weights).all():
            return ""
        order = np.argsort(-np.abs(weights), kind="stable")[:N_TOP]
        sign = self.sign if kind == "genes" else np.sign(weights)
        return " ".join(f"{self.screen.symbols[g]}{'↑' if sign[g] > 0 else '↓'}" for g in order if weights[g] != 0)

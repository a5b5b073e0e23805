"""Whose axes carry the response?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _moments, _store, _tables, _validate, ds
from .._core.arrays import BoolArray, FloatArray
from .._core.confounding import Share, cut_share, gene_set_shares
from .._core.confounding import note_codes as note_codes
from .._core.directions import N_PARTS, direction_shares
from .._core.gene_sets import MISMATCH as MISMATCH
from .._core.gene_sets import gene_draws
from .._core.noise import SURE
from .._core.response import Response
from .._docs import docs
from .._log import added
from .._moments import Screen
from ..pp._annotate import SPECIES
from ._compared import data_of_models

MARKED = ("mt", "ribo")
OTHER = "other"
N_TOP = 5
TOO_WEAK = "too weak an effect for shares of its own"


@docs.dedent
def confounding(
    adata: AnnData,
    sets: pd.DataFrame | None = None,
    *,
    n_random: int = 1000,
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
    """Compute the shares of a screen's response that lie on gene sets and on directions; no model is needed.

    A model that only knows an axis with a large share explains that much of the response without knowing any
    perturbation. A share is that of the axis alone, free of the noise of finitely many cells (so it may be negative).

    Two shares are kept apart. That of *this screen* is the share of the summed squared effect, to which strong
    perturbations add most; its interval is for other cells of the same perturbations. In that of a *typical*
    perturbation each counts by its reproducibility; its interval is for other perturbations. A gene set is ``beyond``
    equally expressed genes in no set where both shares exceed theirs.

    The shared axis (``systematic``) is that of the other perturbations for each of them, so that a strong perturbation is
    no part of its own axis. Its share is missing where no axis is measurable: where the summed effect is no more than
    noise, or where the perturbations of which the others have a measurable axis account for less than half of the response.

    Where models are stored, ``groupby`` and the like are read from them.

    Parameters
    ----------
    %(adata)s
    sets
        Gene sets, with columns ``source`` (name) and ``target`` (gene symbol); by default
        :func:`scpertbias.ds.confounder_sets`, with the genes of ``var['mt']`` and ``var['ribo']`` where there are such
        columns.
    n_random
        Random sets of genes that each set is compared with; its genes are replaced by some of the nearest in mean
        expression in control that are in no confounder set.
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
    >>> float(table[table["level"] == "screen"].set_index("axis")["share"]["systematic"].round(2))
    0.71
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
    table = confounding_table(screen, gene_sets, n_random=n_random, rng=rng)
    adata = adata.copy() if copy else adata
    _store.put(adata, confounding=table)
    added("'confounding', a row for each axis, and for each axis and perturbation (adata.uns['scpertbias'])")
    return adata if copy else None


@dataclass(frozen=True)
class GeneSet:
    """A set of genes: which of the measured ones, the symbols of all, and from which genes its null is drawn."""

    name: str
    measured: BoolArray
    symbols: frozenset[str]
    pool: BoolArray


def measured_sets(adata: AnnData, screen: Screen, sets: pd.DataFrame | None = None) -> list[GeneSet]:
    """Return the sets with the genes that are measured, and at last ``other``, the measured genes in none."""
    measured: dict[str, BoolArray] = {}
    symbols_of = _symbols_of(screen, sets)
    for name, symbols in symbols_of.items():
        genes = np.isin(screen.symbols, sorted(symbols))
        if sets is None and name in MARKED and name in adata.var.columns and adata.var[name].dtype == bool:
            genes = adata.var[name].to_numpy(bool)
        measured[name] = genes
    confounder = np.isin(screen.symbols, _confounders(screen)["target"].to_numpy(str))
    none = np.zeros(len(screen.genes), dtype=bool)
    confounder |= none if sets is not None else np.any(list(measured.values()), axis=0)
    gene_sets = [
        GeneSet(name, genes, symbols_of[name] | frozenset(screen.symbols[genes].tolist()), ~(confounder | genes))
        for name, genes in measured.items()
    ]
    rest = ~np.any([none, *measured.values()], axis=0)
    return [*gene_sets, GeneSet(OTHER, rest, frozenset(), none)]


def _confounders(screen: Screen) -> pd.DataFrame:
    """Return the confounder gene sets of the species of which more genes are measured."""
    of_species = [ds.confounder_sets(species) for species in SPECIES]
    return max(of_species, key=lambda frame: int(np.isin(screen.symbols, frame["target"].to_numpy(str)).sum()))


def _symbols_of(screen: Screen, sets: pd.DataFrame | None) -> dict[str, frozenset[str]]:
    """Return the symbols of each set, in the order in which sets occur."""
    sets = _confounders(screen) if sets is None else sets
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
        Random sets of genes that each set is compared with.
    rng
        Seed or generator.
    """
    fold_rng, null_rng = np.random.default_rng(rng).spawn(2)
    m, detection = screen.merged.moments, screen.detection
    rows = np.flatnonzero(detection.counted)
    response = Response.of(m, rows, screen.noise_shape)
    targets = [set(screen.targets[p]) for p in rows]
    targeted = np.array([[not t.isdisjoint(s.symbols) for t in targets] for s in sets], dtype=bool)
    by_set = gene_set_shares(
        response,
        np.array([s.measured for s in sets], dtype=bool),
        targeted.reshape(len(sets), -1),
        np.array([s.pool for s in sets], dtype=bool),
        control=m.control,
        draws=gene_draws(n_random, len(screen.genes), null_rng),
    )
    fold = np.empty(len(rows), dtype=np.int64)
    fold[fold_rng.permutation(len(rows))] = np.arange(len(rows)) * min(N_PARTS, len(rows)) // max(len(rows), 1)
    by_direction = direction_shares(response, m.depth_slopes, fold)
    weak = ~(detection.z_effect[rows] >= SURE)
    writer = _Writer(screen, response, [screen.names[p] for p in rows], weak)
    frames = [
        *(writer.frame(s.name, "genes", share, hit) for s, share, hit in zip(sets, by_set, targeted, strict=True)),
        *(writer.frame(name, "direction", share, np.zeros(len(rows), bool)) for name, share in by_direction.items()),
    ]
    table = pd.concat(frames, ignore_index=True)
    order = table["level"].map({"screen": 0, "perturbation": 1}).argsort(kind="stable")
    table = table.iloc[order].reset_index(drop=True)[_tables.columns("confounding")]
    return table.astype({"beyond": "boolean", "common_exists": "boolean"})


@dataclass
class _Writer:
    """Writes the rows of an axis; ``weak`` (P,) perturbations have too little effect for shares of their own."""

    screen: Screen
    response: Response
    names: list[str]
    weak: BoolArray

    def frame(self, name: str, kind: str, share: Share, n_target: BoolArray) -> pd.DataFrame:
        """Return the row of the screen and those of the perturbations."""
        weights = share.weights
        genes = int(np.count_nonzero(weights)) if kind == "genes" else len(self.screen.genes)
        row = {
            "axis": name,
            "kind": kind,
            "level": "screen",
            "perturbation": "",
            **_numbers(share),
            "carriers": " ".join(self.names[p] for p in share.carriers),
            "n_target": int(n_target.sum()),
            "n_effective": self.response.n_effective,
            "n_genes": genes,
            "top_genes": self._top(weights, kind),
            "note": share.note,
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
                "carriers": "",
                "n_target": n_target.astype(np.int64),
                "n_genes": genes,
                "top_genes": "",
                "note": np.where(self.weak, TOO_WEAK, ""),
            }
        )
        return pd.concat([pd.DataFrame([row]), single.reindex(columns=list(row))], ignore_index=True)

    def _top(self, weights: FloatArray, kind: str) -> str:
        """Name the genes that count most, with the way in which they change."""
        if not len(weights) or not np.isfinite(weights).all():
            return ""
        order = np.argsort(-np.abs(weights), kind="stable")[:N_TOP]
        sign = np.sign(self.response.effect.sum(axis=0)) if kind == "genes" else np.sign(weights)
        return " ".join(f"{self.screen.symbols[g]}{'↑' if sign[g] > 0 else '↓'}" for g in order if weights[g] != 0)


def _numbers(share: Share) -> dict[str, object]:
    """Return the columns that an axis has for the whole response."""
    shares_something = np.isfinite(share.common.share)
    return {
        "share": cut_share(share.share, share.low),
        "ci_low": share.low,
        "ci_high": share.high,
        "typical": cut_share(share.typical.share, share.typical.low),
        "typical_ci_low": share.typical.low,
        "typical_ci_high": share.typical.high,
        "null": share.null.share,
        "typical_null": share.null.typical,
        "p": share.null.p,
        "mismatch": share.null.mismatch,
        "beyond": pd.NA if share.beyond is None else share.beyond,
        "shapley": share.shapley,
        "on_systematic": share.on_systematic,
        "share_without": share.share_without,
        "n_axis": share.n_axis,
        "common": cut_share(share.common.share, share.common.low),
        "common_ci_low": share.common.low,
        "common_ci_high": share.common.high,
        "common_exists": share.common.exists if shares_something else pd.NA,
    }

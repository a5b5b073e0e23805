"""Enrichment of gene sets among the top genes of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy.sparse import csc_array

from .. import _store, _tables, _validate
from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.ranking import top_mask
from .._core.resampling import benjamini_hochberg
from .._docs import docs
from .._log import added, info
from ..ds._hallmark import hallmark, read_gmt
from ._attribution_check import agreed_symbols, stored_attributions

RECURRENT = 0.05


@docs.dedent
def enrich(
    adata: AnnData,
    sets: pd.DataFrame | str | Path | None = None,
    *,
    models: str | Sequence[str] | None = None,
    of: str = "attributions",
    k: int = 20,
    tmin: int = 5,
    copy: bool = False,
) -> AnnData | None:
    """Test which gene sets are over-represented among the top genes of a model.

    Look at the columns ``overlap`` and ``k`` first, because a small ``q`` from few genes means little. The column
    ``note`` marks rows in which the list and the set have fewer than 3 genes in common. The background consists of the
    measured genes, and sets are restricted to these genes. The genome is not used as background, because a gene panel
    is not a random sample of the genome: almost any list of genes of the panel would be enriched. The test is Fisher's
    exact test (``decoupler.mt.query_set``).

    Parameters
    ----------
    %(adata)s
    sets
        Gene sets: a frame with ``source`` (the set) and ``target`` (the gene symbol), or the path of a GMT file. By
        default :func:`scpertbias.ds.hallmark`; nothing is downloaded.
    models
        Names of the stored models; by default all (for ``"recurrence"``, also ``"observed"``).
    of
        Origin of the gene lists. ``"attributions"``: for each perturbation, the ``k`` genes with the largest
        attributions. A further list, with the perturbation ``""``, contains the genes with the largest mean
        attribution over perturbations. For this mean, the attributions of each perturbation are scaled to sum 1. Genes
        with attribution 0 are excluded. ``"recurrence"``: the ``k`` genes with the highest counts in
        :func:`scpertbias.tl.recurrence`. The list of the data contains only genes with q < 0.05. The list of a model
        contains only genes whose count is higher than in the data (``excess_ci_low`` above 0).
    k
        Maximum number of genes per list.
    tmin
        Sets with fewer measured genes are left out.
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_enrich)s

    Raises
    ------
    KeyError
        If a model is not stored or has no attributions, or recurrence was not computed.
    ValueError
        If no set has ``tmin`` measured genes, or the file has no sets.

    References
    ----------
    Badia-i-Mompel et al., Bioinformatics Advances 2022 (decoupler); Liberzon et al., Cell Systems 2015 (Hallmark).

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.enrich(profiles)
    >>> table = spb.get.enrich(profiles, perturbation="STAT1")
    >>> table.head(1)[["source", "overlap", "k", "background"]].to_numpy().tolist()
    [['HALLMARK_INTERFERON_GAMMA_RESPONSE', 8, 20, 303]]
    """
    _validate.cells_or_profiles(adata)
    _validate.choice(of, ("attributions", "recurrence"), argument="of")
    if k < 1:
        msg = f"`k` is {k}; it must be at least 1."
        raise ValueError(msg)
    lists = _top_attributions(adata, models, k) if of == "attributions" else _recurring_genes(adata, models, k)
    tested = measured_sets(hallmark() if sets is None else sets, lists.genes, tmin=tmin)
    table = enrich_table(lists, tested)
    if table.empty:
        info("no gene list has a gene in common with any set")
    adata = adata.copy() if copy else adata
    _store.put(adata, enrich=table)
    added("'enrich', one row per model, perturbation and set with a gene in common (adata.uns['scpertbias'])")
    return adata if copy else None


def _top_attributions(adata: AnnData, models: str | Sequence[str] | None, k: int) -> Lists:
    """Return the top genes of each perturbation, after those of the mean."""
    attributions = stored_attributions(adata, models)
    symbols = _validate.gene_symbols(adata, agreed_symbols(adata, attributions))[0]
    order = np.argsort(symbols, kind="stable")
    genes, first = np.unique(symbols[order], return_index=True)
    if not k <= len(genes):
        msg = f"`k` is {k}, but there are {len(genes)} measured genes."
        raise ValueError(msg)
    members = {}
    for name, frame in attributions.items():
        size = np.abs(frame.to_numpy(np.float64).T)[:, order]
        size = np.maximum.reduceat(size, first, axis=1)  # a symbol may repeat
        members[name, "attributions"] = ["", *map(str, frame.columns)], top_genes(size, k)
    return Lists(genes.astype(str), members)


def top_genes(size: FloatArray, k: int) -> BoolArray:
    """Mark the top genes of the mean and of each perturbation (perturbations × genes), ignoring zeros."""
    size = np.where(np.isfinite(size).all(axis=1, keepdims=True), size, 0.0)
    total = size.sum(axis=1, keepdims=True)
    share = np.divide(size, total, out=np.zeros_like(size), where=total > 0)
    size = np.vstack([share.mean(axis=0), size])
    return top_mask(size, k) & (size > 0)


def _recurring_genes(adata: AnnData, models: str | Sequence[str] | None, k: int) -> Lists:
    """Return genes that recur more often than by chance (for models: than in the data), by model and scale."""
    table = _store.table(adata, "recurrence", made_by="spb.tl.recurrence")
    every = list(dict.fromkeys(table["model"]))
    names = every if models is None else [models] if isinstance(models, str) else list(models)
    if missing := [name for name in names if name not in every]:
        msg = f"`models`: {missing} are not in the table of spb.tl.recurrence; choose from {every}."
        raise KeyError(msg)
    column = "symbol" if "symbol" in table.columns else "gene"
    records = {name: None for name in every if name in _store.models(adata)}
    key = agreed_symbols(adata, records) if records else None
    genes = np.unique(_validate.gene_symbols(adata, key)[0])
    recurring = table[((table["q"] < RECURRENT) | (table["excess_ci_low"] > 0)) & table["model"].isin(names)]
    members = {}
    for (name, by), frame in recurring.groupby(["model", "by"], sort=False):
        top = frame.sort_values(["count", "q", "gene"], ascending=[False, True, True])[column].head(k)
        members[str(name), str(by)] = [""], np.isin(genes, top.to_numpy(str))[None]
    return Lists(genes.astype(str), members)


def measured_sets(sets: pd.DataFrame | str | Path, genes: npt.NDArray[np.str_], *, tmin: int) -> pd.DataFrame:
    """Return sets restricted to the measured genes, without those with fewer than ``tmin``."""
    if isinstance(sets, str | Path):
        sets = read_gmt(sets)
    if not isinstance(sets, pd.DataFrame):
        msg = f"`sets` is a {type(sets).__name__}; pass a DataFrame with `source` and `target`, or a GMT file."
        raise TypeError(msg)
    if missing := {"source", "target"} - set(sets.columns):
        msg = f"`sets` lacks the columns {sorted(missing)}; its columns are {list(sets.columns)}."
        raise ValueError(msg)
    frame = sets[["source", "target"]].astype(str).drop_duplicates()
    measured = frame[frame["target"].isin(set(genes.tolist()))]
    size = measured.groupby("source")["target"].transform("size")
    large_enough = measured[size >= max(1, tmin)]
    if large_enough.empty:
        msg = (
            f"`sets`: none of the {frame['source'].nunique()} sets has {tmin} measured genes (the sets contain "
            f"{frame['target'].head(3).tolist()}, …; measured are {genes[:3].tolist()}, …). Lower tmin, or pass sets "
            "with the same gene names (see gene_symbols)."
        )
        raise ValueError(msg)
    lost = frame["source"].nunique() - large_enough["source"].nunique()
    if lost:
        info(
            f"{lost} of {frame['source'].nunique()} sets are left out, because they have fewer than {tmin} measured genes"
        )
    return large_enough.reset_index(drop=True)


MIN_OVERLAP = 3
TOO_SMALL = f"too small: fewer than {MIN_OVERLAP} genes in common"


@dataclass(frozen=True)
class Lists:
    """Lists of genes by (model, of): a name for each, and its genes among the measured ``genes`` (sorted)."""

    genes: npt.NDArray[np.str_]
    members: dict[tuple[str, str], tuple[list[str], BoolArray]]


def enrich_table(lists: Lists, sets: pd.DataFrame) -> pd.DataFrame:
    """Test every list against every set (``source``, ``target``: measured genes only).

    Pairs with a gene in common are listed; the others (p = 1) are included in the adjustment of ``q``.
    """
    codes, names = pd.factorize(sets["source"])
    at = np.searchsorted(lists.genes, sets["target"].to_numpy(str))
    member = csc_array((np.ones(len(at), dtype=np.int64), (at, codes)), shape=(len(lists.genes), len(names)))
    size = np.asarray(member.sum(axis=0), dtype=np.int64)
    genes_of = [np.sort(member.indices[member.indptr[j] : member.indptr[j + 1]]) for j in range(len(names))]
    frames: list[pd.DataFrame] = []
    n_tests: dict[str, int] = {}
    for (model, of), (lines, mask) in lists.members.items():
        overlap, k = np.asarray(mask.astype(np.int64) @ member), mask.sum(axis=1)
        row, column = np.nonzero(overlap)
        overlapping = [lists.genes[genes_of[c][mask[r, genes_of[c]]]] for r, c in zip(row, column, strict=True)]
        frame = {
            "model": model,
            "of": of,
            "perturbation": np.array(lines, dtype=object)[row],
            "source": names.to_numpy(object)[column],
            "overlap": overlap[row, column],
            "k": k[row],
            "set_size": size[column],
            "genes": [", ".join(genes) for genes in overlapping],
        }
        frames.append(pd.DataFrame(frame))
        n_tests[model] = n_tests.get(model, 0) + int((k > 0).sum()) * len(names)
    if not frames:
        return _tables.empty("enrich")
    table = pd.concat(frames, ignore_index=True).assign(background=len(lists.genes))
    table["log_odds"], table["p"] = _odds_and_p(table, len(lists.genes))
    table["q"] = np.nan
    for model, frame in table.groupby("model", sort=False):
        without = np.ones(n_tests[str(model)] - len(frame))
        table.loc[frame.index, "q"] = benjamini_hochberg(np.append(frame["p"], without))[: len(frame)]
    table["note"] = np.where(table["overlap"] < MIN_OVERLAP, TOO_SMALL, "")
    line = table.groupby(["model", "of", "perturbation"], sort=False).ngroup()
    order = np.lexsort((table["p"].to_numpy(), line.to_numpy()))
    return table.iloc[order][_tables.columns("enrich")].reset_index(drop=True)


def _odds_and_p(table: pd.DataFrame, background: int) -> tuple[FloatArray, FloatArray]:
    """Return log odds and p of each row; each distinct table of counts is computed once."""
    cases, inverse = np.unique(table[["k", "overlap", "set_size"]].to_numpy(np.int64), axis=0, return_inverse=True)
    answers = np.full((len(cases), 2), np.nan)
    for k in np.unique(cases[:, 0]):
        rows = np.flatnonzero(cases[:, 0] == k)
        answers[rows] = query(int(k), cases[rows, 1:], background)
    return answers[inverse.ravel(), 0], answers[inverse.ravel(), 1]


def query(k: int, cases: IntArray, background: int) -> FloatArray:
    """Run :func:`decoupler.mt.query_set` for sets with known (overlap, size) with k query genes.

    The result depends on these counts only, and a call for each list would take minutes for a whole screen. Therefore
    one call tests one artificial set for each distinct pair of counts. Returns log odds and p (cases × 2).
    """
    import decoupler as dc

    rows = [
        (str(i), f"{'in' if j < overlap else 'out'}_{j}")
        for i, (overlap, size) in enumerate(cases.tolist())
        for j in range(size)
    ]
    net = pd.DataFrame(rows, columns=["source", "target"])
    answer = dc.mt.query_set([f"in_{j}" for j in range(k)], net, n_bg=background, tmin=0)
    ordered: FloatArray = (
        answer.set_index("source").loc[[str(i) for i in range(len(cases))], ["stat", "pval"]].to_numpy()
    )
    return ordered

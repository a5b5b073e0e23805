"""Shares of the response on gene sets and directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _moments, _store, _tables, _validate
from .._core.arrays import BoolArray, FloatArray
from .._core.confounding import Share, cut_share, gene_set_shares
from .._core.confounding import note_codes as note_codes
from .._core.directions import N_PARTS, direction_shares
from .._core.gene_sets import MIN_SET, enough_draws, gene_draws
from .._core.noise import SURE
from .._core.response import Response
from .._docs import docs
from .._labels import LabelMap
from .._log import added
from .._moments import Screen
from .._results import DATA
from ._compared import data_of_models
from ._composition import TOO_WEAK, composition_table
from ._gene_sets import GeneSet, measured_sets, overlapped

N_TOP = 5
FLAGS = {"beyond": "boolean", "common_exists": "boolean"}


@docs.dedent
def confounding(
    adata: AnnData,
    sets: pd.DataFrame | None = None,
    *,
    n_random: int | None = None,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Compute the shares of the response in gene sets and along shared axes. This does not need a model.

    Technical gene sets change with the state of cells, independently of the perturbation; all others are programs. If
    an axis has a large share, a model can account for much of the response without information on single perturbations.
    Each share is computed for one axis regardless of the others, and corrected for sampling noise, so it can be negative.

    Two shares are computed. The share of *this screen* is the share of the summed squared effects, which strong
    perturbations dominate; its interval accounts for the sampling of cells. The share in a *typical* perturbation is a
    mean weighted by reproducibility; its interval accounts for the sampling of perturbations. The column ``beyond`` is
    true if both shares of a gene set are significantly above the shares of random genes of similar expression.

    The shared axis (``systematic``) of a perturbation is the summed effect of all other perturbations, so that a
    perturbation does not contribute to its own axis. The share is missing if no axis is measurable. This is the case if
    the summed effect does not exceed noise, or if perturbations with a measurable axis make up less than half of the
    response.

    If models are stored in ``adata``, ``groupby`` and the other arguments about cells are read from these models.

    Parameters
    ----------
    %(adata)s
    sets
        Gene sets in addition to :func:`scpertbias.ds.confounder_sets` and :func:`scpertbias.ds.hallmark`, with columns
        ``source`` (name) and ``target`` (gene symbol). A set of the same name replaces a bundled one. The genes of
        ``mt`` and ``ribo`` are taken from ``var`` if it has these columns.
    n_random
        Number of random sets for comparison. In a random set, each gene is replaced by a gene of similar mean
        expression in control cells. Genes of confounder gene sets are not used as replacements. By default 1,000, or
        more if many sets are tested.
    %(cells)s
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_confounding)s
    %(field_composition)s

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
    data = {name: value for name, value in locals().items() if name in DATA}
    records = _store.models(adata)
    screen = _moments.of(adata, **(data_of_models(records, data) if records else data))
    gene_sets = measured_sets(adata, screen, sets)
    table = confounding_table(screen, gene_sets, n_random=n_random, rng=rng)
    adata = adata.copy() if copy else adata
    _store.put(adata, confounding=table, composition=composition_table(screen, gene_sets, table))
    added(
        "'confounding', one row per axis, and one per axis and perturbation (adata.uns['scpertbias'])",
        "'composition', one row per perturbation and group of genes (adata.uns['scpertbias'])",
    )
    return adata if copy else None


def confounding_table(
    screen: Screen,
    sets: Sequence[GeneSet],
    *,
    n_random: int | None = None,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Return the table of :func:`confounding`.

    Parameters
    ----------
    screen
        The screen; all splits of a perturbation are combined.
    sets
        From :func:`scpertbias.tl._gene_sets.measured_sets`.
    n_random
        Number of random sets for comparison; None: enough for the number of sets.
    rng
        Seed or generator.
    """
    fold_rng, null_rng = np.random.default_rng(rng).spawn(2)
    m, detection = screen.merged.moments, screen.detection
    rows = np.flatnonzero(detection.counted)
    response = Response.of(m, rows, screen.noise_shape)
    targets = [set(screen.targets[p]) for p in rows]
    targeted = np.array([[not t.isdisjoint(s.symbols) for t in targets] for s in sets], dtype=bool)
    members, pools = (np.array([getattr(s, name) for s in sets], dtype=bool) for name in ("measured", "pool"))
    n_tested = int(((members.sum(axis=1) >= MIN_SET) & pools.any(axis=1)).sum())
    by_set = gene_set_shares(
        response,
        members,
        targeted.reshape(len(sets), -1),
        pools,
        np.array([s.confounder for s in sets], dtype=bool),
        control=m.control,
        draws=gene_draws(enough_draws(n_tested) if n_random is None else n_random, len(screen.genes), null_rng),
    )
    part_of = overlapped(sets, [bool(share.beyond) for share in by_set], [share.share for share in by_set])
    fold = np.empty(len(rows), dtype=np.int64)
    fold[fold_rng.permutation(len(rows))] = np.arange(len(rows)) * min(N_PARTS, len(rows)) // max(len(rows), 1)
    by_direction = direction_shares(response, m.depth_slopes, fold)
    weak = ~(detection.z_effect[rows] >= SURE)
    writer = _Writer(screen, response, [screen.names[p] for p in rows], weak)
    for s, share, hit, part in zip(sets, by_set, targeted, part_of, strict=True):
        each = s.confounder or s.by_user or bool(share.beyond)
        writer.add(s.name, "genes", share, hit, set_class=s.set_class, part_of=part, each=each)
    for name, share in by_direction.items():
        writer.add(name, "direction", share, np.zeros(len(rows), bool))
    return writer.table()


@dataclass
class _Writer:
    """Collects the rows of axes; ``weak`` (P,) perturbations have effects too weak for shares.

    ``rows`` are about the screen, ``singles`` contains one frame of rows about perturbations for each axis.
    """

    screen: Screen
    response: Response
    names: list[str]
    weak: BoolArray
    rows: list[dict[str, object]] = field(default_factory=list)
    singles: list[pd.DataFrame] = field(default_factory=list)

    def table(self) -> pd.DataFrame:
        """Return the rows of the screen, then those of the perturbations."""
        whole = pd.DataFrame(self.rows)
        singles = [single.reindex(columns=whole.columns) for single in self.singles]
        return pd.concat([whole, *singles], ignore_index=True).astype(FLAGS)[_tables.columns("confounding")]

    def add(
        self,
        name: str,
        kind: str,
        share: Share,
        n_target: BoolArray,
        *,
        set_class: str = "",
        part_of: str = "",
        each: bool = True,
    ) -> None:
        """Add the row of the screen and, optionally, the rows of the perturbations."""
        weights = share.weights
        genes = int(np.count_nonzero(weights)) if kind == "genes" else len(self.screen.genes)
        row: dict[str, object] = {
            "axis": name,
            "kind": kind,
            "set_class": set_class,
            "level": "screen",
            "perturbation": "",
            **_numbers(share),
            "part_of": part_of,
            "carriers": " ".join(self.names[p] for p in share.carriers),
            "n_target": int(n_target.sum()),
            "n_effective": self.response.n_effective,
            "n_genes": genes,
            "top_genes": self._top(weights, kind),
            "note": share.note,
        }
        self.rows.append(row)
        if not each or len(share.per_perturbation) == 0 or genes == 0:
            return
        single = pd.DataFrame(
            {
                "axis": name,
                "kind": kind,
                "set_class": set_class,
                "level": "perturbation",
                "perturbation": self.names,
                "share": np.where(self.weak, np.nan, share.per_perturbation),
                "carriers": "",
                "part_of": part_of,
                "n_target": n_target.astype(np.int64),
                "n_genes": genes,
                "top_genes": "",
                "note": np.where(self.weak, TOO_WEAK, ""),
            }
        )
        self.singles.append(single)

    def _top(self, weights: FloatArray, kind: str) -> str:
        """Return the names of the most important genes, with the direction of change."""
        if not len(weights) or not np.isfinite(weights).all():
            return ""
        order = np.argsort(-np.abs(weights), kind="stable")[:N_TOP]
        sign = np.sign(self.response.effect.sum(axis=0)) if kind == "genes" else np.sign(weights)
        return " ".join(f"{self.screen.symbols[g]}{'↑' if sign[g] > 0 else '↓'}" for g in order if weights[g] != 0)


def _numbers(share: Share) -> dict[str, object]:
    """Return the columns of an axis for the whole response."""
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

"""Balance of perturbations and control over batches, cell types and cell quality."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _moments, _store, _tables, _validate
from .._core.arrays import FloatArray, IntArray
from .._core.balance import N_RANDOM, BalanceShare, composition, quality_shares
from .._core.cell_columns import DEPTH, MT_PERCENT, Levels
from .._core.moments import Moments, within_batches
from .._docs import docs
from .._labels import LabelMap
from .._log import added
from .._moments import Screen
from .._moments.obs_columns import LABELS, TESTED, UNTESTED

PART, P_COLUMN = 0.1, 0.01
OUTCOME = re.compile(r"leiden|louvain|cluster|doublet|(^|[._ ])phase$", re.IGNORECASE)
TYPE = re.compile("type", re.IGNORECASE)
CONFOUNDED, BALANCED, NOTED, ADOPTED = "confounded", "balanced", "noted", "adopted"
CANNOT, DETERMINED, OF_OUTCOME = "cannot be separated", "determined by the labels", "outcome"
NAMES = {DEPTH: "depth", MT_PERCENT: "mitochondrial counts"}


@docs.dedent
def balance(
    adata: AnnData,
    *,
    n_random: int = N_RANDOM,
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
    """Test whether perturbations and control are balanced over batches, cell types and cell quality.

    Suppose that a batch contains a larger share of the cells of a perturbation than of the control cells. Then the
    perturbation differs from the control even without an effect. The test computes this difference for every column of
    ``obs`` with enough control cells in at least two levels, from the control means of the levels. The difference is
    compared with the response of the screen, and with random assignments of the levels to cells.

    If a column is ``confounded``, pass it as ``batch_key``: cells are then compared with the control cells of their own
    level. Columns such as clusters can be results of the perturbation, and so can differences in depth or mitochondrial
    counts. These are listed, but never called confounded.

    Parameters
    ----------
    %(adata)s
    n_random
        Number of random assignments of levels to cells.
    %(cells)s
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_balance)s

    Raises
    ------
    ValueError
        If ``layer`` names a layer of profiles, because level means of the control are stored for ``X`` only.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.tl.balance(adata)
    >>> spb.get.balance(adata, column="bio_rep")["status"].item()
    'noted'
    """
    _validate.cells_or_profiles(adata)
    screen = _moments.of(
        adata,
        groupby=groupby,
        reference=reference,
        combination_sep=combination_sep,
        label_map=label_map,
        batch_key=batch_key,
        min_cells=min_cells,
        layer=layer,
        split_key=split_key,
        gene_symbols=gene_symbols,
        tested=True,
    )
    if TESTED in screen.record["obs_columns_status"] and screen.moments.levels is None:
        msg = f"`layer` is {layer!r}, but for this layer, profiles contain no means of the control by level. Omit layer, or pass cells."
        raise ValueError(msg)
    table = balance_table(screen, n_random=n_random, rng=rng)
    adata = adata.copy() if copy else adata
    _store.put(adata, balance=table)
    added("'balance', one row per column of obs, one for depth and one for the MT percentage (adata.uns['scpertbias'])")
    return adata if copy else None


def balance_table(
    screen: Screen, *, n_random: int = N_RANDOM, rng: int | np.random.Generator | None = 0
) -> pd.DataFrame:
    """Return the table of :func:`balance`; all splits of a perturbation are combined.

    Columns that an audit adopted keep the rows of the test that led to their adoption.
    """
    tester = _Tester(screen, n_random, np.random.default_rng(rng).spawn(1)[0])
    rows = [*tester.adopted(), *tester.columns(), *tester.quality()]
    table = pd.DataFrame(rows, columns=_tables.columns("balance"))
    rank = {status: i for i, status in enumerate(_tables.TABLES["balance"].pick("status")[0].values)}
    order = np.lexsort((-table["share"].fillna(-np.inf), table["status"].map(rank), table["kind"] != "column"))
    return table.iloc[order].reset_index(drop=True).astype({"outcome": "boolean", "n": np.int64, "n_levels": np.int64})


class _Tester:
    """Tests the columns of a screen, one row at a time."""

    def __init__(self, screen: Screen, n_random: int, rng: np.random.Generator) -> None:
        self.record, detection = screen.record, screen.detection
        self.moments: Moments = screen.merged.moments
        self.rows: IntArray = np.flatnonzero(detection.counted)
        self.groups: IntArray = np.concatenate([[self.moments.reference], self.rows])
        self.response = float(detection.squared_effect[self.rows].sum())
        self.known = detection.response_known
        batch_key = self.record.get("batch_key")
        self.within = "" if batch_key is None else " × ".join(map(str, batch_key))
        self.n_random, self.rng = n_random, rng

    def adopted(self) -> list[dict[str, Any]]:
        """Return the rows of the columns within which effects are computed."""
        if isinstance(before := self.record.get("adopted"), pd.DataFrame):
            return before.to_dict("records")
        if not self.within:
            return []
        m = self.moments
        noise = np.nan_to_num(m.control_var).sum(axis=1) / np.maximum(m.n_control, 1)
        one_batch = np.zeros(len(noise), dtype=np.int64)
        share = self._share(m.counts.sum(axis=0), one_batch, m.control_batch, noise, self._response_without_batches())
        n_levels = len(self.record["batch_names"])
        return [self._row(self.within, "column", n_levels, share, 0.0, ADOPTED, note="passed as batch_key", within="")]

    def _response_without_batches(self) -> float:
        """Squared effects against all control cells of any batch, corrected for noise."""
        m, rows = self.moments, self.rows
        raw, var, n = m.raw_mean, m.raw_var.sum(axis=1), m.n
        squares = ((raw[rows] - raw[m.reference]) ** 2).sum()
        return float(squares - (var[rows] / n[rows]).sum() - len(rows) * var[m.reference] / n[m.reference])

    def columns(self) -> list[dict[str, Any]]:
        """Return the rows of the examined columns."""
        looked_at = zip(
            *(self.record.get(f"obs_columns{part}", ()) for part in ("", "_levels", "_status")), strict=True
        )
        rows, number = [], 0
        for name, n_levels, status in looked_at:
            if status == LABELS:
                rows.append(self._row(str(name), "column", int(n_levels), None, np.nan, DETERMINED))
            elif self.moments.levels is not None:
                levels = self.moments.levels.of(number)
                rows.append(self._column(str(name), int(n_levels), levels, tested=status == TESTED))
                number += 1
        return rows

    def _column(self, name: str, n_levels: int, levels: Levels, *, tested: bool) -> dict[str, Any]:
        counts, n = levels.counts[self.groups], self.moments.n[self.rows]
        untested = float(1 - counts[1:].sum() / n.sum()) if n.sum() else np.nan
        share = None
        if tested and len(self.rows):
            share = self._share(counts, levels.batch, levels.mean, levels.noise, self.response)
        return self._row(name, "column", n_levels, share, untested, *self._status(name, share, untested))

    def _share(
        self, counts: FloatArray, batch: IntArray, means: FloatArray, noise: FloatArray, response: float
    ) -> BalanceShare:
        counts = counts if len(counts) == len(self.groups) else counts[self.groups]
        return composition(counts, batch, means, noise, n_random=self.n_random, rng=self.rng).share_of(response)

    def _status(self, name: str, share: BalanceShare | None, untested: float) -> tuple[str, str]:
        """Return the status of a column, and a note."""
        if OUTCOME.search(name):
            return OF_OUTCOME, "possibly a result of the perturbations"
        if share is None or untested > UNTESTED:
            return CANNOT, f"labels and {name} cannot be separated"
        if not share.p <= P_COLUMN:
            return BALANCED, ""
        if not self.known:
            return NOTED, "unbalanced, but the screen has no response above the noise"
        if share.share >= PART:
            asks = f"; if cells had this type before the perturbation, pass batch_key={name!r}"
            return CONFOUNDED, f"labels are confounded with {name}" + (asks if TYPE.search(name) else "")
        return NOTED, "unbalanced, but it accounts for little of the response"

    def quality(self) -> list[dict[str, Any]]:
        """Return the rows of depth and MT %."""
        m, rows = self.moments, self.rows
        quality = m.quality
        if quality is None or not len(rows):
            return []
        var = within_batches(
            quality.var, m.counts.sum(axis=0), np.nan_to_num(quality.control_mean), quality.control_var, m.n_control
        )
        shares = quality_shares(
            quality.mean[rows],
            var[rows],
            m.n[rows],
            m.weights[rows],
            np.nan_to_num(quality.control_mean),
            np.nan_to_num(quality.control_var),
            m.n_control,
            quality.slopes,
            self.response,
        )
        out = []
        for name, share in zip(quality.names, shares, strict=True):
            differs = bool(share.p <= P_COLUMN)
            note = "differs between perturbations" if differs else ""
            if differs and self.known:
                part = f"accounts for {100 * share.share:.0f}%" if share.share >= PART else "accounts for little"
                note = f"{note} and {part} of the response"
            out.append(self._row(name, name, 0, share, np.nan, NOTED if differs else BALANCED, note))
        return out

    def _row(
        self,
        column: str,
        kind: str,
        n_levels: int,
        share: BalanceShare | None,
        untested: float,
        status: str,
        note: str = "",
        *,
        within: str | None = None,
    ) -> dict[str, Any]:
        one = BalanceShare(np.nan, np.nan) if share is None else share
        return {
            "column": column,
            "kind": kind,
            "n": len(self.rows),
            "n_levels": n_levels,
            "share": one.share,
            "null": one.null,
            "null_ci_low": one.null_low,
            "null_ci_high": one.null_high,
            "p": one.p,
            "untested": untested,
            "outcome": kind == "column" and bool(OUTCOME.search(column)),
            "status": status,
            "within": self.within if within is None else within,
            "note": note,
        }


def to_adopt(table: pd.DataFrame) -> str | None:
    """Return the confounded column of largest share that can be used as a batch, or None.

    Cell types are not adopted: they can be mixed cell lines, or a result of perturbations.
    """
    rows = table[(table["status"] == CONFOUNDED) & ~table["column"].str.contains(TYPE)]
    return None if rows.empty else str(rows.loc[rows["share"].idxmax(), "column"])

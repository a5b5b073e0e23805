"""Differential expression of perturbations, computed from profiles on demand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _moments, _store, _tables
from .._core.arrays import IntArray
from .._core.de import p_values, q_values
from .._core.detection import FDR
from .._core.z_scores import scaled, undetectable, z_errors
from .._docs import docs
from .._log import some
from .._moments import Screen
from ._select import modality

AT_ONCE = 1 << 22
"""Number of values (perturbations × genes) that are computed at once."""


@docs.dedent
def de(
    data: AnnData | MuData,
    perturbation: str | Sequence[str] | None = None,
    *,
    q_below: float | None = FDR,
    regime: str | None = None,
) -> pd.DataFrame:
    """Return the differential expression of each perturbation against the control.

    The test is Welch's test with one change: a variance below the pooled variance of the gene is replaced by the pooled
    variance. Without this change, genes without counts in a small group would be significant. Perturbed cells are
    compared with the control cells of their own batch. The test needs only the stored means and variances, so the cells
    are not read again.

    Parameters
    ----------
    data
        Profiles (:func:`scpertbias.pp.profiles`), or the result of :func:`scpertbias.tl.audit`.
    perturbation
        Names of perturbations; by default all.
    q_below
        Only rows with ``q`` below this value are returned; ``None``: all rows.
    regime
        For an audit: the regime; by default ``"full"``.

    Returns
    -------
    %(table_de)s

    Raises
    ------
    KeyError
        If a perturbation or the regime does not exist.
    ValueError
        If ``data`` contains cells.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.get.de(profiles, "IFNGR1").head(3)[["gene", "log_change"]].round(2)
        gene  log_change
    0  PSMB9       -0.88
    1  STAT1       -0.74
    2   JAK2       -0.57
    """
    profiles = modality(data, regime)
    if _store.profiles_record(profiles) is None:
        msg = "`data` contains cells. First compute profiles with spb.pp.profiles."
        raise ValueError(msg)
    screen = _moments.of(profiles).merged
    rows = _rows(screen, perturbation)
    step = max(1, AT_ONCE // max(len(screen.genes), 1))
    parts = [_table(screen, rows[i : i + step], q_below) for i in range(0, len(rows), step)]
    return pd.concat([part for part in parts if len(part)] or [_tables.empty("de")], ignore_index=True)


def _rows(screen: Screen, perturbation: str | Sequence[str] | None) -> IntArray:
    """Return the rows of perturbations with at least two cells; requested perturbations must be among them."""
    usable = np.flatnonzero(screen.used & (screen.moments.n > 1) & (screen.perturbation > 0))
    if perturbation is None:
        return usable
    present = {screen.names[p]: p for p in usable}
    names = [perturbation] if isinstance(perturbation, str) else list(perturbation)
    if missing := [name for name in names if name not in present]:
        msg = f"`perturbation`: {some(map(repr, missing))} not available; choose from {some(present)}."
        raise KeyError(msg)
    return np.array([present[name] for name in names], dtype=np.int64)


def _table(screen: Screen, rows: IntArray, q_below: float | None) -> pd.DataFrame:
    """Return the rows of some perturbations, each sorted by p; genes without a z come last."""
    m, genes = screen.moments, screen.genes.to_numpy(str)
    change, error = m.mean[rows] - m.control, z_errors(m, rows)
    z = scaled(change, error)
    z[undetectable(m, rows)] = np.nan
    q = q_values(z)
    size = np.where(np.isnan(z), -1.0, np.abs(z))  # by z: p of strong changes is 0
    order = np.argsort(-size, axis=1, kind="stable")
    row = np.repeat(np.arange(len(rows)), len(genes)).reshape(order.shape)
    keep = np.ones_like(order, dtype=bool) if q_below is None else np.take_along_axis(q, order, axis=1) < q_below
    at = row[keep], order[keep]
    names = np.array(screen.names)[rows]
    columns = {
        "perturbation": names[at[0]],
        "gene": genes[at[1]],
        "symbol": screen.symbols[at[1]],
        "log_change": change[at],
        "standard_error": error[at],
        "z": z[at],
        "p": p_values(z[at]),
        "q": q[at],
        "is_target": pd.array(screen.target_genes(rows)[at], dtype="boolean"),
    }
    return pd.DataFrame(columns)[_tables.columns("de")]

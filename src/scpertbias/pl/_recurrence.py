"""The most recurrent genes of each model, with the observed share and chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .._docs import docs
from .._keys import OBSERVED
from ._base import axes, chosen_models, finish, one_regime
from ._colors import colors
from ._ranked_lists import RankedList, draw, short, size

SCALES = {
    "delta": "by difference from control",
    "z": "by z of the difference from control",
    "centered": "by z of the effect minus the mean effect",
}
SIGNIFICANT = 0.05
KEY = "◆: observed in the same n perturbations;  dotted: expected by chance;  * and bold: q < 0.05"


@docs.dedent
def recurrence(
    data: AnnData | MuData,
    by: str = "centered",
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    n_genes: int = 15,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the genes that recur most often among the strongest genes, for each model (Tables 1 and 2 of the paper).

    For each gene, a bar shows in which percentage of the n held-out perturbations it is among the strongest genes. The
    diamond is the same percentage in the observed data, on the same perturbations; the dotted line is the percentage
    expected by chance. In the column of the observed data, a star marks genes with q < 0.05; "not tested" means that no
    q was computed. A bar far beyond its diamond means that the model predicts this gene for too many perturbations.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.recurrence`, or the result of :func:`scpertbias.tl.audit`.
    by
        Scale on which effects are ranked: ``"centered"`` (recommended), ``"delta"`` or ``"z"``. See
        :func:`scpertbias.get.recurrence`.
    %(models)s
    regime
        For an audit: the regime to plot; by default ``"full"``.
    n_genes
        Number of genes per model.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If ``by``, a model or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.recurrence(profiles)
    >>> ax = spb.pl.recurrence(profiles, show=False)
    """
    if by not in SCALES:
        msg = f"`by` is {by!r}; it must be one of {list(SCALES)}."
        raise KeyError(msg)
    table = one_regime(data, "recurrence", regime)
    names = chosen_models(table, models)
    table = table[table["by"] == by]
    shade = {OBSERVED: "#FFFFFF", **colors(data, palette)}
    columns = [_column(table[table["model"] == name], name, by, shade[name], n_genes) for name in (OBSERVED, *names)]
    n_rows = max(3, *(len(column.names) for column in columns))
    new, ax = ax is None, axes(ax, figsize, size(len(columns), n_rows))
    label = f"% of the n perturbations: gene is among the most strongly changed\n({SCALES[by]})\n{KEY}"
    draw(ax, columns, label=label, n_rows=n_rows)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _column(rows: pd.DataFrame, name: str, by: str, color: str, n_genes: int) -> RankedList:
    top = rows[rows["count"] > 0].head(n_genes)
    percent = 100 / top["n_perturbations"].to_numpy(np.float64)
    significant = (top["q"] < SIGNIFICANT).to_numpy()
    note = "none" if (rows["note"] == "").all() else "same prediction for all" if by == "centered" else "no effect"
    # The excess refers to the observed count on the perturbations of the model; the observed rows can have others.
    observed = (top["count"] - top["excess"]).to_numpy(np.float64)
    return RankedList(
        title=name,
        names=[f"{short(gene)}{' *' if star else ''}" for gene, star in zip(top["symbol"], significant, strict=True)],
        values=top["count"].to_numpy(np.float64) * percent,
        color=color,
        subtitle=_n_text(rows, is_data=name == OBSERVED),
        note=note,
        diamonds=None if name == OBSERVED else observed * percent,
        ticks=top["expected"].to_numpy(np.float64) * percent,
        bold=significant.tolist(),
    )


def _n_text(rows: pd.DataFrame, *, is_data: bool) -> str:
    """Return the number of perturbations of a column, and for the data whether they were tested (stars need a test)."""
    if rows.empty:
        return ""
    return f"n = {rows['n_perturbations'].iloc[0]}{', not tested' if is_data and rows['q'].isna().all() else ''}"

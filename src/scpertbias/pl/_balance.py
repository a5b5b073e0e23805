"""Share of the response accounted for by cell composition, by column, with the shares expected by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from mudata import MuData

from ..tl._balance import P_COLUMN, PART
from ._base import axes, finish, one_regime
from ._layout import legend_below

SHADES = {
    "confounded": "#D55E00",
    "cannot be separated": "#D55E00",
    "adopted": "#009E73",
    "noted": "#E69F00",
    "outcome": "#BBBBBB",
    "balanced": "#0072B2",
}
MEANINGS = {
    "confounded": "confounded with the labels",
    "cannot be separated": "cannot be separated from the labels",
    "adopted": "adopted: cells are compared within its levels",
    "noted": "noted: unbalanced, but not confounded",
    "outcome": "outcome: probably a result of the experiment",
    "balanced": "balanced",
}
NAMES = {"depth": "counts per cell", "mt_percent": "% mitochondrial"}


def balance(
    data: AnnData | MuData,
    *,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the share of the response accounted for by cell composition, one bar per column of ``obs``.

    The black line on each bar is the 95% interval of the shares that occur if levels are randomly assigned to cells. A
    column is confounded with the perturbation labels if its bar is beyond the dashed line (10%) and p is at most 0.01.
    Pass such a column as ``batch_key``, to compare cells within its levels. Columns with the status ``determined by the
    labels`` are not drawn.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.balance`, or the result of :func:`scpertbias.tl.audit`.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors of the values of ``status``.
    figsize
        Width and height in inches.
    show
        Whether to show the figure; by default ``scanpy.settings.autoshow``, and never if ``ax`` is given.
    return_fig
        Whether to return the figure.

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If :func:`scpertbias.tl.balance` was not run.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.balance(profiles)
    >>> ax = spb.pl.balance(profiles, show=False)
    """
    table = one_regime(data, "balance", None)
    table = table[table["status"] != "determined by the labels"].reset_index(drop=True)
    shades = {**SHADES, **(palette or {})}
    new, ax = ax is None, axes(ax, figsize, (8.4, 2.4 + 0.42 * len(table)))
    for row in table.itertuples():
        _draw(ax, float(row.Index), row, shades[row.status])
    ax.set_yticks(range(len(table)), [NAMES.get(column, column) for column in table["column"]])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.axvline(PART, color="black", linewidth=1.0, linestyle="--")
    ax.margins(x=0.05)
    ax.set_xlabel(
        "share of the response accounted for by composition\n(the share expected by chance is already subtracted)"
    )
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    n = int(table["n"].max()) if len(table) else 0
    ax.set_title(f"{n} perturbations: share of the response accounted for by columns of obs", fontsize="medium")
    _legend(ax, {status: shades[status] for status in dict.fromkeys(table["status"])})
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _draw(ax: Axes, y: float, row: Any, shade: str) -> None:
    """Draw one column: bar, interval expected by chance, and notes on the right."""
    if np.isfinite(row.share):
        ax.barh(y, row.share, height=0.6, color=shade, zorder=2)
    if np.isfinite(row.null_ci_low):
        ax.plot([row.null_ci_low, row.null_ci_high], [y, y], color="black", linewidth=2.2, marker="|", zorder=3)
    facts = [f"{100 * row.share:.1f}%"] if np.isfinite(row.share) else []
    facts += [f"{row.n_levels} levels"] if row.kind == "column" else []
    facts += [f"p {_p_text(row.p)}"] if np.isfinite(row.p) else []
    facts += [f"within {row.within}"] if row.within else []
    ax.annotate(
        ", ".join([row.status, *facts]),
        (1.02, y),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize="small",
        annotation_clip=False,
    )


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _legend(ax: Axes, shades: Mapping[str, str]) -> None:
    handles: list[Any] = [Patch(color=shade, label=MEANINGS[status]) for status, shade in shades.items()]
    handles += [
        Line2D([], [], color="black", linewidth=2.2, label="share by chance (95% interval)"),
        Line2D(
            [],
            [],
            color="black",
            linestyle="--",
            label=f"column of obs: confounded if above {100 * PART:.0f}%, with p ≤ {P_COLUMN:g}",
        ),
    ]
    legend_below(ax, handles)

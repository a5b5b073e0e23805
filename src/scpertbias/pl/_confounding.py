"""Shares of the response by axis, with intervals and shares of random genes of similar expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from mudata import MuData

from .._docs import docs
from ..tl._gene_sets import notable
from ._base import axes, finish, one_regime
from ._colors import set_names
from ._layout import SMALLEST, legend_below

KINDS = {"genes": "gene sets", "direction": "directions"}
SHADES = {"genes": "#0072B2", "direction": "#D55E00"}
MARKERS = {"genes": "o", "direction": "D"}
N_NAMED = 3


@docs.dedent
def confounding(
    data: AnnData | MuData,
    *,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the share of the response in each gene set and along each direction, with its interval.

    Gene sets and directions overlap, so their shares do not add up to 1. A tick is the mean share of random gene sets
    of similar expression. The mark of a gene set is filled if its share is significantly above the shares of random
    sets, both in the screen and in a typical perturbation. A cross is the share in a typical perturbation (mean over
    perturbations, weighted by reproducibility). The strongest genes of each set are listed on the right. Hallmark sets
    are shown only if their mark is filled, and if no other set represents them (column ``part_of``).

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.confounding`, or the result of :func:`scpertbias.tl.audit`.
    regime
        For an audit: the regime to plot; by default ``"full"``.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors of ``"genes"`` and ``"direction"``.
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
        If :func:`scpertbias.tl.confounding` was not run, or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.confounding(profiles)
    >>> ax = spb.pl.confounding(profiles, show=False)
    """
    table = one_regime(data, "confounding", regime)
    n = table.loc[table["level"] == "perturbation", "perturbation"].nunique()
    table = notable(table[(table["level"] == "screen") & (table["n_genes"] > 0)])
    shades = {**SHADES, **(palette or {})}
    new, ax = ax is None, axes(ax, figsize, (8.8, 2.0 + 0.32 * len(table)))
    names = set_names(table["axis"].astype(str))
    y, ticks, labels, top_genes = 0.0, list[float](), list[str](), list[str]()
    for kind, title in KINDS.items():
        style: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": "small"}
        ax.text(-0.02, y, title, ha="right", fontweight="bold", **style)
        if not ticks:
            ax.text(1.02, y, f"{N_NAMED} strongest genes", fontweight="bold", **style)
        for row in table[table["kind"] == kind].itertuples():
            y += 1
            _draw(ax, y, row, shades[kind])
            ticks.append(y)
            labels.append(names[str(row.axis)])
            top_genes.append(" ".join(str(row.top_genes).split()[:N_NAMED]))
        y += 1.4
    ax.set_yticks(ticks, labels)
    ax.set_ylim(y - 0.8, -0.8)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xlabel("share of the response (squared effects, corrected for noise; 95% interval)")
    for place, text in zip(ticks, top_genes, strict=True):
        ax.annotate(
            text,
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=SMALLEST,
            annotation_clip=False,
        )
    ax.set_title(_title(table, n, regime), fontsize="medium")
    _legend(ax, shades)
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _title(table: pd.DataFrame, n: int, regime: str | None) -> str:
    effective = table["n_effective"].max()
    title = f"share of the response in gene sets and directions; {n} perturbations"
    if np.isfinite(effective):
        title += f" (effective number: {effective:.0f})"
    return title + (f", regime {regime}" if regime else "")


def _draw(ax: Axes, y: float, row: Any, shade: str) -> None:
    """Draw one axis, or the reason for a missing share."""
    if not np.isfinite(row.share):
        style: dict[str, Any] = {
            "transform": ax.get_yaxis_transform(),
            "va": "center",
            "fontsize": SMALLEST,
            "style": "italic",
        }
        ax.text(0.02, y, row.note, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1}, **style)
        return
    if np.isfinite(row.ci_low):
        ax.hlines(y, row.ci_low, row.ci_high, colors=shade, linewidth=2.0, zorder=2)
    filled = row.kind == "direction" or (pd.notna(row.beyond) and bool(row.beyond))
    ax.plot(
        row.share,
        y,
        marker=MARKERS[row.kind],
        markersize=6.5,
        markerfacecolor=shade if filled else "white",
        markeredgecolor=shade,
        markeredgewidth=1.5,
        linestyle="none",
        zorder=3,
    )
    if np.isfinite(row.null):
        ax.plot(row.null, y, marker="|", markersize=13, markeredgewidth=2.2, color="black", zorder=4)
    if np.isfinite(row.typical):
        ax.plot(row.typical, y, marker="x", markersize=6, markeredgewidth=1.5, color="0.35", linestyle="none", zorder=4)


def _legend(ax: Axes, shades: Mapping[str, str]) -> None:
    style: dict[str, Any] = {"linestyle": "none", "markeredgewidth": 1.5}
    genes: dict[str, Any] = {"marker": "o", "markeredgecolor": shades["genes"], **style}
    handles = [
        Line2D([], [], markerfacecolor=shades["genes"], label="gene set, above random sets", **genes),
        Line2D([], [], markerfacecolor="white", label="gene set, not above random sets (or not tested)", **genes),
        Line2D([], [], color="black", marker="|", markersize=12, linestyle="none", label="mean of random gene sets"),
        Line2D(
            [], [], color="0.35", marker="x", markersize=6, label="gene set, share in a typical perturbation", **style
        ),
        Line2D([], [], marker="D", color=shades["direction"], linestyle="none", label="direction"),
    ]
    legend_below(ax, handles)

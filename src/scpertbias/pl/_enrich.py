"""Enriched gene sets among the top genes of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .._docs import docs
from ._base import axes, chosen_models, finish, one_regime
from ._layout import SMALLEST

CMAP = "viridis_r"
MOST = 10.0  # -log10 q from which the color no longer changes
SIZE = 420.0
PREFIXES = ("HALLMARK_", "GOBP_", "REACTOME_", "KEGG_")
LONGEST = 42


@docs.dedent
def enrich(
    data: AnnData | MuData,
    perturbation: str = "",
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    n_sets: int = 12,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the most enriched gene sets of each model, with the number of top genes of the model in each set.

    The area of a dot is the share of the top genes that are in the set. The color of a dot is q. A dot is open if fewer
    than 3 top genes are in the set, or if q is at least 0.05.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.enrich`.
    perturbation
        The perturbation to draw. By default, the genes with the largest mean attribution over all perturbations are
        used (after ``tl.enrich`` with ``of="recurrence"``, the recurrent genes).
    models
        Names of the models to draw; by default all tested models.
    regime
        For an audit: the regime to plot; by default ``"full"``.
    n_sets
        Number of sets, those with the smallest p in any model.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If the perturbation, a model or the regime does not exist.
    ValueError
        If there are no results.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.enrich(profiles)
    >>> ax = spb.pl.enrich(profiles, "STAT1", show=False)
    """
    table = one_regime(data, "enrich", regime)
    if table.empty:
        msg = "There is nothing to draw: no gene list of spb.tl.enrich has a gene in common with any set."
        raise ValueError(msg)
    if perturbation not in set(table["perturbation"]):
        msg = f"`perturbation`: {perturbation!r} has no top gene in any set; choose from {_some(table)}."
        raise KeyError(msg)
    names = chosen_models(table, models)
    rows = table[(table["perturbation"] == perturbation) & table["model"].isin(names)]
    if rows.empty:
        msg = f"`models`: none of {names} has a top gene of {perturbation!r} in any set."
        raise KeyError(msg)
    rows = rows[rows["of"] == rows["of"].iloc[0]]
    best = rows.groupby("source")["p"].min().sort_values(kind="stable").index[:n_sets]
    rows = rows[rows["source"].isin(best)]
    new, ax = ax is None, axes(ax, figsize, (5.2 + 0.9 * len(names), 1.9 + 0.36 * len(best)))
    x = rows["model"].map({name: i for i, name in enumerate(names)}).to_numpy(float)
    y = rows["source"].map({name: i for i, name in enumerate(best)}).to_numpy(float)
    dots = _dots(ax, x, y, rows)
    _decorate(ax, names, best, rows, perturbation, palette)
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(dots, ax=ax, shrink=0.6, label="−log10 q")
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _dots(ax: Axes, x: Any, y: Any, rows: pd.DataFrame) -> Any:
    """Draw a dot for each model and set, and its number of genes."""
    strength = np.minimum(-np.log10(np.maximum(rows["q"].to_numpy(float), 1e-300)), MOST)
    area = SIZE * rows["overlap"].to_numpy(float) / rows["k"].to_numpy(float)
    solid = (rows["note"] == "").to_numpy() & (rows["q"] < 0.05).to_numpy()
    limits: dict[str, Any] = {"cmap": CMAP, "vmin": 0.0, "vmax": max(2.0, float(strength.max(initial=0.0)))}
    dots = ax.scatter(
        x[solid], y[solid], s=area[solid], c=strength[solid], edgecolors="black", linewidths=0.8, **limits
    )
    ax.scatter(x[~solid], y[~solid], s=area[~solid], facecolors="none", edgecolors="0.45", linewidths=0.8)
    for at, line, row in zip(x, y, rows.itertuples(), strict=True):
        ax.text(at + 0.22, line, f"{row.overlap}/{row.k}", ha="left", va="center", fontsize=SMALLEST)
    return dots


def _decorate(
    ax: Axes,
    names: Sequence[str],
    best: pd.Index,
    rows: pd.DataFrame,
    perturbation: str,
    palette: Mapping[str, str] | None,
) -> None:
    size = rows.groupby("source")["set_size"].first()
    ax.set_yticks(range(len(best)), [f"{_label(name)} ({size[name]})" for name in best])
    ax.set_ylim(len(best) - 0.4, -0.6)
    ax.set_xticks(
        range(len(names)), [name.replace("_", " ") for name in names], rotation=35, ha="right", rotation_mode="anchor"
    )
    ax.set_xlim(-0.5, len(names) - 0.2)
    for tick, name in zip(ax.get_xticklabels(), names, strict=True):
        if palette and name in palette:
            tick.set_color(palette[name])
    source = (
        "top genes by attribution"
        if rows["of"].iloc[0] == "attributions"
        else f"recurrent genes ({rows['of'].iloc[0]})"
    )
    ax.set_title(f"gene sets enriched in the {source}; {perturbation or 'all perturbations'}", fontsize="medium")
    ax.set_ylabel("gene set (number of measured genes)")
    ax.set_xlabel(
        "numbers: top genes in the set / top genes of the model\nopen circle: under 3 genes in the set, or q ≥ 0.05",
        fontsize="small",
    )
    ax.grid(axis="y", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _label(name: str) -> str:
    """Return a readable, shortened name of a set."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    text = name.replace("_", " ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _some(table: pd.DataFrame) -> list[str]:
    return [name for name in dict.fromkeys(table["perturbation"]) if name][:5]

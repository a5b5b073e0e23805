"""Scores by a user-defined function, between the mean baseline and the noise ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .. import get
from .._docs import docs
from ._base import axes, chosen_models, finish
from ._colors import colors

LOWEST, HIGHEST = -1.25, 1.75


@docs.dedent
def metric(
    data: AnnData | MuData,
    metric: str | None = None,
    *,
    models: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the scaled score of each model with a function of your own, and its 95% interval.

    0 is the mean baseline, 1 the noise ceiling. The labels contain the unscaled score of each model and its specific
    gain. The specific gain is the difference between the scores of predictions on their own and on other perturbations;
    positive values mean that the own score is better.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.metric`.
    metric
        Name of the function; by default the last one.
    %(models)s
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If the function or a model does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_no_change(profiles)
    >>> def error(predicted, observed, control):
    ...     return np.abs(predicted - observed).mean(axis=1)
    >>> spb.tl.metric(profiles, error, name="error", best="lower", uses_control=False, n_boot=100)
    >>> ax = spb.pl.metric(profiles, show=False)
    """
    table = get.metric(data)
    name = str(table["metric"].iloc[-1]) if metric is None else metric
    table = get.metric(data, metric=name)
    names = chosen_models(table, models)
    new, ax = ax is None, axes(ax, figsize, (3.2 + 0.95 * len(names), 4.2))
    shades = colors(data, palette)
    rows = {str(row.model): row for row in table.itertuples()}
    ticks = [_draw(ax, x, rows[model], shades[model]) for x, model in enumerate(names)]
    for y, style, text in ((0, "dashed", "mean baseline (0)"), (1, "dotted", "noise ceiling (1)")):
        ax.axhline(y, color="black", linewidth=1.3, linestyle=style, zorder=0)
        ax.annotate(text, (1, y), (5, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center")
    low, high = ax.get_ylim()
    ax.set_ylim(max(min(low, -0.25), LOWEST), min(max(high, 1.15), HIGHEST))
    ax.set_xticks(range(len(names)), ticks, rotation=35, ha="right", rotation_mode="anchor", fontsize="small")
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylabel(f"{name}, scaled\n(higher is better)")
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _draw(ax: Axes, x: int, row: Any, shade: str) -> str:
    """Draw one model; return the label of its tick."""
    if np.isfinite(row.scaled):
        low, high = np.clip([row.ci_low, row.ci_high], LOWEST, HIGHEST)
        ax.vlines(x, low, high, colors=shade, linewidth=2.5)
        ax.plot(x, np.clip(row.scaled, LOWEST, HIGHEST), "o", markersize=8, color=shade, markeredgecolor="black")
    else:
        ax.text(x, 0.5, "not scaled", ha="center", va="center", fontsize="small", color="0.4")
    gain = f"\ngain {row.specific_gain:+.2g}, p = {row.p:.2g}" if np.isfinite(row.specific_gain) else ""
    return f"{row.model.replace('_', ' ')}\nscore {row.score:.3g}, n = {row.n}{gain}"

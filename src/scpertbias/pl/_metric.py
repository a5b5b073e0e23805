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
    """Plot the scaled score of each model by a user-defined function, with a 95% interval.

    0 is the mean baseline, 1 the noise ceiling. The text on the right contains the unscaled score of each model and its
    specific gain. The specific gain is the difference between two mean scores: of predictions on their own
    perturbation, and on other perturbations. Positive values mean that predictions are better on their own
    perturbation.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.metric`.
    metric
        Name of the function; by default the last function in the table.
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
    new, ax = ax is None, axes(ax, figsize, (8.6, 1.8 + 0.42 * len(names)))
    shades = colors(data, palette)
    rows = {str(row.model): row for row in table.itertuples()}
    for y, model in enumerate(names):
        _draw(ax, y, rows[model], shades[model])
    left, right = ax.get_xlim()
    ax.set_xlim(max(min(left, -0.25), LOWEST), min(max(right, 1.15), HIGHEST))
    for x, style, text in ((0, "dashed", "mean baseline"), (1, "dotted", "noise ceiling")):
        ax.axvline(x, color="black", linewidth=1.3, linestyle=style, zorder=0)
        ax.text(x, 1.01, text, transform=ax.get_xaxis_transform(), ha="center", va="bottom", fontsize=8.5)
    ax.set_yticks(range(len(names)), [model.replace("_", " ") for model in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel(f"{name}, scaled (0: mean baseline, 1: noise ceiling; 95% interval)")
    ax.set_title(f"scaled score of each model: {name}", fontsize="medium", pad=20)
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _draw(ax: Axes, y: int, row: Any, shade: str) -> None:
    """Draw one model, with its numbers on the right."""
    if np.isfinite(row.scaled):
        low, high = np.clip([row.ci_low, row.ci_high], LOWEST, HIGHEST)
        ax.hlines(y, low, high, colors=shade, linewidth=2.5)
        ax.plot(np.clip(row.scaled, LOWEST, HIGHEST), y, "o", markersize=8, color=shade, markeredgecolor="black")
    else:
        ax.text(0.5, y, "not scaled", ha="center", va="center", fontsize="small", color="0.4")
    gain = f", gain {row.specific_gain:+.2g} (p = {row.p:.2g})" if np.isfinite(row.specific_gain) else ""
    text = f"score {row.score:.3g}{gain}, n = {row.n}".replace("-", "−")
    ax.annotate(text, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, annotation_clip=False)

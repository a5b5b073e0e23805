"""Perturbations on the first two components of their effects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox
from mudata import MuData

from .. import _store, get
from .._docs import docs
from ._base import axes, finish, stored_effects
from ._layout import lay_out, place_names, whole_figure
from ._perturbations import LINE, STYLES

OTHERS = ("o", "0.5")
MARK_POINTS = 4
"""Radius of a mark."""


@docs.dedent
def embedding(
    data: AnnData | MuData,
    *,
    regime: str | None = None,
    n_names: int = 12,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot perturbations on the first two principal components of their observed effects, colored by category.

    Perturbations with similar effects are close to each other. The strongest perturbations are named if there is space.

    Parameters
    ----------
    data
        Profiles, or an audit (which contains the categories).
    regime
        For an audit: the regime to plot; by default ``"full"``.
    n_names
        Number of perturbations to label.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors of the categories: a mapping from category to color.
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
        If the regime does not exist.
    ValueError
        If there are no profiles, or fewer than three perturbations.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> ax = spb.pl.embedding(profiles, show=False)
    """
    effects = stored_effects(data, regime)
    n = len(effects.names)
    if n < 3:
        msg = f"The data have {n} perturbations; two components need at least 3."
        raise ValueError(msg)
    places, explained = effects.embedding()
    kinds = dict.fromkeys(effects.names, "")
    if _store.has_table(data, "perturbations"):
        table = get.perturbations(data)
        kinds |= dict(zip(table["perturbation"], table["kind"], strict=True))
    of_row = np.array([kinds[name] for name in effects.names])
    new, ax = ax is None, axes(ax, figsize, (7.4, 4.8))
    for kind in [kind for kind in (*STYLES, "") if (of_row == kind).any()]:
        marker, color = STYLES.get(kind, OTHERS)
        rows = of_row == kind
        edge: dict[str, Any] = {} if marker in LINE else {"edgecolors": "black", "linewidths": 0.5}
        color, label = (palette or {}).get(kind, color), f"{kind} ({rows.sum()})" if kind else ""
        ax.scatter(places[rows, 0], places[rows, 1], marker=marker, color=color, s=32, label=label, zorder=3, **edge)
    for line in (ax.axhline, ax.axvline):
        line(0, color="0.85", linewidth=0.8, zorder=0)
    for label_axis, i in ((ax.set_xlabel, 0), (ax.set_ylabel, 1)):
        label_axis(f"component {i + 1} ({100 * explained[i]:.0f}% of the variance; log-normalized units)")
    ax.set_title(f"{n} perturbations, by observed effect" + (f", regime {regime}" if regime else ""), fontsize="medium")
    if any(kinds.values()):
        ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.spines[["top", "right"]].set_visible(False)
    order = np.argsort(-effects.squared_effect, kind="stable")[:n_names]
    lay_out(ax)
    radius = MARK_POINTS * whole_figure(ax).dpi / 72
    marks = [Bbox([place - radius, place + radius]) for place in ax.transData.transform(places)]
    place_names(ax, places[order], [effects.names[row] for row in order], avoid=marks)
    return finish(ax, new=new, show=show, return_fig=return_fig)

"""Effect and reproducibility of each perturbation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from mudata import MuData

from .. import get
from .._docs import docs
from ._base import axes, finish
from ._layout import legend_below

STYLES = {
    "specific": ("o", "#0072B2"),
    "mostly shared": ("s", "#E69F00"),
    "targets a confounder gene": ("^", "#D55E00"),
    "weak": ("D", "#56B4E9"),
    "target gene only": ("v", "#777777"),
    "not detected": ("x", "#777777"),
    "too few cells": ("+", "#777777"),
}
LINE = ("x", "+")  # markers that are lines
GAP = 0.055  # between names, of the height of the axes
FULL = 1 + int(0.98 / GAP)


@docs.dedent
def perturbations(
    data: MuData,
    *,
    n_names: int = 12,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the strength and reproducibility of the effect of each perturbation, with its category.

    The strongest perturbations are named on the right. Evaluate models on specific effects that are strong and
    reproducible (upper right).

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    n_names
        Number of perturbations to label.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors of the categories: a mapping such as ``{"specific": "green"}``.
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
        If ``data`` is not an audit.
    ValueError
        If ``n_names`` is negative.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=())
    >>> ax = spb.pl.perturbations(mdata, show=False)
    """
    if n_names < 0:
        msg = f"`n_names` is {n_names}; it must be 0 or more."
        raise ValueError(msg)
    table = get.perturbations(data)
    visible = table[np.isfinite(table["effect"]) & np.isfinite(table["reproducibility"])]
    new, ax = ax is None, axes(ax, figsize, (6.6, 4.4))
    for kind, (marker, color) in STYLES.items():
        rows = visible[visible["kind"] == kind]
        if len(rows):
            color = (palette or {}).get(kind, color)
            edge: dict[str, Any] = {} if marker in LINE else {"edgecolors": "black", "linewidths": 0.5}
            label = f"{kind} ({len(rows)})"
            ax.scatter(
                rows["reproducibility"], rows["effect"], marker=marker, color=color, s=30, label=label, zorder=3, **edge
            )
    top = float(visible["effect"].max()) if len(visible) else 1.0
    ax.set_ylim(-0.03 * (top or 1.0), 1.06 * (top or 1.0))
    ax.set_xlim(min(-0.05, float(visible["reproducibility"].min()) - 0.05) if len(visible) else 0.0, 1.03)
    ax.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    ax.set_xlabel("reproducibility (expected cosine with a repeat of the experiment)")
    ax.set_ylabel("size of the effect, corrected for noise\n(log-normalized units)")
    missing = len(table) - len(visible)
    ax.set_title(f"effects of {len(visible)} perturbations" + ((
        f" ({missing} not shown: effect or reproducibility unknown)"
    ) if missing else ""),
                 fontsize="medium")  # fmt: skip
    _name(ax, visible.nlargest(min(n_names, FULL), "effect"))
    ax.spines[["top", "right"]].set_visible(False)
    if len(visible):
        legend_below(ax, ax.get_legend_handles_labels()[0])
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _name(ax: Axes, strongest: pd.DataFrame) -> None:
    """Write names in a column on the right without overlap, each joined to its point by a line."""
    if strongest.empty:
        return
    strongest = strongest.sort_values("effect", ascending=False)
    low, high = ax.get_ylim()
    places = spread((strongest["effect"].to_numpy(np.float64) - low) / (high - low))
    for row, place in zip(strongest.itertuples(), places, strict=True):
        ax.annotate(
            row.perturbation,
            (row.reproducibility, row.effect),
            xytext=(1.03, place),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3},
            annotation_clip=False,
        )


def spread(heights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Separate falling heights with minimal shifts from the top, and move them up if they leave the axes."""
    places = np.minimum(heights, 1.0)
    for i in range(1, len(places)):
        places[i] = min(places[i], places[i - 1] - GAP)
    places[-1] = max(places[-1], 0.0)
    for i in range(len(places) - 2, -1, -1):
        places[i] = max(places[i], places[i + 1] + GAP)
    return places

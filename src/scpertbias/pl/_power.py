"""Expected reproducibility of effects with other numbers of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, ScalarFormatter
from mudata import MuData

from .. import get
from .._docs import docs
from ._base import axes, finish

SCREEN, OTHERS = "screen", "other perturbations"
DEFAULT = {SCREEN: "black", OTHERS: "0.78"}
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


@docs.dedent
def power(
    data: AnnData | MuData,
    perturbation: str | Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the expected reproducibility of effects by number of cells.

    The bold line is the screen, with its 95%% interval; every other line is a perturbation. Dots mark the actual
    numbers of cells. Dashed lines are the required reproducibilities (``targets`` of :func:`scpertbias.tl.power`).

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.power`, or the result of :func:`scpertbias.tl.audit`.
    perturbation
        Names of perturbations to draw in color; by default all are gray.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors: a mapping from ``"screen"``, ``"other perturbations"`` or the name of a perturbation to a color.
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
        If the table was not computed, or a perturbation does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.power(profiles)
    >>> ax = spb.pl.power(profiles, ["STAT1", "CMTM6"], show=False)
    """
    names = [] if perturbation is None else [perturbation] if isinstance(perturbation, str) else list(perturbation)
    get.power(data, perturbation=names or None)  # raises an error for unknown names
    table, now = get.power(data), get.cells_needed(data).drop_duplicates(["level", "perturbation"])
    shade = DEFAULT | {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)} | dict(palette or {})
    new, ax = ax is None, axes(ax, figsize, (6.8, 4.0))
    for target in sorted(get.cells_needed(data)["target"].unique()):
        ax.axhline(target, color="0.6", linewidth=0.8, linestyle="dashed", zorder=1)
    of_screen, labeled = table["level"] == "screen", set()
    for name, curve in table[~of_screen].groupby("perturbation", sort=False):
        label = name if name in names else OTHERS
        style: dict[str, Any] = {"color": shade[label], "zorder": 3 if name in names else 2}
        at = now[(now["perturbation"] == name) & (now["level"] != "screen")]
        ax.plot(at["n_cells"], at["reproducibility"], linestyle="none", marker="o", markersize=3.5, **style)
        width = 1.6 if name in names else 0.8
        text = "_" if label in labeled else label
        labeled.add(label)
        ax.plot(curve["n_cells"], curve["reproducibility"], linewidth=width, label=text, **style)
    curve, at = table[of_screen], now[now["level"] == "screen"]
    ax.fill_between(
        curve["n_cells"], curve["ci_low"], curve["ci_high"], color=shade[SCREEN], alpha=0.2, zorder=4, linewidth=0
    )
    ax.plot(curve["n_cells"], curve["reproducibility"], color=shade[SCREEN], linewidth=2.8, zorder=5, label=SCREEN)
    ax.plot(
        at["n_cells"], at["reproducibility"], linestyle="none", marker="o", color=shade[SCREEN], markersize=7, zorder=6
    )
    ax.set_xscale("log")
    ticks = np.unique(curve["n_cells"])
    ax.set_xticks(ticks[[i for i, n in enumerate(ticks) if str(n)[0] in "125" and set(str(n)[1:]) <= {"0"}]])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("cells per perturbation")
    ax.set_ylabel("expected reproducibility\n(cosine with a repeat)")
    ax.set_title("reproducibility that is expected with other numbers of cells", fontsize="medium")
    dashes = Line2D([], [], color="0.6", linewidth=0.8, linestyle="dashed", label="target")
    dot = Line2D([], [], color="black", marker="o", linestyle="none", markersize=5, label="actual number of cells")
    ax.legend(
        handles=[*ax.get_legend_handles_labels()[0], dot, dashes],
        frameon=False,
        fontsize="small",
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
    )
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)

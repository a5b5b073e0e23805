"""Errors as a function of the number of genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, ScalarFormatter
from mudata import MuData

from .._docs import docs
from ._base import axes, chosen_models, finish, one_regime
from ._colors import colors
from ._target_response import MARKERS

N_TICKS = 6
LABELS = {
    "l2_ratio": "L2 error relative to the mean baseline\n(median; lower is better)",
    "l2": "L2 error (log-normalized units)\n(median; lower is better)",
}


@docs.dedent
def error_by_n_genes(
    data: MuData,
    metric: str = "l2_ratio",
    *,
    subset: str = "all",
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the median error as a function of the number of genes (ED Fig 8 of the paper).

    The dashed line is the mean baseline, the dotted line the noise ceiling (the error of a perfect prediction). Both
    lines are computed on the held-out perturbations of one model, the model that predicts the most perturbations.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    metric
        ``"l2_ratio"`` (relative to the mean baseline) or ``"l2"``.
    subset
        ``"all"``: each model is evaluated on the held-out perturbations that it predicts. ``"common"``: all models are
        evaluated on the held-out perturbations that every model predicts.
    %(models)s
    regime
        For an audit: the regime to plot; by default ``"full"``.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If the metric, the subset, a model or the regime does not exist, or ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("no_change", "mean", "ridge"))
    >>> ax = spb.pl.error_by_n_genes(mdata, show=False)
    """
    if metric not in LABELS:
        msg = f"`metric` is {metric!r}; it must be one of {list(LABELS)}."
        raise KeyError(msg)
    table = one_regime(data, "error_by_n_genes", regime)
    if subset not in set(table["subset"]):
        msg = f"`subset` is {subset!r}; it must be one of {list(dict.fromkeys(table['subset']))}."
        raise KeyError(msg)
    table = table[table["subset"] == subset]
    names = chosen_models(table, models)
    shade = colors(data, palette)
    new, ax = ax is None, axes(ax, figsize, (6.6, 4.0))
    widest = table[table["model"].isin(names)].sort_values("n", ascending=False, kind="stable")["model"].iloc[0]
    first = table[table["model"] == widest]
    baseline = first["l2_baseline"] if metric == "l2" else first["l2_ratio"] * 0 + 1
    ax.plot(
        first["n_genes"], baseline, color="black", linestyle="dashed", linewidth=1.6, zorder=3, label="mean baseline"
    )
    for i, name in enumerate(names):
        rows = table[table["model"] == name]
        line: dict[str, Any] = {"color": shade[name], "marker": MARKERS[i % len(MARKERS)], "linewidth": 1.3}
        # Models may coincide: markers at different places show each.
        every_third: dict[str, Any] = {
            "markevery": (i % 3, 3),
            "markersize": 5.5,
            "markeredgecolor": "black",
            "markeredgewidth": 0.4,
        }
        label = f"{name.replace('_', ' ')} (n = {int(rows['n'].max())})"
        ax.plot(rows["n_genes"], rows[metric], label=label, **line, **every_third)
    ceiling = first[f"{metric}_ceiling"]
    ax.plot(
        first["n_genes"],
        ceiling,
        color="black",
        linestyle="dotted",
        linewidth=1.6,
        label="noise ceiling (perfect prediction)",
    )
    ax.set_xscale("log")
    ax.set_ylim(bottom=0)
    sizes = first["n_genes"].to_numpy()
    ax.set_xticks(sizes[np.linspace(0, len(sizes) - 1, min(N_TICKS, len(sizes))).round().astype(int)])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(f"number of genes, starting with the highest {first['ranked_by'].iloc[0]}")
    ax.set_ylabel(LABELS[metric])
    ax.set_title("median over held-out perturbations" + (f", regime {regime}" if regime else ""), fontsize="medium")
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)

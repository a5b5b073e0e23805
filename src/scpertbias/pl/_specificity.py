"""What models score on their own perturbations, on each other's, and what the axis alone scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from mudata import MuData

from .._docs import docs
from .._keys import OBSERVED
from ._base import axes, chosen_models, colors, finish, one_regime

LABELS = {
    "l2": ("L2 error (log-normalized units)", "lower is better"),
    "pearson_delta": ("Pearson correlation of effects\n(against control)", "higher is better"),
    "pearson_delta_perturbed": ("Pearson correlation of effects\n(against the perturbed mean)", "higher is better"),
    "off_axis": ("Pearson correlation of effects\noff the shared axis", "higher is better"),
}
ALL, HALF = -0.17, 0.22


@docs.dedent
def specificity(
    data: AnnData | MuData,
    metric: str = "pearson_delta_perturbed",
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw each model's score on its own perturbations beside that on the wrong ones, the ceiling, and the axis alone.

    The line from the open to the filled point is what the model gains by knowing which perturbation is which. Beside it,
    on one half of the cells: the model (square), and a prediction that knows only the shared axis (dashed).

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.specificity` or :func:`scpertbias.tl.audit` was run on.
    metric
        One of ``l2``, ``pearson_delta``, ``pearson_delta_perturbed``, ``off_axis``.
    %(models)s
    regime
        Of an audit, the regime to draw; by default ``"full"``.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, else ``None``.

    Raises
    ------
    KeyError
        If the metric, a model or the regime is not there.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.specificity(profiles)
    >>> ax = spb.pl.specificity(profiles, "l2", show=False)
    """
    if metric not in LABELS:
        msg = f"`metric` is {metric!r}; it must be one of {list(LABELS)}."
        raise KeyError(msg)
    table = one_regime(data, "specificity", regime)
    table = table[(table["metric"] == metric) & (table["model"] != OBSERVED)]
    names, all_models = chosen_models(table, models)
    new, ax = ax is None, axes(ax, figsize, (3.6 + 0.95 * len(names), 4.4))
    shades = colors(all_models, palette)
    ticks = []
    for x, name in enumerate(names):
        row = next(table[table["model"] == name].itertuples())
        _draw(ax, x, row, shades[name])
        gain = "" if not np.isfinite(row.specific_gain) else f"\ngain {row.specific_gain:+.2f}, p = {row.p:.2g}"
        ticks.append(f"{name.replace('_', ' ')}\nn = {row.n}{gain}")
    ax.set_xticks(range(len(names)), ticks, rotation=35, ha="right", rotation_mode="anchor", fontsize="small")
    ax.set_xlim(-0.6, len(names) - 0.4)
    label, direction = LABELS[metric]
    ax.set_ylabel(f"{label}\n({direction})")
    if regime:
        ax.set_title(f"regime {regime}", fontsize="medium")
    _legend(ax, half=metric != "off_axis")
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _draw(ax: Axes, x: int, row: Any, shade: str) -> None:
    point: dict[str, Any] = {
        "marker": "o",
        "markersize": 8,
        "markeredgecolor": "black",
        "linestyle": "none",
        "zorder": 3,
    }
    ax.vlines(x + ALL, row.mismatched, row.score, colors="black", linewidth=1.5, zorder=2)
    ax.plot(x + ALL, row.mismatched, markerfacecolor="white", **{**point, "markersize": 10})
    ax.plot(x + ALL, row.score, markerfacecolor=shade, **point)
    ax.hlines(row.ceiling, x - 0.42, x + 0.05, colors="black", linestyles="dotted", linewidth=1.8)
    if np.isfinite(row.score_half):
        ax.plot(x + HALF, row.score_half, markerfacecolor=shade, **{**point, "marker": "s", "markersize": 6})
    if np.isfinite(row.axis_only):
        ax.hlines(row.axis_only, x + 0.08, x + 0.38, colors="black", linestyles="dashed", linewidth=1.4)


def _legend(ax: Axes, *, half: bool) -> None:
    point: dict[str, Any] = {"marker": "o", "markeredgecolor": "black", "linestyle": "none"}
    handles = [
        Line2D([], [], markerfacecolor="grey", markersize=8, label="own perturbations", **point),
        Line2D([], [], markerfacecolor="white", markersize=10, label="wrong perturbations", **point),
        Line2D([], [], color="black", linestyle="dotted", label="ceiling (the truth itself)"),
    ]
    if half:
        square = {**point, "marker": "s"}
        handles += [
            Line2D([], [], markerfacecolor="grey", markersize=6, label="own, on half the cells", **square),
            Line2D([], [], color="black", linestyle="dashed", label="axis alone, on half the cells"),
        ]
    ax.legend(handles=handles, frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))

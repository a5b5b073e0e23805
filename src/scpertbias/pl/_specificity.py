"""What models predict of each perturbation beyond what all share, and scores on own and on wrong perturbations."""

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
from ._base import axes, chosen_models, finish, one_regime
from ._colors import colors

LABELS = {
    "l2": ("L2 error (log-normalized units)", "lower is better"),
    "pearson_delta": ("Pearson correlation of effects\n(against control)", "higher is better"),
    "pearson_delta_perturbed": ("Pearson correlation of effects\n(against the perturbed mean)", "higher is better"),
    "off_axis": ("Pearson correlation of effects\noff the shared axis", "higher is better"),
}
SKILL = "specific_skill"
METRICS = (SKILL, *LABELS)
ALL, HALF = -0.17, 0.22
LOWEST = -1.25
WRONG_SIZE = "right direction, wrong size"


@docs.dedent
def specificity(
    data: AnnData | MuData,
    metric: str = "specific_skill",
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the specific skill of each model, or its scores on its own and on the wrong perturbations.

    The specific skill is 0 for a model that predicts nothing beyond the shared axes, and 1 for the truth; lines are 95%
    intervals. Of the other metrics, the line from the open to the filled point is what a model gains by knowing which
    perturbation is which. To its right, on half of the cells: the model (square), and a prediction that knows only the
    shared axis (dashed).

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.specificity` or :func:`scpertbias.tl.audit` was run on.
    metric
        One of ``specific_skill``, ``l2``, ``pearson_delta``, ``pearson_delta_perturbed``, ``off_axis``.
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
    if metric not in METRICS:
        msg = f"`metric` is {metric!r}; it must be one of {list(METRICS)}."
        raise KeyError(msg)
    whole = one_regime(data, "specificity", regime)
    whole = whole[whole["model"] != OBSERVED]
    table = whole[whole["metric"] == metric]
    names = chosen_models(table, models)
    new, ax = ax is None, axes(ax, figsize, (3.6 + 0.95 * len(names), 4.4))
    shades = colors(data, palette)
    rows = {str(row.model): row for row in table.itertuples()}
    if metric == SKILL:
        slopes = whole[whole["metric"] == "specific_slope"].set_index("model")["score"]
        ticks = [_draw_skill(ax, x, rows[name], slopes[name], shades[name]) for x, name in enumerate(names)]
        _decorate_skill(ax)
    else:
        ticks = [_draw(ax, x, rows[name], shades[name]) for x, name in enumerate(names)]
        label, direction = LABELS[metric]
        ax.set_ylabel(f"{label}\n({direction})")
        _legend(ax, half=metric != "off_axis")
    ax.set_xticks(range(len(names)), ticks, rotation=35, ha="right", rotation_mode="anchor", fontsize="small")
    ax.set_xlim(-0.6, len(names) - 0.4)
    if regime:
        ax.set_title(f"regime {regime}", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _draw_skill(ax: Axes, x: int, row: Any, slope: float, shade: str) -> str:
    """Draw the specific skill of a model with its interval; return the label of its tick."""
    label = f"{row.model.replace('_', ' ')}\nn = {row.n}"
    if not np.isfinite(row.score):
        ax.text(x, 0.5, "no score", ha="center", va="center", fontsize="small", color="0.4")
        return label
    ax.vlines(x, max(row.ci_low, LOWEST), max(row.ci_high, LOWEST), colors=shade, linewidth=2.5)
    if row.score < LOWEST:
        ax.plot(x, LOWEST, "v", markersize=9, markerfacecolor=shade, markeredgecolor="black", zorder=3, clip_on=False)
        ax.text(x, LOWEST + 0.07, f"{row.score:.1f}".replace("-", "−"), ha="center", va="bottom", fontsize="small")
    else:
        ax.plot(x, row.score, "o", markersize=8, markerfacecolor=shade, markeredgecolor="black", zorder=3)
    size = f"\n(× {slope:.2g} fits best)" if row.category == WRONG_SIZE else ""
    return f"{label}\n{row.category}{size}"


def _decorate_skill(ax: Axes) -> None:
    ax.axhline(0, color="0.45", linewidth=1.2, zorder=0)
    ax.axhline(1, color="black", linewidth=1.6, linestyle="dotted", zorder=0)
    for y, text in ((0, "baseline: shared axes only (0)"), (1, "ceiling: the truth (1)")):
        ax.annotate(
            text,
            (1, y),
            (5, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    low, high = ax.get_ylim()
    ax.set_ylim(max(min(low, -0.25), LOWEST), max(high, 1.15))
    ax.set_ylabel("specific skill\n(higher is better)")


def _draw(ax: Axes, x: int, row: Any, shade: str) -> str:
    """Draw the scores of a model on its own and on the wrong perturbations; return the label of its tick."""
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
    gain = f"\ngain {row.specific_gain:+.2f}, p = {row.p:.2g}" if np.isfinite(row.specific_gain) else ""
    return f"{row.model.replace('_', ' ')}\nn = {row.n}{gain}"


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

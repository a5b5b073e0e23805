"""Specific skill of models, and scores on their own and on other perturbations."""

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
from ._layout import legend_below

LABELS = {
    "l2": ("L2 error (log-normalized units)", "lower is better"),
    "pearson_delta": ("Pearson correlation of effects\n(differences from control)", "higher is better"),
    "pearson_delta_perturbed": ("Pearson correlation of effects\n(minus the mean effect)", "higher is better"),
    "off_axis": ("Pearson correlation of effects\nwithout the shared axis", "higher is better"),
}
SKILL, SLOPE, FITTED = "specific_skill", "specific_slope", "specific_fitted"
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
    """Plot the specific skill of each model, or its scores on the predicted perturbation and on other perturbations.

    The specific skill is the skill score after shared axes are removed from all effects. These axes are the mean effect
    of the training perturbations, and the direction in which predictions differ most. The specific skill is 0 for a
    model that predicts only these axes, and 1 at the noise ceiling; lines are 95% intervals. The ring is the specific
    skill after the predicted effects are multiplied by the factor that fits best. For other metrics, the filled point
    is the score of predictions on their own perturbations, and the open point their score on other perturbations. The
    line between the points is the specific gain. The square below is the score of the model on half of the cells. The
    dashed line is the score of a prediction that contains only the shared axis, on the same half of the cells.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.specificity`, or the result of :func:`scpertbias.tl.audit`.
    metric
        One of ``specific_skill``, ``l2``, ``pearson_delta``, ``pearson_delta_perturbed``, ``off_axis``.
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
        If the metric, a model or the regime does not exist.

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
    rows = {str(row.model): row for row in table.itertuples()}
    new, ax = ax is None, axes(ax, figsize, (8.6, 2.0 + 0.42 * max(len(names), 1)))
    shade = colors(data, palette)
    numbers = []
    if metric == SKILL:
        of_size = {key: whole[whole["metric"] == key].set_index("model")["score"] for key in (SLOPE, FITTED)}
        for y, name in enumerate(names):
            numbers.append(
                _draw_skill(ax, y, rows[name], {key: of_size[key].get(name) for key in of_size}, shade[name])
            )
        _decorate_skill(ax)
    else:
        numbers = [_draw(ax, y, rows[name], shade[name]) for y, name in enumerate(names)]
        label, direction = LABELS[metric]
        ax.set_xlabel(f"{label}\n({direction})")
    ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    ax.set_ylim(max(len(names), 1) - 0.4, -0.6)
    for y, text in enumerate(numbers):
        ax.annotate(
            text, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, annotation_clip=False
        )
    what = "specific skill of each model" if metric == SKILL else "scores on own and on other perturbations"
    ax.set_title(what + (f"; regime {regime}" if regime else ""), fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    if metric != SKILL:
        _legend(ax, half=metric != "off_axis")
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _draw_skill(ax: Axes, y: int, row: Any, of_size: Mapping[str, float | None], shade: str) -> str:
    """Draw the specific skill of a model, joined with its skill after scaling by the best factor; return its numbers."""
    n = f"n = {row.n}"
    if not np.isfinite(row.score):
        return f"no score, {n}"
    point: dict[str, Any] = {"markersize": 9, "markeredgecolor": "black", "linestyle": "none", "zorder": 3}
    at, fitted = max(row.score, LOWEST), of_size[FITTED]
    if fitted is not None and np.isfinite(fitted):
        ax.hlines(y, at, fitted, colors="0.6", linewidth=1.2, zorder=1)
        ax.plot(fitted, y, "o", **{**point, "markerfacecolor": "white", "markeredgecolor": shade, "markersize": 7})
    ax.hlines(y, max(row.ci_low, LOWEST), max(row.ci_high, LOWEST), colors=shade, linewidth=2.6, zorder=2)
    ax.plot(at, y, "<" if row.score < LOWEST else "o", markerfacecolor=shade, clip_on=False, **point)
    interval = f" ({row.ci_low:.2f} to {row.ci_high:.2f})" if row.ci_low < row.ci_high else ""
    text = ", ".join(part for part in (f"{row.score:.2f}{interval}", n, row.category) if part)
    slope = of_size[SLOPE]
    return (f"{text}\n(× {slope:.2g} fits best)" if row.category == WRONG_SIZE else text).replace("-0", "−0")


def _decorate_skill(ax: Axes) -> None:
    ax.axvline(0, color="0.45", linewidth=1.2, zorder=0)
    ax.axvline(1, color="black", linewidth=1.6, linestyle="dotted", zorder=0)
    left, right = ax.get_xlim()
    ax.set_xlim(max(min(left, -0.25), LOWEST), max(right, 1.08))
    ax.set_xlabel(
        "specific skill (0: shared axes only, 1: noise ceiling)\nring: after scaling predicted effects by the best "
        "factor"
    )


def _draw(ax: Axes, y: int, row: Any, shade: str) -> str:
    """Draw the scores of a model on its own and on other perturbations; return its numbers."""
    point: dict[str, Any] = {
        "marker": "o",
        "markersize": 8,
        "markeredgecolor": "black",
        "linestyle": "none",
        "zorder": 3,
    }
    ax.hlines(y + ALL, row.mismatched, row.score, colors="black", linewidth=1.5, zorder=2)
    ax.plot(row.mismatched, y + ALL, markerfacecolor="white", **{**point, "markersize": 10})
    ax.plot(row.score, y + ALL, markerfacecolor=shade, **point)
    ax.vlines(row.ceiling, y - 0.4, y + 0.05, colors="black", linestyles="dotted", linewidth=1.8)
    if np.isfinite(row.score_half):
        ax.plot(row.score_half, y + HALF, markerfacecolor=shade, **{**point, "marker": "s", "markersize": 6})
    if np.isfinite(row.axis_only):
        ax.vlines(row.axis_only, y + 0.06, y + 0.38, colors="black", linestyles="dashed", linewidth=1.4)
    gain = f", gain {row.specific_gain:+.2f} (p = {row.p:.2g})" if np.isfinite(row.specific_gain) else ""
    return f"own {row.score:.2f}, other {row.mismatched:.2f}{gain}, n = {row.n}".replace("-", "−")


def _legend(ax: Axes, *, half: bool) -> None:
    point: dict[str, Any] = {"marker": "o", "markeredgecolor": "black", "linestyle": "none"}
    handles = [
        Line2D([], [], markerfacecolor="grey", markersize=8, label="own perturbations", **point),
        Line2D([], [], markerfacecolor="white", markersize=10, label="other perturbations", **point),
        Line2D([], [], color="black", linestyle="dotted", label="noise ceiling (perfect prediction)"),
    ]
    if half:
        square = {**point, "marker": "s"}
        handles += [
            Line2D([], [], markerfacecolor="grey", markersize=6, label="own, on half of the cells", **square),
            Line2D([], [], color="black", linestyle="dashed", label="shared axis only, on half of the cells"),
        ]
    legend_below(ax, handles)

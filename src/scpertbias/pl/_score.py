"""Boxplots of a score by model, with baseline and ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from mudata import MuData

from .._docs import docs
from ._base import axes, finish, held_out_scores
from ._colors import colors

LABELS = {
    "l2": ("L2 error (log-normalized units)", "lower is better"),
    "rmse": ("root mean squared error (log-normalized units)", "lower is better"),
    "mae": ("mean absolute error (log-normalized units)", "lower is better"),
    "mse_de20": ("mean squared error, 20 strongest genes (log-normalized units²)", "lower is better"),
    "pearson_delta": ("Pearson correlation of effects\n(differences from control)", "higher is better"),
    "pearson_delta_perturbed": ("Pearson correlation of effects\n(minus the mean effect)", "higher is better"),
    "pearson_delta_unshared": (
        "Pearson correlation of effects\n(from control, without shared noise)",
        "higher is better",
    ),
    "cosine_delta_unshared": ("cosine of effects\n(from control, without shared noise)", "higher is better"),
    "pearson_delta_perturbed_unshared": (
        "Pearson correlation of effects\n(minus the mean effect, without shared noise)",
        "higher is better",
    ),
    "l2_ratio": ("L2 error relative to the mean baseline", "lower is better"),
    "discrimination": (
        "discrimination (share of other perturbations\nthat are less similar to the prediction)",
        "higher is better",
    ),
}
CHANCE = {"discrimination": 0.5}
UNSHARED = {name: f"{name}_unshared" for name in ("pearson_delta", "pearson_delta_perturbed")}


@docs.dedent
def score(
    data: AnnData | MuData,
    metric: str = "l2_ratio",
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot a score of every held-out perturbation by model, with baseline and ceiling.

    Each box shows quartiles and 5–95%% whiskers over held-out perturbations. The dashed line is the median of the mean
    baseline. The dotted line is the median of the noise ceiling (the score of a perfect prediction). Both lines refer
    to the perturbations of the box. ``metric="l2_ratio"`` is Fig 2c of the paper. Correlations are drawn twice. Filled
    markers are corrected for the noise that predicted and observed effects have in common; open markers are not.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.score`, or the result of :func:`scpertbias.tl.audit`.
    metric
        One of ``l2``, ``rmse``, ``mae``, ``mse_de20``, ``pearson_delta``, ``pearson_delta_unshared``,
        ``pearson_delta_perturbed``, ``pearson_delta_perturbed_unshared``, ``cosine_delta_unshared``, ``l2_ratio``,
        ``discrimination``. Skill scores such as ``l2_skill`` are one number per model and are not plotted; see
        :func:`scpertbias.get.summary`.
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
    >>> spb.pp.split(adata)
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.score(profiles)
    >>> ax = spb.pl.score(profiles, "mae", show=False)
    """
    if metric not in LABELS:
        skill = " A skill score is one number per model; see spb.get.summary."
        hint = skill if str(metric).endswith("_skill") else ""
        msg = f"`metric` is {metric!r}; it must be one of {list(LABELS)}.{hint}"
        raise KeyError(msg)
    held_out, names = held_out_scores(data, models, regime)
    new, ax = ax is None, axes(ax, figsize, (3.6 + 0.75 * len(names), 4.2))
    shade = colors(data, palette)
    ticks = []
    for x, name in enumerate(names):
        frame = held_out[(held_out["model"] == name) & np.isfinite(held_out[metric])]
        ticks.append(f"{name.replace('_', ' ')}\nn = {frame['perturbation'].nunique()}")
        if len(frame):
            _box(ax, x, frame, metric, shade[name])
    _decorate(ax, metric, ticks, held_out, regime)
    return finish(ax, new=new, show=show, return_fig=return_fig)


@docs.dedent
def l2(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the L2 error of every held-out perturbation by model, with baseline and ceiling (Fig 1a of the paper).

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.score`, or the result of :func:`scpertbias.tl.audit`.
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
        If a model or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata)
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.score(profiles)
    >>> ax = spb.pl.l2(profiles, show=False)
    """
    return score(
        data,
        "l2",
        models=models,
        regime=regime,
        ax=ax,
        palette=palette,
        figsize=figsize,
        show=show,
        return_fig=return_fig,
    )


def _box(ax: Axes, x: int, frame: pd.DataFrame, metric: str, color: str) -> None:
    """Draw one model: its box, every perturbation, and the medians of baseline and ceiling on the same perturbations."""
    values = frame[metric].to_numpy(float)
    parts = ax.boxplot(
        [values],
        positions=[x],
        widths=0.55,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "black", "linewidth": 1.6},
    )
    parts["boxes"][0].set(facecolor=color, alpha=0.55, edgecolor="black")
    jitter = (np.arange(len(values)) * 0.618 % 1 - 0.5) * 0.36
    plain, unshared = _markers(metric)
    if plain:
        ax.scatter(
            x - 0.1 + jitter / 2, frame[plain], s=9, facecolors="none", edgecolors="black", linewidths=0.6, zorder=3
        )
        jitter = 0.1 + jitter / 2
    ax.scatter(x + jitter, frame[unshared], s=9, color="black", alpha=0.45, linewidths=0, zorder=3)
    baseline = np.ones(len(frame)) if metric == "l2_ratio" else frame[f"{metric}_baseline"].to_numpy(float)
    if metric not in CHANCE and np.isfinite(baseline).any():
        ax.hlines(np.nanmedian(baseline), x - 0.42, x + 0.42, colors="black", linestyles="dashed", linewidth=1.3)
    if f"{metric}_ceiling" in frame:
        ceiling = frame[f"{metric}_ceiling"].to_numpy(float)
        if np.isfinite(ceiling).any():
            ax.hlines(np.nanmedian(ceiling), x - 0.42, x + 0.42, colors="black", linestyles="dotted", linewidth=1.8)


def _markers(metric: str) -> tuple[str | None, str]:
    """Return the scores that are drawn with open and with filled markers."""
    for plain, unshared in UNSHARED.items():
        if metric in (plain, unshared):
            return plain, unshared
    return None, metric


def _decorate(ax: Axes, metric: str, ticks: list[str], held_out: pd.DataFrame, regime: str | None) -> None:
    label, direction = LABELS[metric]
    ax.set_xticks(range(len(ticks)), ticks, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.6, len(ticks) - 0.4)
    ax.set_ylabel(f"{label}\n({direction})")
    n = held_out["perturbation"].nunique()
    ax.set_title(f"{n} held-out perturbations" + (f", regime {regime}" if regime else ""), fontsize="medium")
    handles = []
    if metric in CHANCE:
        ax.axhline(CHANCE[metric], color="black", linestyle="dashed", linewidth=1.3)
        handles.append(Line2D([], [], color="black", linestyle="dashed", label="chance"))
    else:
        handles.append(Line2D([], [], color="black", linestyle="dashed", label="baseline (training\nmean), median"))
    if f"{metric}_ceiling" in held_out:
        handles.append(
            Line2D([], [], color="black", linestyle="dotted", label="noise ceiling (perfect\nprediction), median")
        )
    if _markers(metric)[0]:
        for face, kind in (("none", "plain"), ("black", "without shared noise")):
            marker = Line2D([], [], color="black", marker="o", linestyle="none", markersize=4, label=kind)
            marker.set_markerfacecolor(face)
            handles.append(marker)
    ax.legend(handles=handles, frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.spines[["top", "right"]].set_visible(False)

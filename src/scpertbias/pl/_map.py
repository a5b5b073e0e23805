"""Skill and specific skill of each model."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from mudata import MuData

from .. import _results, _store
from .._docs import docs
from .._keys import NEGLIGIBLE
from ..get._select import modality
from ._base import axes, chosen_models, finish, one_regime
from ._colors import colors
from ._layout import lay_out, place_names, whole_figure

SKILL, SPECIFIC = "l2_skill", "specific_skill"
QUADRANTS = (
    ("accurate and specific", 1, 1),
    ("accurate, not specific", 1, 0),
    ("specific, not accurate", 0, 1),
    ("not better than the mean", 0, 0),
)
"""Name of the quadrant, whether it is to the right of 0, and whether it is above 0."""
BASELINES = ("mean", "no_change")
LOWEST, LEFT = -1.0, -0.35
CLOSE = 0.02
"""Two models are drawn as one mark if they differ by less than this value in each of the two skills."""
MARK_POINTS = 8
"""Radius of a mark."""
TITLE_LETTERS = 84


@docs.dedent
def map(
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
    """Plot the skill of each model against its specific skill.

    Both are 0 for the mean baseline and 1 at the noise ceiling. For combinations, the baseline is the additive
    prediction. Lines are 95%% intervals. A model in the upper right predicts the specific effect of each perturbation.
    A model in the lower right is accurate, but predicts only the effects that all perturbations have in common.
    Constant predictions have a specific skill of 0. Models with the same skills are drawn as one mark.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`, or data after :func:`scpertbias.tl.score` and
        :func:`scpertbias.tl.specificity`.
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
        If a model or the regime does not exist, or there are no scores.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.tl.score(profiles)
    >>> spb.tl.specificity(profiles)
    >>> ax = spb.pl.map(profiles, show=False)
    """
    table = _places(data, models, regime)
    visible = table[np.isfinite(table["skill"]) & np.isfinite(table["specific"])]
    new, ax = ax is None, axes(ax, figsize, (6.8, 5.6))
    shade = colors(data, palette)
    _limits(ax, visible)
    _quadrants(ax)
    groups = _groups(visible)
    for rows in groups:
        _mark(ax, rows, shade)
    missing = table.loc[~table["model"].isin(visible["model"]), "model"]
    _decorate(ax, visible, missing.tolist(), regime)
    _names(ax, groups)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _places(data: AnnData | MuData, models: str | Sequence[str] | None, regime: str | None) -> pd.DataFrame:
    """Return skill and specific skill of the models to draw, with their intervals."""
    summary = one_regime(data, "summary", regime)
    summary = summary[(summary["subset"] == "all") & (summary["metric"] == SKILL)].set_index("model")
    specificity = one_regime(data, "specificity", regime)
    specificity = specificity[specificity["metric"] == SPECIFIC].set_index("model")
    names = chosen_models(summary.reset_index(), models)
    parts = {
        "skill": summary["estimate"],
        "skill_low": summary["ci_low"],
        "skill_high": summary["ci_high"],
        "specific": specificity["score"],
        "specific_low": specificity["ci_low"],
        "specific_high": specificity["ci_high"],
        "n": summary["n"],
    }
    table = pd.DataFrame({key: values.reindex(names) for key, values in parts.items()})
    constant = {*_results.constant(_store.models(modality(data, regime))), *BASELINES}
    table["generic"] = table.index.isin(constant)
    table.loc[table["generic"], "specific"] = 0.0
    for low, high in (("skill_low", "skill_high"), ("specific_low", "specific_high")):
        table.loc[~(table[high] - table[low] > NEGLIGIBLE), [low, high]] = np.nan
    return table.rename_axis("model").reset_index()


def _groups(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return groups of models that are drawn as one mark, from top to bottom."""
    ranked = table.assign(other=table["model"] != "mean")
    rest = ranked.sort_values(["specific", "other", "skill"], ascending=[False, True, False], kind="stable")
    groups = []
    while len(rest):
        away = (rest[["skill", "specific"]] - rest[["skill", "specific"]].iloc[0]).abs().max(axis=1)
        here = (away < CLOSE) & (rest["generic"] == rest["generic"].iloc[0])
        groups.append(rest[here])
        rest = rest[~here]
    return groups


def _limits(ax: Axes, table: pd.DataFrame) -> None:
    # Below the marks there is space for the names of quadrants.
    for set_limits, key, margin in ((ax.set_xlim, "skill", 0.05), (ax.set_ylim, "specific", 0.16)):
        ends = table[[f"{key}_low", f"{key}_high", key]].to_numpy(float)
        low, high = (np.nanmin(ends), np.nanmax(ends)) if np.isfinite(ends).any() else (0.0, 0.0)
        set_limits(max(min(low - margin, LEFT), LOWEST), max(high + 0.05, 1.08))


def _quadrants(ax: Axes) -> None:
    left, bottom = ax.get_xlim()[0], ax.get_ylim()[0]
    right = top = 1.0
    ax.fill_between([0, right], 0, top, color="#E8F2E4", zorder=0, linewidth=0)
    ax.plot(1, 1, "*", markersize=13, color="black", zorder=4)
    for name, to_right, above in QUADRANTS:
        x, y = (right if to_right else left), (top if above else bottom)
        ax.annotate(
            name if to_right else textwrap.fill(name, 14),
            (x, y),
            (-6 if to_right else 6, -6 if above else 6),
            textcoords="offset points",
            ha="right" if to_right else "left",
            va="top" if above else "bottom",
            color="0.35",
            fontsize=9.5,
            style="italic",
        )
    for line in (ax.axhline, ax.axvline):
        line(0, color="0.35", linewidth=1.0, zorder=1)
        line(1, color="black", linewidth=1.4, linestyle="dotted", zorder=1)


def _mark(ax: Axes, rows: pd.DataFrame, shade: Mapping[str, str]) -> None:
    """Draw models with their intervals; models in the same place are concentric rings, constant predictions one mark.

    The mark of constant predictions has the position of the first one, which is the mean baseline if included.
    """
    if rows["generic"].all():
        first, left = rows.iloc[0], ax.get_xlim()[0]
        color = shade.get(str(first["model"]), "0.4")
        if np.isfinite(first["skill_low"]):
            ax.hlines(0, max(first["skill_low"], left), first["skill_high"], colors=color, linewidth=1.8, zorder=3)
        ax.plot(
            max(first["skill"], left),
            0,
            "D" if first["skill"] >= left else "<",
            markersize=9,
            markerfacecolor=color,
            markeredgecolor="black",
            zorder=4,
        )
        return
    size = 5.5 + 3.5 * (len(rows) - 1)
    lowest_x, lowest_y = ax.get_xlim()[0], ax.get_ylim()[0]
    for row in rows.itertuples():
        x, y, color = max(row.skill, lowest_x), max(row.specific, lowest_y), shade[str(row.model)]
        if np.isfinite(row.skill_low):
            ax.hlines(y, max(row.skill_low, lowest_x), row.skill_high, colors=color, linewidth=1.8, zorder=3)
        if np.isfinite(row.specific_low):
            ax.vlines(x, max(row.specific_low, lowest_y), row.specific_high, colors=color, linewidth=1.8, zorder=3)
        beyond = "<" if row.skill < lowest_x else "v" if row.specific < lowest_y else "o"
        ax.plot(
            x,
            y,
            beyond,
            markersize=min(size, 16),
            markerfacecolor=color,
            markeredgecolor="black",
            zorder=4,
            clip_on=False,
        )
        size -= 3.5


def _names(ax: Axes, groups: Sequence[pd.DataFrame]) -> None:
    """Write the names of the models next to their marks, clear of marks, intervals and names of quadrants."""
    figure = whole_figure(ax)
    lay_out(ax)
    avoid = [Text.get_window_extent(text) for text in ax.texts]
    radius = MARK_POINTS * figure.dpi / 72
    points = []
    for rows in groups:
        at = (max(rows["skill"].iloc[0], ax.get_xlim()[0]), max(rows["specific"].iloc[0], ax.get_ylim()[0]))
        points.append(at)
        avoid.append(Bbox([ax.transData.transform(at) - radius, ax.transData.transform(at) + radius]))
    for lines in ax.collections:
        if isinstance(lines, LineCollection):
            avoid += [Bbox(ax.transData.transform(ends)).padded(1) for ends in lines.get_segments()]
    names = [textwrap.fill(", ".join(rows["model"]).replace("_", " "), 34) for rows in groups]
    place_names(ax, points, names, avoid=avoid, gap=MARK_POINTS + 3, n_steps=40, fontsize=9)


def _decorate(ax: Axes, visible: pd.DataFrame, missing: Sequence[str], regime: str | None) -> None:
    mean = visible.loc[visible["model"] == "mean", "skill"].abs()
    baseline = "mean baseline, additive for combinations" if (mean > NEGLIGIBLE).any() else "mean baseline"
    ax.set_xlabel(f"skill on all effects  (0: {baseline}, 1: noise ceiling)")
    ax.set_ylabel("specific skill, without the shared axes\n(0: none, 1: noise ceiling)")
    n = visible["n"]
    counts = f"{n.min()} to {n.max()}" if len(n) and n.min() < n.max() else f"{n.max() if len(n) else 0}"
    lines = "; lines: 95% intervals" if visible[["skill_low", "specific_low"]].notna().any(axis=None) else ""
    parts = [f"{counts} held-out perturbations per model{lines}", "★:\N{NO-BREAK SPACE}perfect prediction"]
    parts += ["◆:\N{NO-BREAK SPACE}same prediction for all perturbations"] if visible["generic"].any() else []
    parts += [f"regime {regime}"] if regime else []
    parts += [f"without a skill score: {', '.join(missing)}".replace("_", " ")] if missing else []
    title = textwrap.fill("; ".join(parts), TITLE_LETTERS)
    ax.set_title(title, fontsize=9.5, loc="left")
    ax.spines[["top", "right"]].set_visible(False)

"""Effect of retraining, compared with random removals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from mudata import MuData

from .. import _store, get
from .._docs import docs
from .._keys import NEGLIGIBLE
from ._base import axes, chosen_models, finish
from ._colors import regime_name
from ._layout import SMALLEST, legend_below

MARKERS = ("o", "s", "D", "^")
ARM_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
SPREAD = 0.62  # of the height of a model


@docs.dedent
def retraining(
    data: MuData,
    *,
    models: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the gain of each model from retraining in each regime, with its interval.

    A positive gain means that retraining reduces the error on the genes of the regime. The gray box is the range of
    gains if random genes of similar expression are removed instead. If a gain is inside the box, it is not specific to
    the genes that the regime leaves out. Markers are open if retraining does not change the predictions.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    models
        Names of models; by default all retrained models.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors of the regimes: a mapping from regime to color.
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
        If a model (or all models) was not retrained, or ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("ridge", "bilinear"))
    >>> ax = spb.pl.retraining(mdata, show=False)
    """
    table = get.retraining(data)
    if table.empty:
        msg = "There is nothing to draw: this audit has only the regime 'full', so no model was retrained."
        raise KeyError(msg)
    names = chosen_models(table, models)
    arms = list(dict.fromkeys(table["regime"]))
    shade = {**{arm: ARM_COLORS[i % len(ARM_COLORS)] for i, arm in enumerate(arms)}, **(palette or {})}
    random = _random(data)
    new, ax = ax is None, axes(ax, figsize, (8.0, 2.4 + (0.22 + 0.2 * len(arms)) * len(names)))
    ax.use_sticky_edges = False
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)
    for y, name in enumerate(names):
        for i, arm in enumerate(arms):
            place = y + SPREAD * ((i + 0.5) / len(arms) - 0.5)
            rows = table[(table["model"] == name) & (table["regime"] == arm)]
            if (name, arm) in random.index:
                _range(ax, place, random.loc[(name, arm)], SPREAD / len(arms))
            if len(rows):
                _point(ax, place, rows.iloc[0], shade[arm], MARKERS[i % len(MARKERS)])
                _number(
                    ax, place, rows.iloc[0], random.loc[(name, arm), "p"] if (name, arm) in random.index else np.nan
                )
    counts = table.groupby("model")["n"].agg(["min", "max"])
    ax.set_yticks(range(len(names)), [_tick(name, counts.loc[name]) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    for border in range(1, len(names)):
        ax.axhline(border - 0.5, color="0.9", linewidth=0.8, zorder=0)
    ax.set_xlabel(
        "reduction of the relative error by retraining\n(positive: better than trained on all genes; 95% interval)",
        fontsize=9,
    )
    _legend(ax, arms, shade, random)
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _random(data: MuData) -> pd.DataFrame:
    """Return the range of the random removals by model and regime, if there are any."""
    if not _store.has_table(data, "random_removals"):
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []]))
    table = get.random_removals(data)
    return table[table["n_random"] > 0].set_index(["model", "regime"])


def _range(ax: Axes, y: float, row: pd.Series, height: float) -> None:
    ax.barh(
        y, row["random_max"] - row["random_min"], left=row["random_min"], height=0.8 * height, color="0.8",
        edgecolor="0.45", linewidth=0.8, zorder=2,
    )  # fmt: skip
    ax.vlines(row["random_mean"], y - 0.4 * height, y + 0.4 * height, colors="0.35", linewidth=1.2, zorder=2)


def _point(ax: Axes, y: float, row: pd.Series, color: str, marker: str) -> None:
    unchanged = row["note"] != ""
    if np.isfinite(row["ci_low"]) and not unchanged:
        ax.hlines(y, row["ci_low"], row["ci_high"], colors=color, linewidth=1.8, zorder=3)
    ax.plot(
        row["gain"], y, marker=marker, markersize=6, markerfacecolor="white" if unchanged else color,
        markeredgecolor=color, markeredgewidth=1.3, linestyle="none", zorder=4,
    )  # fmt: skip


def _number(ax: Axes, y: float, row: pd.Series, p: float) -> None:
    """Write the gain and the p of the random removals on the right, because gains differ by orders of magnitude."""
    tiny = abs(row["gain"]) < NEGLIGIBLE  # the p of a negligible gain is irrelevant
    text = "0" if row["note"] else f"under {NEGLIGIBLE:g}" if tiny else f"{row['gain']:+.2g}"
    text += f" (random: p = {p:.2g})" if np.isfinite(p) and not tiny else ""
    ax.text(1.02, y, text.replace("-", "−"), transform=ax.get_yaxis_transform(), va="center", fontsize=SMALLEST)


def _tick(name: str, n: pd.Series) -> str:
    n_text = f"{n['max']}" if n["min"] == n["max"] else f"{n['min']}–{n['max']}"
    return f"{name.replace('_', ' ')}\nn = {n_text}"


def _legend(ax: Axes, arms: Sequence[str], shade: Mapping[str, str], random: pd.DataFrame) -> None:
    handles: list[Any] = [
        Line2D([], [], marker=MARKERS[i % len(MARKERS)], color=shade[arm], label=regime_name(arm))
        for i, arm in enumerate(arms)
    ]
    handles.append(
        Line2D(
            [],
            [],
            marker="o",
            linestyle="none",
            color="black",
            markerfacecolor="white",
            label="predictions unchanged by retraining",
        )
    )
    if len(random):
        n, arm = int(random["n_random"].max()), regime_name(random.index[0][1])
        handles.append(
            Patch(facecolor="0.8", edgecolor="0.45", label=f"{n} removals of random genes, to compare with: {arm}")
        )
    legend_below(ax, handles)

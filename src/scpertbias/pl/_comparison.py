"""Paired differences between models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from mudata import MuData

from .._docs import docs
from ._base import axes, chosen_models, finish, one_regime
from ._colors import colors

LABELS = {
    "l2_ratio": "relative error",
    "pearson_delta_perturbed_unshared": "correlation of effects minus the mean effect",
    "discrimination": "discrimination",
}


@docs.dedent
def comparison(
    data: AnnData | MuData,
    against: str = "mean",
    *,
    metric: str = "l2_ratio",
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot paired differences between models, on the held-out perturbations that both predict.

    A model to the right of 0 is better than the model ``against``; this holds for every metric. Lines are 95%%
    intervals; a mark is filled if its interval excludes 0.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.score`, or the result of :func:`scpertbias.tl.audit`.
    against
        The model with which all others are compared.
    metric
        ``"l2_ratio"``, ``"pearson_delta_perturbed_unshared"`` or ``"discrimination"``.
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
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.score(profiles)
    >>> ax = spb.pl.comparison(profiles, show=False)
    """
    if metric not in LABELS:
        msg = f"`metric` is {metric!r}; it must be one of {list(LABELS)}."
        raise KeyError(msg)
    table = one_regime(data, "comparison", regime)
    table = table[table["metric"] == metric]
    all_models = chosen_models(table, None)
    if against not in all_models:
        msg = f"`against`: {against!r} not available; choose from {all_models}."
        raise KeyError(msg)
    names = [name for name in chosen_models(table, models) if name != against]
    rows = _against(table, against).reindex(names)
    rows = rows.sort_values("difference", ascending=False, kind="stable", na_position="last")
    new, ax = ax is None, axes(ax, figsize, (8.0, 1.8 + 0.34 * max(len(rows), 1)))
    shade = colors(data, palette)
    for y, row in enumerate(rows.itertuples()):
        _draw(ax, y, row, shade[str(row.Index)])
    ax.axvline(0, color="black", linewidth=1.0, zorder=1)
    ax.set_yticks(range(len(rows)), [str(name).replace("_", " ") for name in rows.index])
    ax.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    other = against.replace("_", " ")
    ax.set_xlabel(
        f"improvement in {LABELS[metric]} compared with {other}\n(0: as good as {other}; positive is better; 95% interval)"
    )
    ax.set_title(f"each model compared with {other}" + (f"; regime {regime}" if regime else ""), fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _against(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Return the differences of other models from one model; positive if the other model is better."""
    first, second = table[table["model_a"] == reference], table[table["model_b"] == reference]
    turned = {"difference": -first["difference"], "ci_low": -first["ci_high"], "ci_high": -first["ci_low"]}
    columns = ["n", "difference", "ci_low", "ci_high", "note"]
    parts = [first.assign(**turned).set_index("model_b")[columns], second.set_index("model_a")[columns]]
    return pd.concat([part for part in parts if len(part)])


def _draw(ax: Axes, y: int, row: Any, shade: str) -> None:
    """Draw one model, with its numbers on the right."""
    text = f"n = {int(row.n)}" if row.n > 0 else "no held-out perturbation that both models predict"
    if np.isfinite(row.difference):
        interval = f" ({row.ci_low:.3f} to {row.ci_high:.3f})" if np.isfinite(row.ci_low) else ""
        text = f"{row.difference:+.3f}{interval}, {text}".replace("-", "−")
        if interval:
            ax.hlines(y, row.ci_low, row.ci_high, colors=shade, linewidth=2.4, zorder=2)
        clear = interval and (row.ci_low > 0 or row.ci_high < 0)
        ax.plot(
            row.difference,
            y,
            "o",
            markersize=8,
            markerfacecolor=shade if clear else "white",
            markeredgecolor=shade,
            markeredgewidth=1.8,
            zorder=3,
        )
    if row.note:
        text = row.note if row.difference == 0 else f"{text}; {row.note}"
    ax.annotate(text, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, annotation_clip=False)

"""Standard deviation of genes between perturbations, predicted and observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from mudata import MuData

from .._docs import docs
from .._keys import OBSERVED
from ._base import axes, chosen_models, finish, one_regime
from ._colors import colors
from ._layout import SMALLEST

TITLE_POINTS = 40  # above the axes
LEAST = 1e-3  # of the observed median: below it a model does not vary


@docs.dedent
def variance_ratio(
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
    """Plot the standard deviation of each gene across held-out perturbations, observed and predicted.

    This is Extended Data Fig 7 of the paper. Each box shows quartiles and 5–95%% whiskers over the genes whose observed
    variance is above twice its standard error. The gray band and line are the quartiles and the median of the observed
    standard deviations, corrected for noise. The label above each box contains the ratio of predicted to observed
    standard deviation over all genes. If the model is equivalent to a baseline, the label contains the name of the
    baseline.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.variance_ratio`, or the result of :func:`scpertbias.tl.audit`.
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
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.variance_ratio(profiles)
    >>> ax = spb.pl.variance_ratio(profiles, show=False)
    """
    table = one_regime(data, "variance_ratio", regime)
    names = chosen_models(table, models)
    shade = colors(data, palette)
    genes = table[(table["level"] == "gene") & table["ratio"].notna()]
    whole = table[table["level"] == "screen"].set_index("model")
    observed = genes.drop_duplicates("gene")["sd_observed"].to_numpy(np.float64)
    new, ax = ax is None, axes(ax, figsize, (2.4 + 0.95 * (1 + max(len(names), 2)), 4.6))
    floor = LEAST * float(np.median(observed)) if len(observed) else 1.0
    ticks = [f"observed ({len(observed)} genes)"]
    if len(observed):
        low, middle, high = np.percentile(observed, [25, 50, 75])
        ax.axhspan(low, high, color="0.85", zorder=0)
        ax.axhline(middle, color="0.45", linewidth=1.0, zorder=0)
        _box(ax, 0, observed, "#FFFFFF")
    lowest = float(np.percentile(observed, 5)) if len(observed) else np.inf
    for x, name in enumerate(names, start=1):
        values = genes[genes["model"] == name]["sd_predicted"].to_numpy(np.float64)
        if (values > floor).any():
            _box(ax, x, np.maximum(values, floor), shade[name])
            lowest = min(lowest, np.percentile(np.maximum(values, floor), 5))
        ticks.append(name.replace("_", " "))
        text = _text(whole.loc[name])
        ax.text(x, 1.02, text, ha="center", va="bottom", fontsize=SMALLEST, transform=ax.get_xaxis_transform())
    _decorate(ax, ticks, names, genes, floor, lowest)
    n = int(whole["n_perturbations"].max()) if len(whole) else 0
    title = f"{n} held-out perturbations" + (f", regime {regime}" if regime else "")
    ax.set_title(f"{title}\nabove each box: ratio to the observed", fontsize="medium", pad=TITLE_POINTS)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _text(row: pd.Series) -> str:
    """Return the ratio with its interval, and the baseline to which the model is equivalent."""
    if not np.isfinite(row["ratio"]):
        return "no ratio"
    ratio = f"{row['ratio']:.2f}"
    if np.isfinite(row["ci_low"]) and row["ci_high"] > 0:
        ratio += f"\n({row['ci_low']:.2f}–{row['ci_high']:.2f})"
    return ratio + (f"\n= {row['collapsed_to'].replace('_', ' ')}" if row["collapsed_to"] else "")


def _box(ax: Axes, x: int, values: np.ndarray, color: str) -> None:
    parts = ax.boxplot(
        [values],
        positions=[x],
        widths=0.55,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "black", "linewidth": 1.6},
    )
    parts["boxes"][0].set(facecolor=color, alpha=0.55 if color != "#FFFFFF" else 1.0, edgecolor="black")


def _decorate(
    ax: Axes, ticks: Sequence[str], names: Sequence[str], genes: pd.DataFrame, floor: float, lowest: float
) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    if np.isfinite(lowest):
        ax.set_ylim(bottom=lowest / 2)
    for x, name in enumerate(names, start=1):
        if not (genes[genes["model"] == name]["sd_predicted"] > floor).any():
            ax.text(x, 0.03, "no\nvariation", ha="center", va="bottom", fontsize=8, transform=ax.get_xaxis_transform())
    ax.set_xticks(range(len(ticks)), ticks, rotation=35, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set_xlim(-0.6, len(ticks) - 0.4)
    ax.set_ylabel(f"standard deviation across perturbations\n(log-normalized units; {OBSERVED}: corrected for noise)")
    ax.spines[["top", "right"]].set_visible(False)

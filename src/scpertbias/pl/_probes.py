"""Scores of probes by metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib import colormaps
from matplotlib.axes import Axes
from mudata import MuData

from .. import get
from .._docs import docs
from ._base import axes, finish
from ._layout import SMALLEST

LABELS = {
    "mse": "squared error",
    "mae": "absolute error",
    "pearson_delta": "Pearson\nfrom control",
    "pearson_delta_perturbed": "Pearson from\nthe mean",
    "discrimination": "discrimination\n(L1)",
    "pds_cosine": "discrimination\n(cosine)",
    "de_direction": "DE direction",
    "de_auprc": "DE AUPRC",
    "de_spearman": "DE Spearman",
    "de_nmae": "DE error",
}
NO_ROOM = "0.85"
DARK = 0.6


@docs.dedent
def probes(
    data: AnnData | MuData,
    *,
    probe: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    palette: str | Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot a heat map of the score of each probe by each metric.

    0 is the mean baseline and 1 the true effect. Colors are limited to values from −1 to 1; the printed numbers are not
    limited. Gray cells have no value: the mean baseline and the true effect are not significantly different, or the
    probe cannot be computed.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.probes`, or the result of :func:`scpertbias.tl.audit`.
    probe
        Name or names of probes; by default all.
    metric
        Name or names of metrics; by default all.
    ax
        Axes to plot in; by default a new figure.
    palette
        Name of a diverging color map; by default ``"RdBu_r"``, as in the report.
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
        If a probe or a metric does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.probes(profiles)
    >>> ax = spb.pl.probes(profiles, show=False)
    """
    table = get.probes(data, probe=probe, metric=metric)
    values = by_metric(table)
    new = ax is None
    ax = axes(ax, figsize, (2.9 + 0.72 * values.shape[1], 1.5 + 0.27 * len(values)))
    shades = colormaps[palette if isinstance(palette, str) else "RdBu_r"].with_extremes(bad=NO_ROOM)
    image = ax.imshow(values, cmap=shades, vmin=-1, vmax=1, aspect="auto")
    for (y, x), value in np.ndenumerate(values.to_numpy()):
        if np.isfinite(value):
            color = "white" if abs(value) > DARK else "black"
            text = f"{value:.2f}".replace("-", "−") if abs(value) < 10 else f"{value:.0f}".replace("-", "−")
            ax.text(x, y, text.replace("−0.00", "0.00"), ha="center", va="center", fontsize=SMALLEST, color=color)
    ax.set_xticks(range(values.shape[1]), [LABELS.get(name, name) for name in values.columns], rotation=45, ha="left")
    ax.set_yticks(range(len(values)), [name.replace("_", " ") for name in values.index])
    ax.xaxis.tick_top()
    ax.set_ylabel("probe (a prediction with a known fault)")
    ax.tick_params(length=0, labelsize="small")
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, extend="both", shrink=0.6, pad=0.02)
    bar.set_label("0: mean baseline, 1: true effect", fontsize="small")
    return finish(ax, new=new, show=show, return_fig=return_fig)


def by_metric(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scaled values, probes × metrics in the order of the table."""
    wide = table.pivot_table(index="probe", columns="metric", values="scaled", dropna=False, sort=False)
    return wide.loc[table["probe"].unique(), table["metric"].unique()]

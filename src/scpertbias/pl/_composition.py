"""Contribution of gene sets to the response of each perturbation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .. import get
from .._docs import docs
from ._base import axes, finish
from ._colors import set_colors, set_names

OTHER = "other"
LEAST = 0.05
"""Groups that do not reach this share of the response in any perturbation are drawn as other genes."""


@docs.dedent
def composition(
    data: AnnData | MuData,
    *,
    n_perturbations: int = 40,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the composition of the response of each perturbation, as stacked shares of its squared effect.

    Each gene is in one group, so shares add up to 1. Shares are corrected for sampling noise. Therefore one share can
    be negative, and the sum of the other shares above 1. Perturbations are sorted by their largest group. Perturbations
    with a weak effect are left out.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.confounding`, or the result of :func:`scpertbias.tl.audit`.
    n_perturbations
        Number of perturbations to draw, those with the largest response.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors of the groups: a mapping from the name of a gene set to a color.
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
        If :func:`scpertbias.tl.confounding` was not run.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.confounding(profiles)
    >>> ax = spb.pl.composition(profiles, show=False)
    """
    table = get.composition(data)
    n = table["perturbation"].nunique()
    shares = _shares(table, n_perturbations)
    n_strong = table.loc[table["share"].notna(), "perturbation"].nunique()
    new, ax = ax is None, axes(ax, figsize, (8.0, 1.8 + 0.2 * max(len(shares), 3)))
    names, shade = set_names(shares.columns), set_colors(shares.columns, palette)
    below, above = np.zeros(len(shares)), np.zeros(len(shares))
    for group in shares.columns:
        values = shares[group].to_numpy(np.float64)
        left = np.where(values < 0, below, above)
        ax.barh(range(len(shares)), values, left=left, height=0.8, color=shade[group], label=names[group], linewidth=0)
        below, above = below + np.minimum(values, 0), above + np.maximum(values, 0)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.axvline(1, color="black", linewidth=1.2, linestyle="dotted")
    ax.set_yticks(range(len(shares)), shares.index, fontsize=8)
    ax.set_ylim(max(len(shares), 1) - 0.4, -0.6)
    ax.set_xlabel("share of the squared effect, corrected for noise (1: whole effect)")
    ax.set_title(
        f"gene sets in the {len(shares)} largest effects ({n_strong} of {n} effects are strong enough for shares)",
        fontsize="medium",
    )
    if len(shares):
        ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _shares(table: pd.DataFrame, n_perturbations: int) -> pd.DataFrame:
    """Return perturbations × groups, both sorted; groups with small shares in all perturbations are added to the other genes."""
    known = table[table["share"].notna()]
    size = known.groupby("perturbation")["response_share"].sum().nlargest(n_perturbations)
    shares = known.pivot_table(index="perturbation", columns="group", values="share", sort=False).reindex(size.index)
    if shares.empty:
        return shares
    large = [group for group in shares if shares[group].max() >= LEAST and group != OTHER]
    shares = shares[large].assign(**{OTHER: 1 - shares[large].sum(axis=1)})
    first = shares.idxmax(axis=1)
    order = {group: i for i, group in enumerate(shares.columns)}
    largest = shares.max(axis=1)
    return shares.loc[sorted(shares.index, key=lambda name: (order[first[name]], -largest[name]))]

"""Change of perturbed genes in their own column and in neighboring ones."""

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
from .._keys import OBSERVED
from ._base import axes, chosen_models, finish, one_regime
from ._colors import colors

MARKERS = ("o", "s", "^", "v", "P", "X", "d", "<", ">", "*")


@docs.dedent
def target_response(
    data: AnnData | MuData,
    block: str = "all",
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the effect of perturbations in the column of their target gene, and in neighboring columns.

    A peak is expected at shift 0, the column of the target gene. A peak at another shift means that values and gene
    names are misaligned. Dashed lines are the percentiles if targets are assigned to random perturbations. A ring marks
    the shift with the largest excess over the dashed line, if it is significant. Constant predictions are not drawn.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.target_response`, or the result of :func:`scpertbias.tl.audit`.
    block
        ``"all"`` genes, or one of ten blocks of consecutive genes, ``"1"`` to ``"10"``.
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
        If the block, a model or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.target_response(profiles)
    >>> ax = spb.pl.target_response(profiles, show=False)
    """
    table = one_regime(data, "target_response", regime)
    names = chosen_models(table, models)
    scan = table[(table["level"] == "scan") & table["shift"].notna()]
    if block not in set(scan["block"]):
        msg = f"`block` is {block!r}; it must be one of {list(dict.fromkeys(scan['block']))}."
        raise KeyError(msg)
    scan = scan[scan["block"] == block]
    shade = {OBSERVED: "#000000", **colors(data, palette)}
    new, ax = ax is None, axes(ax, figsize, (7.2, 4.0))
    for i, name in enumerate((OBSERVED, *names)):
        rows = scan[scan["model"] == name]
        if len(rows) and rows["percentile"].notna().any():
            _line(ax, rows, name, shade[name], MARKERS[i % len(MARKERS)])
    first = scan[scan["model"] == OBSERVED].iloc[0]
    genes = "all genes" if block == "all" else f"block {block} of the genes, {first['first']} to {first['last']}"
    ax.set_title(
        f"response of the perturbed genes; {genes}" + (f", regime {regime}" if regime else ""), fontsize="medium"
    )
    ax.set_xlabel(
        "shift from the column of the perturbed gene, in columns\n(dashed: random perturbations; ring: significant best shift)"
    )
    ax.set_ylabel("mean percentile of the effect\namong all genes")
    ax.axvline(0, color="0.8", linewidth=1, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    if ax.lines[:-1]:
        ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        ax.text(0.5, 0.5, "no measured target", ha="center", transform=ax.transAxes)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _line(ax: Axes, rows: pd.DataFrame, name: str, color: str, marker: str) -> None:
    shift = rows["shift"].to_numpy(np.int64)
    n = int(rows["n_targets"].max())
    few = ", too few" if (rows["note"] != "").any() else ""
    label = f"{name.replace('_', ' ')} ({n} targets{few})"
    ax.plot(shift, rows["percentile"], color=color, marker=marker, markersize=4.5, label=label)
    ax.plot(shift, rows["expected"], color=color, linewidth=0.8, linestyle="dashed")
    proposed = rows[rows["proposed"].fillna(False).astype(bool)]
    ax.scatter(
        proposed["shift"].astype(float), proposed["percentile"], s=110, facecolors="none", edgecolors="black", zorder=4
    )

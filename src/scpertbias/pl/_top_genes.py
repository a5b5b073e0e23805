"""Strongest genes of one perturbation, observed and predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .. import _moments, _results
from .._docs import docs
from .._keys import OBSERVED
from ..get._select import modality
from ._base import axes, finish
from ._colors import colors
from ._ranked_lists import RankedList, draw, short, size


@docs.dedent
def top_genes(
    data: AnnData | MuData,
    perturbation: str,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    n_genes: int = 20,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the strongest genes of one perturbation, observed and predicted (Fig 2 of the paper).

    The length of a bar is the absolute difference from control; an arrow shows the direction of the difference. The
    diamond is the observed effect on the same gene. The diamond is open if predicted and observed effects have opposite
    directions. Genes in bold are also among the strongest observed genes.

    Parameters
    ----------
    data
        Cells or profiles with stored models, or an audit.
    perturbation
        Name of the perturbation.
    %(models)s
    regime
        For an audit: the regime to plot; by default ``"full"``.
    n_genes
        Number of genes per model.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If the perturbation, a model or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> ax = spb.pl.top_genes(profiles, "STAT1", show=False)
    """
    adata = modality(data, regime)
    records = _results.model_records(adata, models)
    screen = _moments.of(adata, **_results.agreed_data(records)).merged
    if perturbation not in screen.names[1:]:
        msg = f"`perturbation`: {perturbation!r} not available; choose from {list(screen.names[1:6])} and others."
        raise KeyError(msg)
    row = screen.names.index(perturbation)
    effects = {OBSERVED: screen.moments.mean[row] - screen.moments.control}
    for name in records:
        effects[name] = _results.predictions(adata, name, screen).to_numpy(np.float64)[row] - screen.moments.control
    tops = {name: _strongest(values, n_genes) for name, values in effects.items()}
    shade = {OBSERVED: "#FFFFFF", **colors(data, palette)}
    columns = [_column(name, effects, tops, screen.symbols, shade[name]) for name in effects]
    n_rows = max(3, *(len(column.names) for column in columns))
    new, ax = ax is None, axes(ax, figsize, size(len(columns), n_rows))
    key = "◆ observed effect   ◇ observed effect, opposite direction\nbold: also among the strongest observed genes"
    label = f"effect of {perturbation} ({int(screen.moments.n[row])} cells): absolute difference from control"
    draw(ax, columns, label=f"{label}\n(log-normalized units)\n{key}", n_rows=n_rows)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _strongest(values: np.ndarray, n_genes: int) -> np.ndarray:
    """Genes with the largest absolute values above 0."""
    size_of = np.nan_to_num(np.abs(values))
    order = np.argsort(-size_of, kind="stable")[:n_genes]
    return order[size_of[order] > 0]


def _column(
    name: str, effects: Mapping[str, np.ndarray], tops: Mapping[str, np.ndarray], symbols: np.ndarray, color: str
) -> RankedList:
    top, effect, observed = tops[name], effects[name], effects[OBSERVED]
    arrows = np.where(effect[top] > 0, "↑", "↓")
    note = "not predicted" if np.isnan(effect).any() else "no effect" if not len(top) else ""
    return RankedList(
        title=name,
        names=[f"{short(str(symbols[g]))} {arrow}" for g, arrow in zip(top, arrows, strict=True)],
        values=np.abs(effect[top]),
        color=color,
        note=note,
        diamonds=None if name == OBSERVED else np.abs(observed[top]),
        hollow=np.sign(effect[top]) != np.sign(observed[top]),
        bold=[] if name == OBSERVED else np.isin(top, tops[OBSERVED]).tolist(),
    )

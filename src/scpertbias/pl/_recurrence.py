"""The most recurrent genes of each model, beside the observed count and chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .._docs import docs
from ._base import axes, colors, finish
from ._ranked import OBSERVED, Ranked, asked, draw, one_regime, short, size

SCALES = {
    "delta": "by difference from control",
    "z": "by z of the difference from control",
    "centered": "by z of the difference from the mean of the perturbed",
}
SIGNIFICANT = 0.05


@docs.dedent
def recurrence(
    data: AnnData | MuData,
    by: str = "z",
    *,
    models: str | Sequence[str] | None = None,
    regime: str | None = None,
    n_genes: int = 15,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the genes that are among the strongest in most perturbations, model by model (the paper's Tables 1 and 2).

    The length of a bar is the number of perturbations; the diamond is the count of the same gene in the observed data,
    the dotted line what chance gives, and a star marks q < 0.05. Bars that end far beyond their diamonds are what the
    model predicts whatever is perturbed.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.recurrence` or :func:`scpertbias.tl.audit` was run on.
    by
        ``"delta"``, ``"z"`` or ``"centered"``.
    %(models)s
    regime
        Of an audit, the regime to draw; by default ``"full"``.
    n_genes
        How many genes of each model.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, else ``None``.

    Raises
    ------
    KeyError
        If ``by``, a model or the regime is not there.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.recurrence(profiles)
    >>> ax = spb.pl.recurrence(profiles, show=False)
    """
    if by not in SCALES:
        msg = f"`by` is {by!r}; it must be one of {list(SCALES)}."
        raise KeyError(msg)
    table = one_regime(data, "recurrence", regime)
    names, every = asked(table, models)
    table = table[table["by"] == by]
    observed = table[table["model"] == OBSERVED].set_index("gene")[["count", "n_perturbations"]]
    shade = {OBSERVED: "#FFFFFF", **colors(every, palette)}
    columns = [
        _column(table[table["model"] == name], name, by, shade[name], observed, n_genes) for name in (OBSERVED, *names)
    ]
    n_rows = max(3, *(len(column.names) for column in columns))
    given, ax = ax is not None, axes(ax, figsize, size(len(columns), n_rows))
    n = int(table["n_perturbations"].max()) if len(table) else 0
    key = "◆: observed count;  dotted: expected by chance;  * and bold: q < 0.05"
    label = f"perturbations, of {n}, in which the gene is among the strongest\n({SCALES[by]})\n{key}"
    draw(ax, columns, label=label, n_rows=n_rows)
    return finish(ax, given=given, show=show, return_fig=return_fig)


def _column(mine: pd.DataFrame, name: str, by: str, color: str, observed: pd.DataFrame, n_genes: int) -> Ranked:
    top = mine[mine["count"] > 0].head(n_genes)
    called = (top["q"] < SIGNIFICANT).to_numpy()
    note = "none" if (mine["note"] == "").all() else "the same for all" if by == "centered" else "no effect"
    return Ranked(
        title=name,
        names=[f"{short(gene)}{' *' if star else ''}" for gene, star in zip(top["symbol"], called, strict=True)],
        values=top["count"].to_numpy(np.float64),
        color=color,
        note=note,
        diamonds=None if name == OBSERVED or not _same_perturbations(top, observed) else _counts(top, observed),
        ticks=top["expected"].to_numpy(np.float64),
        bold=called.tolist(),
    )


def _counts(top: pd.DataFrame, observed: pd.DataFrame) -> npt.NDArray[np.float64]:
    return observed["count"].reindex(top["gene"], fill_value=0).to_numpy(np.float64)


def _same_perturbations(top: pd.DataFrame, observed: pd.DataFrame) -> bool:
    """Whether a model was counted on the perturbations that the data were; one that predicts few is not."""
    return top.empty or top["n_perturbations"].iloc[0] == observed["n_perturbations"].iloc[0]

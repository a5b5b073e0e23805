"""Rates of the answer yes in screens without effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from mudata import MuData

from .. import get
from .._docs import docs
from ._base import axes, finish

QUESTIONS = {
    "screen": "perturbations work",
    "shared": "one response is shared",
    "technical": "response is technical",
    "models": "a model predicts unseen perturbations",
    "recurrence": "models predict a gene too often",
    "detected": "perturbation detected",
    "de_calls": "gene called differentially expressed",
}
WITHIN, ABOVE = "#0072B2", "#D55E00"


@docs.dedent
def calibration(
    data: AnnData | MuData,
    *,
    question: str | Sequence[str] | None = None,
    models: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    palette: tuple[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot how often the audit answers yes on screens without effects, with intervals, next to the expected rate.

    Horizontal lines are 95% intervals of the rate of yes. For questions about single perturbations or gene sets, they
    contain the rates of 95% of the screens. A small vertical line is the largest rate that is expected without effects.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.calibrate`, or an audit that the command line computed with ``--calibrate``.
    question
        Name or names of questions; by default all.
    models
        Name or names of models; by default all. ``""`` selects the questions about the data.
    ax
        Axes to draw in; by default a new figure.
    palette
        Two colors: for rates within the expected range, and for rates above it.
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
        If a question or a model does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.tl.calibrate(adata, n_screens=2, models=(), covariates=(), batch_key="bio_rep")
    >>> ax = spb.pl.calibration(adata, show=False)
    """
    table = get.calibration(data, question=question, models=models)
    within, above = palette or (WITHIN, ABOVE)
    new, ax = ax is None, axes(ax, figsize, (9.0, 1.6 + 0.26 * len(table)))
    rows = list(table.itertuples())
    for y, row in enumerate(rows):
        color = above if row.ci_low > row.nominal else within
        ax.hlines(y, row.ci_low, row.ci_high, colors=color, linewidth=2)
        ax.plot(row.rate, y, "o", color=color, markersize=6)
        ax.vlines(row.nominal, y - 0.35, y + 0.35, colors="black", linewidth=1.2)
    several = table["by"].nunique() > 1
    labels = [_label(row, several=several) for row in rows]
    ax.set_yticks(range(len(rows)), labels, fontsize="small")
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(-0.02, 1.02)
    n = int(np.max([row.n for row in rows], initial=0))
    ax.set_xlabel("rate of the answer (95% interval)")
    marks = (("within the expected range", within, "o"), ("above", above, "o"), ("largest expected rate", "black", "|"))
    handles = [Line2D([], [], color=c, marker=m, linestyle="none", label=text) for text, c, m in marks]
    ax.legend(handles=handles, frameon=False, fontsize="small", ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    ax.set_title(f"rate of yes in {n} screens without effects", fontsize="medium", pad=24)
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _label(row: Any, *, several: bool) -> str:
    """Return the label of a question with its model and score, and with the kind of null perturbations if there are two."""
    question = QUESTIONS.get(row.question, row.question.replace("_", " "))
    of = ", ".join(part.replace("_", " ") for part in (row.model, row.metric) if part)
    return (f"{question}: {of}" if of else question) + (f" ({row.by})" if several else "")

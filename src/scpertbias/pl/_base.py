"""What all plots share: axes, the models to draw, showing and returning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import scanpy as sc
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from mudata import MuData

from .. import get
from .._keys import MODEL_COLUMNS, OBSERVED
from .._log import some
from ..get._select import select


def axes(ax: Axes | None, figsize: tuple[float, float] | None, default: tuple[float, float]) -> Axes:
    """Return the axes to draw in."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=figsize or default, layout="constrained")[1]


def finish(ax: Axes, *, new: bool, show: bool | None, return_fig: bool) -> Any:
    """Show and return as scanpy does: Axes if ``show=False``, Figure if ``return_fig``, else None."""
    show = (sc.settings.autoshow and new and not return_fig) if show is None else show
    for text in ax.findobj(Text):
        text.set_parse_math(False)  # names are no formulas, though they may hold $
    figure = ax.figure
    if show and new:
        plt.show()
    if return_fig:
        return figure if isinstance(figure, Figure) else figure.figure
    return None if show else ax


def one_regime(data: AnnData | MuData, name: str, regime: str | None) -> pd.DataFrame:
    """Return the rows of one regime of a table, by default ``"full"``; without an audit there is none to choose."""
    table: pd.DataFrame = getattr(get, name)(data)
    return select(table, regime="full" if regime is None and "regime" in table else regime)


def chosen_models(table: pd.DataFrame, models: str | Sequence[str] | None) -> list[str]:
    """Return the models to draw, by default all of a table; the observed data are none."""
    columns = [column for column in MODEL_COLUMNS if column in table]
    all_models = [name for name in dict.fromkeys(table[columns].to_numpy().T.ravel()) if name != OBSERVED]
    if models is None:
        return all_models
    names = [models] if isinstance(models, str) else [name for name in models if name != OBSERVED]
    if missing := [name for name in names if name not in all_models]:
        msg = f"`models`: there is no {some(map(repr, missing))}; there are {all_models}."
        raise KeyError(msg)
    return names


def held_out_scores(
    data: AnnData | MuData, models: str | Sequence[str] | None, regime: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """Return the scores of held-out perturbations of one regime, and the models to draw."""
    scores = one_regime(data, "scores", regime)
    if "regime" in scores:
        scores = scores[scores["trained_on"] == scores["regime"]]
    names = chosen_models(scores, models)
    held_out = scores[scores["split"] == "test"]
    if held_out.empty:
        msg = "No held-out perturbation was scored: no row is in the test split. See spb.pp.split."
        raise ValueError(msg)
    return held_out, names

"""What all plots share: axes, colors of models, showing and returning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import scanpy as sc
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from mudata import MuData

from .. import _store


def chosen_models(models: str | Sequence[str] | None, every: Sequence[str]) -> list[str]:
    """Return the models to draw; a missing one is an error that lists those present."""
    names = list(every) if models is None else [models] if isinstance(models, str) else list(models)
    if missing := [name for name in names if name not in every]:
        msg = f"`models`: {missing} are not in the table; there are {list(every)}."
        raise KeyError(msg)
    return names


OKABE_ITO = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
    "#000000",
    "#882255",
)
"""Okabe & Ito's colors, told apart also by the color-blind, and two more."""


def axes(ax: Axes | None, figsize: tuple[float, float] | None, default: tuple[float, float]) -> Axes:
    """Return the axes to draw in."""
    if ax is not None:
        return ax
    _, made = plt.subplots(figsize=figsize or default, layout="constrained")
    return made


def finish(ax: Axes, *, given: bool, show: bool | None, return_fig: bool) -> Any:
    """Show and return as scanpy does: Axes if ``show=False``, Figure if ``return_fig``, else None."""
    show = (sc.settings.autoshow and not given and not return_fig) if show is None else show
    for text in ax.findobj(Text):
        text.set_parse_math(False)  # names are no formulas, though they may hold $
    figure = ax.figure
    if show and not given:
        plt.show()
    if return_fig:
        return figure if isinstance(figure, Figure) else figure.figure
    return None if show else ax


def colors(models: Sequence[str], palette: Mapping[str, str] | None) -> dict[str, str]:
    """Return a color for each model, whichever order they are stored in, and whichever of them are drawn."""
    known = {name: OKABE_ITO[i % len(OKABE_ITO)] for i, name in enumerate(sorted(models))}
    return {**known, **(palette or {})}


def held_out_scores(
    data: AnnData | MuData, models: str | Sequence[str] | None, regime: str | None
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return the scores of held-out perturbations of one regime, the models asked for, and all models."""
    scores = _store.table(data, "scores", made_by="spb.tl.score or spb.tl.audit")
    if "regime" in scores.columns:
        wanted = "full" if regime is None else regime
        if wanted not in set(scores["regime"]):
            msg = f"`regime`: there is no {wanted!r}; there are {sorted(set(scores['regime']))}."
            raise KeyError(msg)
        scores = scores[(scores["regime"] == wanted) & (scores["trained_on"] == wanted)]
    elif regime is not None:
        msg = "`regime` was given, but these scores are not of an audit."
        raise ValueError(msg)
    every = list(dict.fromkeys(scores["model"]))
    names = every if models is None else [models] if isinstance(models, str) else list(models)
    missing = [name for name in names if name not in every]
    if missing:
        msg = f"`models`: {missing} were not scored; there are {every}."
        raise KeyError(msg)
    held_out = scores[scores["split"] == "test"]
    if held_out.empty:
        msg = "No held-out perturbation was scored: no row is in the test split. See spb.pp.split."
        raise ValueError(msg)
    return held_out, names, every


def of_regime(table: pd.DataFrame, regime: str | None) -> pd.DataFrame:
    """Return the rows of one regime, where a table has several."""
    if "regime" not in table.columns:
        if regime is not None:
            msg = "`regime` was given, but this table is not of an audit."
            raise ValueError(msg)
        return table
    wanted = "full" if regime is None else regime
    if wanted not in set(table["regime"]):
        msg = f"`regime`: there is no {wanted!r}; there are {sorted(set(table['regime']))}."
        raise KeyError(msg)
    return table[table["regime"] == wanted]


def one_regime(data: AnnData | MuData, name: str, regime: str | None) -> pd.DataFrame:
    """Return the table of a question; of an audit, that of one regime, by default ``"full"``."""
    table = _store.table(data, name, made_by=f"spb.tl.{name}")
    if "regime" not in table.columns:
        if regime is not None:
            msg = "`regime` was given, but this table is not of an audit."
            raise ValueError(msg)
        return table
    wanted = "full" if regime is None else regime
    if wanted not in set(table["regime"]):
        msg = f"`regime`: there is no {wanted!r}; there are {sorted(set(table['regime']))}."
        raise KeyError(msg)
    return table[table["regime"] == wanted].reset_index(drop=True)

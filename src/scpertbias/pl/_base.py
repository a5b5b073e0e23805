"""Functions that all plots use: axes, choice of models, showing and returning."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import scanpy as sc
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .. import get
from .._keys import MODEL_COLUMNS, OBSERVED
from .._log import some
from ..get._select import modality, select
from ..tl._effects import Effects, effects
from ._layout import make_readable, whole_figure

FloatArray = npt.NDArray[np.float64]
BASELINE = "mean"


def axes(ax: Axes | None, figsize: tuple[float, float] | None, default: tuple[float, float]) -> Axes:
    """Return the axes to draw in."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=figsize or default, layout="constrained")[1]


def finish(ax: Axes, *, new: bool, show: bool | None, return_fig: bool) -> Any:
    """Show and return as scanpy does: Axes if ``show=False``, Figure if ``return_fig``, else None."""
    show = (sc.settings.autoshow and new and not return_fig) if show is None else show
    make_readable(ax)
    if show and new:
        plt.show()
    if return_fig:
        return whole_figure(ax)
    return None if show else ax


def one_regime(data: AnnData | MuData, name: str, regime: str | None) -> pd.DataFrame:
    """Return the rows of one regime of a table, by default ``"full"``; tables outside audits have no regimes."""
    table: pd.DataFrame = getattr(get, name)(data)
    return select(table, regime="full" if regime is None and "regime" in table else regime)


def chosen_models(table: pd.DataFrame, models: str | Sequence[str] | None) -> list[str]:
    """Return the models to draw, by default all models of a table without the observed data."""
    columns = [column for column in MODEL_COLUMNS if column in table]
    all_models = [name for name in dict.fromkeys(table[columns].to_numpy().T.ravel()) if name != OBSERVED]
    if models is None:
        return all_models
    names = [models] if isinstance(models, str) else [name for name in models if name != OBSERVED]
    if missing := [name for name in names if name not in all_models]:
        msg = f"`models`: {some(map(repr, missing))} not available; choose from {all_models}."
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
        msg = "There are no scores of held-out perturbations (split 'test'). Call spb.pp.split before fitting."
        raise ValueError(msg)
    return held_out, names


def alike(values: Mapping[str, FloatArray], tolerance: float) -> list[list[str]]:
    """Return groups of models with equal values (up to a tolerance); a group is drawn once, as the mean baseline if included."""
    groups: list[list[str]] = []
    for name, own in values.items():
        for group in groups:
            if np.allclose(own, values[group[0]], rtol=0.0, atol=tolerance, equal_nan=True):
                group.append(name)
                break
        else:
            groups.append([name])
    return [sorted(group, key=lambda name: name != BASELINE) for group in groups]


def names_of(models: Sequence[str], width: int = 30) -> str:
    """Return the names of models that are drawn once, wrapped into lines."""
    return textwrap.fill(", ".join(models).replace("_", " "), width)


def stored_effects(data: AnnData | MuData, regime: str | None) -> Effects:
    """Return observed and predicted effects of a regime; raise an error without profiles."""
    observed = effects(modality(data, regime))
    if observed is None:
        msg = "These data contain no effects. Pass profiles made by spb.pp.profiles, or the result of spb.tl.audit."
        raise ValueError(msg)
    return observed


def effects_of_models(
    data: AnnData | MuData, regime: str | None, models: str | Sequence[str] | None
) -> tuple[Effects, dict[str, FloatArray]]:
    """Return the effects of a regime, and the predictions of the models to draw (NaN for seen perturbations)."""
    observed = stored_effects(data, regime)
    names = list(observed.predicted) if models is None else [models] if isinstance(models, str) else list(models)
    if missing := [name for name in names if name not in observed.predicted]:
        hint = (
            " This audit contains only tables; run spb.tl.audit with keep_predictions=True."
            if not observed.predicted
            else ""
        )
        msg = f"`models`: no predictions of {some(map(repr, missing))} are stored; models with predictions are {list(observed.predicted)}.{hint}"
        raise KeyError(msg)
    return observed, {name: observed.predicted[name] for name in names}

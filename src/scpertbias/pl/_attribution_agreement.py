"""Agreement of attributions between models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from mudata import MuData

from .. import _store
from .._docs import docs
from ._base import axes, chosen_models, finish, one_regime
from ._layout import SMALLEST

SIGNIFICANT = 0.05
CMAP = "Blues"
DARK, PALE = 0.55, 0.15  # share of the color scale from which text is white, to which the ground is nearly so


@docs.dedent
def attribution_agreement(
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
    """Plot the agreement of attributions between models (Table 3 of the paper).

    Above the diagonal: Spearman correlation over genes; below: share of common top genes; both are means over
    perturbations. A pair of models is marked "by chance" if its agreement is not significantly higher than expected for
    random genes of similar expression. A pair is marked "unspecific" if the models do not agree significantly more on
    the same perturbation than on two different perturbations. Models with flagged attributions are hatched (after
    :func:`scpertbias.tl.attribution_check`).

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.attribution_agreement`, or the result of :func:`scpertbias.tl.audit`.
    models
        Names of the models to plot; by default all compared models.
    regime
        For an audit: the regime to plot; by default ``"full"``.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If a model or the regime does not exist, or the audit contains only tables.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.fit_bilinear(profiles, n_components=5)
    >>> spb.tl.attribution_agreement(profiles)
    >>> ax = spb.pl.attribution_agreement(profiles, show=False)
    """
    table = one_regime(data, "attribution_agreement", regime)
    table = table[table["perturbation"] == ""]
    names = chosen_models(table, models)
    spearman, overlap, words = _matrices(table, names)
    new, ax = ax is None, axes(ax, figsize, (2.6 + 1.05 * len(names), 2.2 + 0.9 * len(names)))
    values = np.where(np.triu(np.ones_like(spearman), 1) > 0, spearman, overlap)
    low = min(0.0, float(np.nanmin(values, initial=0.0)))
    image = ax.imshow(values, cmap=CMAP, vmin=low, vmax=1.0)
    for (i, j), value in np.ndenumerate(values):
        if i != j:
            _cell(ax, i, j, float(value), str(words[i, j]) if j > i else "", (value - low) / (1 - low))
    flags = _flags(data, regime)
    _decorate(ax, names, flags, palette)
    chance = float(table["chance"].iloc[0]) if len(table) else np.nan
    n = sorted({int(v) for v in table["n"]})
    n_text = f"{n[0]}" if len(n) == 1 else f"{n[0]}–{n[-1]}" if n else "0"
    ax.set_title(
        f"agreement of attributions, {n_text} perturbations" + (f", regime {regime}" if regime else ""),
        fontsize="medium",
    )
    ax.set_xlabel(f"above the diagonal: Spearman correlation\nbelow: shared top genes (chance: {chance:.2f})")
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=ax, shrink=0.7, label="correlation, or share of common top genes")
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _matrices(
    table: pd.DataFrame, names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.object_]]:
    """Return Spearman correlation, overlap (models × models) and the text for each pair."""
    n = len(names)
    spearman, overlap = np.full((n, n), np.nan), np.full((n, n), np.nan)
    words = np.full((n, n), "", dtype=object)
    position = {name: i for i, name in enumerate(names)}
    for row in table.itertuples():
        if row.model_a not in position or row.model_b not in position:
            continue
        i, j = position[row.model_a], position[row.model_b]
        for a, b in ((i, j), (j, i)):
            spearman[a, b], overlap[a, b] = row.spearman, row.overlap
            words[a, b] = "" if np.isnan(row.p) else "by chance" if row.p >= SIGNIFICANT else words[a, b]
            if not words[a, b] and row.p_specific >= SIGNIFICANT:
                words[a, b] = "unspecific"
    return spearman, overlap, words


def _cell(ax: Axes, i: int, j: int, value: float, word: str, share: float) -> None:
    color = "white" if share > DARK else "black"
    if np.isnan(value):
        ax.text(j, i, "–", ha="center", va="center", color="black")
        return
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if share <= PALE else None  # hatches end at the text
    number = f"{round(value, 2) + 0.0:.2f}"  # no −0.00
    ax.text(j, i - (0.14 if word else 0), number, ha="center", va="center", color=color, bbox=box)
    if word:
        ax.text(j, i + 0.2, word, ha="center", va="center", color=color, fontsize=SMALLEST, style="italic", bbox=box)


def _flags(data: AnnData | MuData, regime: str | None) -> dict[str, str]:
    """Return the flag of each model, if attributions were checked."""
    if not _store.has_table(data, "attribution_check"):
        return {}
    table = one_regime(data, "attribution_check", regime)
    return dict(zip(table["model"], table["flag"], strict=True))


def _decorate(ax: Axes, names: Sequence[str], flags: Mapping[str, str], palette: Mapping[str, str] | None) -> None:
    n = len(names)
    flag_texts = [flags.get(name, "ok").replace("_", "-") for name in names]
    labels = [
        f"{m.replace('_', ' ')}\n({f})" if f != "ok" else m.replace("_", " ")
        for m, f in zip(names, flag_texts, strict=True)
    ]
    ax.set_xticks(range(n), labels, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(n), labels)
    for i, flag in enumerate(flag_texts):
        if flag != "ok":
            for corner, width, height in (((-0.5, i - 0.5), n, 1), ((i - 0.5, -0.5), 1, n)):
                area = Rectangle(corner, width, height, fill=False, hatch="///", edgecolor="0.7", linewidth=0)
                ax.add_patch(area)
    for tick, name in [*zip(ax.get_xticklabels(), names, strict=True), *zip(ax.get_yticklabels(), names, strict=True)]:
        if palette and name in palette:
            tick.set_color(palette[name])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)

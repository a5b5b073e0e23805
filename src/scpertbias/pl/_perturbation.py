"""Strongest genes of one perturbation: observed effects with intervals, and predicted effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .. import _store, get
from .._docs import docs
from ..get._select import select
from ..tl._effects import Effects
from ._base import alike, axes, effects_of_models, finish, names_of
from ._colors import colors

MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "*", "h")
QUANTILE = 1.96
SAME = 0.01  # of the largest effect
SPREAD = 0.6  # of the height of a gene


@docs.dedent
def perturbation(
    data: AnnData | MuData,
    perturbation: str,
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
    """Plot observed effects (with 95%% intervals) and predicted effects of one perturbation on its strongest genes.

    The genes are those with the largest ``|z|`` of the observed effect. Only models that have not seen the perturbation
    are drawn; models with the same predictions are drawn once. The legend contains the correlation r of predicted and
    observed effects (``pearson_delta_unshared``), and the error relative to the mean baseline. Both are computed over
    all scored genes.

    Parameters
    ----------
    data
        Profiles with stored models, or an audit.
    perturbation
        Name of the perturbation.
    %(models)s
    regime
        For an audit: the regime to plot; by default ``"full"``.
    n_genes
        Number of genes to plot.
    %(plot)s

    Returns
    -------
    Axes if ``show=False``, the figure if ``return_fig=True``, otherwise ``None``.

    Raises
    ------
    KeyError
        If the perturbation or the regime does not exist, or a model has no stored predictions.
    ValueError
        If there are no profiles.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> ax = spb.pl.perturbation(profiles, "STAT1", show=False)
    """
    effects, predicted = effects_of_models(data, regime, models)
    if perturbation not in effects.names:
        msg = f"`perturbation`: {perturbation!r} not available; choose from {list(effects.names[:5])} and others."
        raise KeyError(msg)
    row = effects.names.index(perturbation)
    genes = effects.strongest(n_genes)[row]
    observed, errors = effects.observed[row, genes], effects.errors[row, genes]
    values = {name: table[row, genes] for name, table in predicted.items()}
    values = {name: own for name, own in values.items() if np.isfinite(own).all()}
    new, ax = ax is None, axes(ax, figsize, (8.0, 1.8 + 0.3 * len(genes)))
    shade = colors(data, palette)
    y = np.arange(len(genes), dtype=np.float64)
    for place in y[::2]:
        ax.axhspan(place - 0.5, place + 0.5, color="0.96", zorder=0, linewidth=0)
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)
    ax.errorbar(
        observed, y, xerr=QUANTILE * errors, fmt="o", color="black", markersize=6, capsize=2.5, label="observed "
            "(95% interval)", zorder=4,
    )  # fmt: skip
    groups = alike(values, SAME * float(np.abs(observed).max(initial=0.0)))
    scores = _scores(data, perturbation, regime)
    for i, group in enumerate(groups):
        lift = SPREAD * ((i + 0.5) / len(groups) - 0.5)
        label = "\n".join(part for part in (names_of(group), scores.get(group[0], "")) if part)
        style: dict[str, Any] = {"marker": MARKERS[i % len(MARKERS)], "linestyle": "none", "markeredgecolor": "black"}
        ax.plot(values[group[0]], y + lift, color=shade[group[0]], markersize=6.5, markeredgewidth=0.5, label=label, zorder=3, **style)  # fmt: skip
    ax.set_yticks(y, effects.symbols[genes], fontsize=9)
    ax.set_ylim(len(genes) - 0.4, -0.6)
    ax.set_xlabel("effect: difference from control (log-normalized units; 0: no effect)")
    ax.set_title(_title(data, effects, row, regime, unseen=bool(values)), fontsize="medium")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        [handles[-1], *handles[:-1]], [labels[-1], *labels[:-1]], frameon=False, fontsize="small", loc="upper left",
        bbox_to_anchor=(1.0, 1.0), labelspacing=0.8,
    )  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _scores(data: AnnData | MuData, perturbation: str, regime: str | None) -> dict[str, str]:
    """Return the correlation and relative error of each model on a held-out perturbation, if it was scored."""
    if not _store.has_table(data, "scores"):
        return {}
    table = get.scores(data)
    table = table[(table["perturbation"] == perturbation) & (table["split"] == "test")]
    if "regime" in table:
        table = table[(table["regime"] == (regime or "full")) & (table["trained_on"] == table["regime"])]
    means = table.groupby("model")[["pearson_delta_unshared", "l2_ratio"]].mean()
    return {
        str(name): f"r {row['pearson_delta_unshared']:.2f}, relative error {row['l2_ratio']:.2f}".replace("-", "−")
        for name, row in means.iterrows()
    }


def _title(data: AnnData | MuData, effects: Effects, row: int, regime: str | None, *, unseen: bool) -> str:
    """Return the category of the perturbation, if stored, and a note if no model is drawn."""
    name = effects.names[row]
    parts = [f"strongest genes of {name}"]
    if _store.has_table(data, "perturbations"):
        table = select(get.perturbations(data), perturbation=name).iloc[0]
        parts += [f"{table['n_cells']:,} cells", f"reproducibility {table['reproducibility']:.2f}", str(table["kind"])]
    title = ", ".join([*parts, *([f"regime {regime}"] if regime else [])])
    return title if unseen or not effects.predicted else f"{title}\n(no prediction by a model that has not seen it)"

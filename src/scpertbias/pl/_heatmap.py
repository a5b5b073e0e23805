"""Effects as a matrix of perturbations and genes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from mudata import MuData

from .. import _moments, _store, get
from .._docs import docs
from ..get._select import modality, select
from ..tl._composition import gene_groups
from ..tl._effects import Effects
from ..tl._gene_sets import OTHER, measured_sets
from ._base import FloatArray, axes, effects_of_models, finish
from ._colors import set_colors, set_names
from ._layout import legend_below
from ._perturbations import STYLES

VALUES = ("observed", "predicted", "residual")
CMAP = "RdBu_r"
CLIPPED = 98  # percentile of the observed effects at which the colors end
CELL_INCHES = 0.16


@docs.dedent
def heatmap(
    data: AnnData | MuData,
    values: str = "observed",
    *,
    model: str | None = None,
    regime: str | None = None,
    n_perturbations: int = 40,
    n_genes: int = 60,
    ax: Axes | None = None,
    palette: Mapping[str, str] | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Any:
    """Plot the effects of the strongest perturbations on the genes that change most, grouped by gene set.

    Rows are sorted by category, columns by gene set and direction. Observed effects, predicted effects and residuals
    (observed minus predicted) have the same rows, columns and colors, so that they can be compared. A row is gray if
    the model has seen the perturbation, or gives no prediction for it.

    Parameters
    ----------
    data
        Profiles, or an audit.
    values
        ``"observed"``, ``"predicted"`` or ``"residual"``.
    model
        Name of the model, for ``"predicted"`` and ``"residual"``.
    regime
        For an audit: the regime to plot; by default ``"full"``.
    n_perturbations
        Number of perturbations to plot.
    n_genes
        Number of genes to plot.
    ax
        Axes to plot in; by default a new figure.
    palette
        Colors of the gene sets: a mapping from the name of a gene set to a color.
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
        If the model has no stored predictions, or the regime does not exist.
    ValueError
        If there are no profiles, or ``values`` is unknown or needs a model.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> ax = spb.pl.heatmap(profiles, n_genes=30, show=False)
    """
    if values not in VALUES:
        msg = f"`values` is {values!r}; it must be one of {list(VALUES)}."
        raise ValueError(msg)
    if values != "observed" and model is None:
        msg = f"`values={values!r}` needs a model. Pass model= with the name of a stored model."
        raise ValueError(msg)
    effects, predicted = effects_of_models(data, regime, [] if values == "observed" else model)
    rows, kinds = _rows(data, effects, n_perturbations)
    groups = _groups(data, regime)
    genes = _genes(effects, rows, groups, n_genes)
    observed = effects.observed[np.ix_(rows, genes)]
    matrix = observed
    if model is not None and values != "observed":
        of_model = predicted[model][np.ix_(rows, genes)]
        matrix = of_model if values == "predicted" else observed - of_model
    size = (3.8 + CELL_INCHES * len(genes), 2.4 + CELL_INCHES * len(rows))
    new, ax = ax is None, axes(ax, figsize, size)
    most = float(np.percentile(np.abs(observed), CLIPPED)) if observed.size else 1.0
    ax.set_facecolor("0.8")
    image = ax.imshow(matrix, cmap=CMAP, vmin=-most, vmax=most, aspect="auto", interpolation="none")
    ax.set_xticks(range(len(genes)), effects.symbols[genes], rotation=90, fontsize=8)
    ax.set_yticks(range(len(rows)), [effects.names[row] for row in rows], fontsize=8)
    _categories(ax, kinds, len(genes))
    handles = _strip(ax, groups[genes], palette)
    label = {
        "observed": "observed effect",
        "predicted": f"effect predicted by {model}",
        "residual": f"observed minus {model}",
    }
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.6, extend="both", pad=0.12 if any(kinds) else 0.02)
    bar.set_label(f"{label[values]}\n(log-normalized units)".replace("_", " "))
    title = f"strongest {len(rows)} of {len(effects.names)} perturbations, and {len(genes)} of {len(groups)} genes"
    ax.set_title(title + (f", regime {regime}" if regime else ""), fontsize="medium", pad=14)
    legend_below(ax, handles)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _rows(data: AnnData | MuData, effects: Effects, n: int) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the strongest perturbations, sorted by category and then by their share on the shared axis; and their categories."""
    strongest = np.argsort(-effects.squared_effect, kind="stable")[:n]
    # How far each goes along the direction of the others (P,)
    along = np.einsum("pg,pg->p", effects.observed, effects.axis)
    kinds = dict.fromkeys(effects.names, "")
    if _store.has_table(data, "perturbations"):
        table = get.perturbations(data)
        kinds |= dict(zip(table["perturbation"], table["kind"], strict=True))
    place = {kind: i for i, kind in enumerate(STYLES)}
    order = sorted(strongest, key=lambda row: (place.get(kinds[effects.names[row]], len(place)), -along[row]))
    return np.array(order, dtype=np.int64), [kinds[effects.names[row]] for row in order]


def _categories(ax: Axes, kinds: Sequence[str], n_genes: int) -> None:
    """Write the name of each category to the right of its rows, and draw lines between categories."""
    for kind in dict.fromkeys(kinds):
        first, n = kinds.index(kind), kinds.count(kind)
        if first:
            ax.axhline(first - 0.5, color="black", linewidth=0.8)
        ax.text(n_genes - 0.3, first + (n - 1) / 2, textwrap.fill(kind, 12), fontsize=8, va="center", linespacing=0.95)


def _groups(data: AnnData | MuData, regime: str | None) -> npt.NDArray[np.str_]:
    """Return the gene set of each gene; programs only if they are ``beyond`` random genes, if this was tested."""
    adata = modality(data, regime)
    screen = _moments.of(adata).merged
    confounding = get.confounding(data) if _store.has_table(data, "confounding") else None
    if confounding is not None and "regime" in confounding:
        confounding = select(confounding, regime="full")
    return gene_groups(measured_sets(adata, screen), confounding)


def _genes(
    effects: Effects, rows: npt.NDArray[np.int64], groups: npt.NDArray[np.str_], n: int
) -> npt.NDArray[np.int64]:
    """Return the genes with the largest squared effects, by group and then from decreasing to increasing genes."""
    observed = np.where(np.isnan(effects.z[rows]), 0.0, effects.observed[rows])
    largest = np.argsort(-np.sum(observed**2, axis=0), kind="stable")[:n]
    present = sorted(dict.fromkeys(groups[largest].tolist()), key=lambda group: group == OTHER)
    order = {group: i for i, group in enumerate(present)}
    mean: FloatArray = observed.mean(axis=0)
    return np.array(sorted(largest, key=lambda gene: (order[groups[gene]], mean[gene])), dtype=np.int64)


def _strip(ax: Axes, groups: npt.NDArray[np.str_], palette: Mapping[str, str] | None) -> list[Patch]:
    """Mark the gene sets above the columns; return the handles of their legend."""
    present = list(dict.fromkeys(groups.tolist()))
    names, shade = set_names(present), set_colors(present, palette)
    for x, group in enumerate(groups):
        ax.add_patch(Rectangle((x - 0.5, -1.25), 1, 0.6, color=shade[group], clip_on=False, linewidth=0))
    return [Patch(color=shade[group], label=names[group]) for group in present]

"""Sizes of predicted and observed effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from .._docs import docs
from ._base import FloatArray, alike, axes, effects_of_models, finish, names_of
from ._colors import colors

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
N_BINS = 5
SAME = 0.01  # of the largest observed effect


@docs.dedent
def effect_size(
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
    """Plot the size of predicted against observed effects of held-out perturbations.

    Each small mark is one perturbation. Lines join the medians of groups of perturbations with similar observed effect
    sizes. On the diagonal, predicted and observed sizes are equal. A horizontal row of marks means that the model
    predicts the same size for all perturbations. Models with the same sizes are drawn once. The size is the Euclidean
    norm of the effect over all genes; observed sizes are corrected for sampling noise.

    Parameters
    ----------
    data
        Profiles with stored models, or an audit.
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
        If a model has no stored predictions, or the regime does not exist.
    ValueError
        If there are no profiles, or no perturbation is held out.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> ax = spb.pl.effect_size(profiles, show=False)
    """
    effects, predicted = effects_of_models(data, regime, models)
    observed = np.sqrt(np.maximum(effects.squared_effect, 0.0))
    sizes = {name: np.linalg.norm(values, axis=1) for name, values in predicted.items()}
    sizes = {name: values for name, values in sizes.items() if np.isfinite(values).any()}
    if not sizes:
        msg = "The stored models predict only perturbations of their training data. Call spb.pp.split before fitting."
        raise ValueError(msg)
    new, ax = ax is None, axes(ax, figsize, (7.2, 4.6))
    shade = colors(data, palette)
    most = float(np.nanmax([observed, *sizes.values()]))
    ax.plot(
        [0, most], [0, most], color="black", linestyle="dotted", linewidth=1.4, label="predicted = observed", zorder=1
    )
    for i, group in enumerate(alike(sizes, SAME * float(observed.max()))):
        _draw(ax, observed, sizes[group[0]], names_of(group), shade[group[0]], MARKERS[i % len(MARKERS)])
    ax.set_xlim(-0.02 * most, 1.03 * float(np.nanmax(observed)))
    ax.set_ylim(-0.02 * most, 1.03 * most)
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.set_xlabel("size of the observed effect, corrected for noise (log-normalized units)")
    ax.set_ylabel("size of the predicted effect\n(log-normalized units)")
    n = max(int(np.isfinite(values).sum()) for values in sizes.values())
    title = f"{n} held-out perturbations (small marks) and medians of bins (large marks)"
    ax.set_title(title + (f", regime {regime}" if regime else ""), fontsize="medium")
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.spines[["top", "right"]].set_visible(False)
    return finish(ax, new=new, show=show, return_fig=return_fig)


def _draw(ax: Axes, observed: FloatArray, predicted: FloatArray, name: str, shade: str, marker: str) -> None:
    """Draw one model: each perturbation, and a line through the medians of bins with equal numbers of perturbations."""
    known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(observed))
    label = f"{name}\n(n = {len(known)})"
    ax.scatter(observed[known], predicted[known], s=16, color=shade, marker=marker, alpha=0.55, linewidths=0, zorder=2)
    order = known[np.argsort(observed[known], kind="stable")]
    bins = [part for part in np.array_split(order, min(N_BINS, len(order))) if len(part)]
    middle = [(np.median(observed[part]), np.median(predicted[part])) for part in bins]
    ax.plot(
        *np.transpose(middle), color=shade, marker=marker, markersize=6, markeredgecolor="black",
        markeredgewidth=0.6, linewidth=1.6, label=label, zorder=3,
    )  # fmt: skip

"""Do the same genes come out on top for every perturbation?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _store, _tables
from .._core.arrays import FloatArray
from .._core.ranking import expression_bins
from .._core.recurrence import (
    BY,
    Baselines,
    Recurrence,
    data_effects,
    least_excess,
    predicted_effects,
)
from .._core.recurrence import recurrence as count_top
from .._core.resampling import benjamini_hochberg
from .._docs import docs
from .._keys import OBSERVED
from .._labels import LabelMap
from .._log import added
from .._models._base import CONSTANT
from .._moments import Screen
from ._compared import HeldOut, common, read_inputs


@docs.dedent
def recurrence(
    adata: AnnData,
    models: str | Sequence[str] | None = None,
    *,
    k: int = 5,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Count in how many perturbations each gene is among the strongest, as predicted, as observed and by chance.

    A gene that a model puts on top far more often than the data do (``excess``), and more often than chance (``q``), is
    what the model predicts whatever is perturbed. Without the observed count the number says nothing: some genes do
    respond to everything. Models are counted on held-out perturbations, all on those that every one of them predicts.

    Where models are stored, ``groupby`` and the like are read from them.

    Parameters
    ----------
    %(adata)s
    models
        Names of the stored models; by default all. ``()``, or where none is stored: the data alone.
    k
        How many genes of each perturbation, by absolute value.
    %(cells)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_recurrence)s

    Raises
    ------
    KeyError
        If a model is not stored.
    ValueError
        If no perturbation is held out, or models were fitted on different data.

    References
    ----------
    Kavirayuni & Venturelli 2025, Tables 1 and 2.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.recurrence(profiles)
    >>> spb.get.recurrence(profiles, by="z").nlargest(2, "count")["gene"].tolist()
    ['PSMB9', 'STAT1']
    """
    data = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "batch_key": batch_key,
        "min_cells": min_cells,
        "layer": layer,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    inputs = read_inputs(adata, models, data, need_models=False)
    table = recurrence_table(inputs.screen, inputs.predictions, folds=inputs.folds, k=k, constant=inputs.constant)
    adata = adata.copy() if copy else adata
    _store.put(adata, recurrence=table)
    added("'recurrence', a row for each model, scale and gene (adata.uns['scpertbias'])")
    return adata if copy else None


def recurrence_table(
    screen: Screen,
    predictions: Mapping[str, FloatArray],
    *,
    folds: Mapping[str, int] | None = None,
    k: int = 5,
    constant: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the table of :func:`recurrence`.

    Parameters
    ----------
    screen
        The screen.
    predictions
        By model: perturbations × genes in the order of ``screen.names``, NaN where the model has seen a perturbation.
    folds
        Fold of each perturbation, if models are cross-fitted.
    k
        How many genes of each perturbation.
    constant
        Models known to predict the same for every unseen perturbation.
    """
    merged = screen.merged
    held_out = common(screen, predictions, folds, constant)
    base, mean, half = _effects_of(merged, held_out)
    bins = expression_bins(base.control)
    counts = {by: {OBSERVED: count_top(*data_effects(by, mean, half, base), bins, k)} for by in BY}
    del mean, half
    for name, table in held_out.predictions.items():
        centered = held_out.centered(name)
        for by in BY:
            effects, repeats = predicted_effects(by, table, centered, base)
            # One constant is one draw, not one for each perturbation: that its genes recur is no matter of chance.
            counts[by][name] = count_top(effects, [] if name in held_out.constant else repeats, bins, k)
    frames = [f for by in BY for f in _frames(screen, by, counts[by], len(held_out.rows), held_out.constant)]
    table = pd.concat(frames, ignore_index=True)
    order = {name: i for i, name in enumerate((OBSERVED, *held_out.predictions))}
    rank = table.assign(model=table["model"].map(order), by=table["by"].map({by: i for i, by in enumerate(BY)}))
    position = rank.sort_values(["model", "by", "count"], ascending=[True, True, False], kind="stable").index
    return table.loc[position, _tables.columns("recurrence")].reset_index(drop=True)


def _effects_of(merged: Screen, held_out: HeldOut) -> tuple[Baselines, FloatArray, FloatArray]:
    """Return what effects are relative to, and the means and halves of the perturbations that are counted."""
    m = merged.moments
    perturbed = merged.used & (merged.perturbation > 0) & (m.n > 0)
    halved = perturbed & (m.n_half > 0).all(axis=0)
    base = Baselines(
        control=m.control,
        control_half=m.half[:, m.reference],
        perturbed=m.mean[perturbed].mean(axis=0),
        perturbed_half=m.half[:, halved].mean(axis=1) if halved.any() else np.full_like(m.half[:, 0], np.nan),
        sd=np.sqrt(m.pooled_var),
    )
    return base, m.mean[held_out.rows], m.half[:, held_out.rows]


def _frames(
    screen: Screen, by: str, counts: Mapping[str, Recurrence], n: int, constant: Sequence[str]
) -> list[pd.DataFrame]:
    """Make the rows of one scale; genes that no model and no perturbation puts on top are left out."""
    on_top = np.any([result.count > 0 for result in counts.values()], axis=0)
    observed = counts[OBSERVED].count
    return [
        pd.DataFrame(
            {
                "model": name,
                "by": by,
                "gene": screen.genes[on_top].to_numpy(str),
                "count": result.count[on_top],
                "n_perturbations": n,
                "expected": result.expected[on_top],
                "excess": np.nan if name == OBSERVED else (result.count - observed)[on_top].astype(np.float64),
                "excess_ci_low": np.nan if name == OBSERVED else least_excess(result.count, observed, n)[on_top],
                "p": result.p[on_top],
                "q": benjamini_hochberg(result.p)[on_top],
                "n_effective_genes": result.effective,
                "note": CONSTANT if name in constant else "",
                "symbol": screen.symbols[on_top],
            }
        )
        for name, result in counts.items()
    ]

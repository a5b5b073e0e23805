"""Recurrence of top genes across perturbations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _store, _tables
from .._core.arrays import FloatArray
from .._core.ranking import expression_bins
from .._core.recurrence import (
    BY,
    EffectScale,
    Recurrence,
    excess_interval,
    observed_effects,
    z_is_tested,
)
from .._core.recurrence import recurrence as count_top
from .._core.resampling import benjamini_hochberg
from .._docs import docs
from .._keys import OBSERVED
from .._labels import LabelMap
from .._log import added
from .._models._base import CONSTANT
from .._moments import Screen
from ._compared import common, read_inputs

FEW_CONTROLS = "not tested, because there are fewer than five controls for each cell of a typical perturbation"


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
    """Count the perturbations in which each gene is a top gene, that is, among the genes with the strongest effects.

    The count is computed for the data and for the predictions of each model, and compared with the count expected by
    chance. Use the rows of the scale ``centered`` (effects relative to their mean over perturbations). On the scales
    ``delta`` and ``z``, effects are relative to control. These effects all contain the noise of the same control, so
    that the same genes become top genes of many perturbations. For the data, ``q`` tests whether a gene is a top gene
    more often than expected by chance. On the scale ``z``, this test requires at least five times as many control cells
    as cells per perturbation.

    Models have no ``q``, because a common part of all predictions is a property of the model. ``excess`` is the count
    in the predictions minus the count in the data, with its interval. ``excess`` can be above 0 even in a screen
    without a response, so it is informative only if the response exceeds noise. Models are counted on the held-out
    perturbations that all of them predict.

    If models are stored, ``groupby`` and similar settings are read from them.

    Parameters
    ----------
    %(adata)s
    models
        Names of the stored models; by default all. With ``()``, or if no model is stored, only the data are counted.
    k
        Number of top genes per perturbation, ranked by absolute effect.
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
    >>> spb.get.recurrence(profiles, by="centered").nlargest(2, "count")["gene"].tolist()
    ['STAT1', 'JAK2']
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
    table = recurrence_table(
        inputs.screen,
        inputs.predictions,
        folds=inputs.folds,
        k=k,
        constant=inputs.constant,
        one_split=inputs.one_split,
    )
    adata = adata.copy() if copy else adata
    _store.put(adata, recurrence=table)
    added("'recurrence', one row per model, scale and gene (adata.uns['scpertbias'])")
    return adata if copy else None


def recurrence_table(
    screen: Screen,
    predictions: Mapping[str, FloatArray],
    *,
    folds: Mapping[str, int] | None = None,
    k: int = 5,
    constant: Sequence[str] = (),
    one_split: Mapping[str, Collection[str] | None] | None = None,
) -> pd.DataFrame:
    """Return the table of :func:`recurrence`.

    Parameters
    ----------
    screen
        The screen.
    predictions
        By model: perturbations × genes in the order of ``screen.names``; NaN for perturbations that the model has seen.
    folds
        Fold of each perturbation, if models are cross-fitted.
    k
        Number of top genes per perturbation.
    constant
        Models that make constant predictions for unseen perturbations.
    one_split
        Models that are not cross-fitted, with the perturbations that they have not seen (None: those of the split).
    """
    m = screen.merged.moments
    held_out = common(screen, predictions, folds, constant, one_split=one_split)
    perturbed = screen.merged.used & (screen.merged.perturbation > 0) & (m.n > 0)
    bins = expression_bins(m.control)
    counts = {}
    scale = EffectScale.of(m, held_out.rows)
    for by in BY:
        values, repeats = observed_effects(by, m, held_out.rows, perturbed, scale)
        tested = by != "z" or z_is_tested(m, held_out.rows)
        counts[by] = {OBSERVED: count_top(values, repeats if tested else [], bins, k)}
        del values
    for name, table in held_out.predictions.items():
        for by in BY:
            effects = held_out.centered(name) if by == "centered" else table - m.control
            # A common part of all predictions is a property of the model, so there is no null distribution for its counts.
            counts[by][name] = count_top(scale.apply(by, effects), [], bins, k)
    frames = [f for by in BY for f in _frames(screen, by, counts[by], len(held_out.rows), held_out.constant)]
    table = pd.concat(frames, ignore_index=True)
    order = {name: i for i, name in enumerate((OBSERVED, *held_out.predictions))}
    rank = table.assign(model=table["model"].map(order), by=table["by"].map({by: i for i, by in enumerate(BY)}))
    position = rank.sort_values(["model", "by", "count"], ascending=[True, True, False], kind="stable").index
    return table.loc[position, _tables.columns("recurrence")].reset_index(drop=True)


def _frames(
    screen: Screen, by: str, counts: Mapping[str, Recurrence], n: int, constant: Sequence[str]
) -> list[pd.DataFrame]:
    """Make the rows of one scale; genes that are never top genes are left out."""
    on_top = np.any([result.count > 0 for result in counts.values()], axis=0)
    observed = counts[OBSERVED].count
    frames = []
    for name, result in counts.items():
        low, high = excess_interval(result.count, observed, n, int(on_top.sum()))
        is_data = name == OBSERVED
        untested = is_data and by == "z" and bool(np.isnan(result.p).all())
        frames.append(
            pd.DataFrame(
                {
                    "model": name,
                    "by": by,
                    "gene": screen.genes[on_top].to_numpy(str),
                    "count": result.count[on_top],
                    "n_perturbations": n,
                    "expected": result.expected[on_top],
                    "excess": np.nan if is_data else (result.count - observed)[on_top].astype(np.float64),
                    "excess_ci_low": np.nan if is_data else low[on_top],
                    "excess_ci_high": np.nan if is_data else high[on_top],
                    "p": result.p[on_top],
                    "q": benjamini_hochberg(result.p)[on_top],
                    "n_effective_genes": result.effective,
                    "note": CONSTANT if name in constant else FEW_CONTROLS if untested else "",
                    "symbol": screen.symbols[on_top],
                }
            )
        )
    return frames

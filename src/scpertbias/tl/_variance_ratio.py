"""Variation of predictions between perturbations, compared with the data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _store, _tables
from .._core.arrays import FloatArray
from .._core.noise import counted_rows
from .._core.variance import Collapse, ObservedMeans, Spread, collapse, spread
from .._docs import docs
from .._log import added
from .._models._base import CONSTANT
from .._moments import Screen
from ._compared import common, read_inputs


@docs.dedent
def variance_ratio(
    adata: AnnData,
    models: str | Sequence[str] | None = None,
    *,
    copy: bool = False,
) -> AnnData | None:
    """Compare how much predictions and data vary between held-out perturbations.

    A ratio of 1 means the same standard deviation as in the data (corrected for noise); 0 means the same prediction for
    all perturbations. If the column ``collapsed_to`` contains ``mean`` or ``no_change``, the predicted effects of the
    model are nearly a multiple of the mean effect. The column names the baseline that is nearer to these predictions.

    Parameters
    ----------
    %(adata)s
    %(models)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_variance_ratio)s

    Raises
    ------
    KeyError
        If a model is not stored.
    ValueError
        If no perturbation is held out, or models were fitted on different data.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders, Nature Methods 2025, Extended Data Fig. 7; Kavirayuni & Venturelli 2025, ED Fig. 7.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.variance_ratio(profiles)
    >>> table = spb.get.variance_ratio(profiles, level="screen")
    >>> table["sd_predicted"].item(), table["collapsed_to"].item()
    (0.0, 'mean')
    """
    inputs = read_inputs(adata, models, need_models=True)
    table = variance_ratio_table(
        inputs.screen,
        inputs.predictions,
        folds=inputs.folds,
        constant=inputs.constant,
        one_split=inputs.one_split,
    )
    adata = adata.copy() if copy else adata
    _store.put(adata, variance_ratio=table)
    added("'variance_ratio', one row per model, and one per model and gene (adata.uns['scpertbias'])")
    return adata if copy else None


def variance_ratio_table(
    screen: Screen,
    predictions: Mapping[str, FloatArray],
    *,
    folds: Mapping[str, int] | None = None,
    constant: Sequence[str] = (),
    one_split: Mapping[str, Collection[str] | None] | None = None,
) -> pd.DataFrame:
    """Return the table of :func:`variance_ratio`.

    Parameters
    ----------
    screen
        The screen.
    predictions
        By model: perturbations × genes in the order of ``screen.names``; NaN for perturbations that the model has seen.
    folds
        Fold of each perturbation, if models are cross-fitted.
    constant
        Models that make constant predictions for unseen perturbations.
    one_split
        Models that are not cross-fitted, with the perturbations that they have not seen (None: those of the split).
    """
    merged = screen.merged
    held_out = common(screen, predictions, folds, constant, one_split=one_split)
    m = merged.moments
    counted = np.isin(held_out.rows, counted_rows(m, merged.used))
    rows = held_out.rows[counted]
    observed = ObservedMeans(
        means=m.mean[rows],
        own=m.var[rows] / m.n[rows, None],
        weights=m.weights[rows],
        control=np.nan_to_num(m.control_var) / np.maximum(m.n_control, 1)[:, None],
        a2=screen.noise_size.a2_raised,
    )
    screens, genes = [], []
    for name, table in held_out.predictions.items():
        centered = held_out.centered(name)
        centered = centered if counted.all() else centered[counted]
        spreads = spread(centered, observed, held_out.groups[counted])
        del centered
        nearest = collapse(table, held_out.mean_of(name), m.control)
        note = CONSTANT if name in held_out.constant else ""
        screens.append(_screen_row(name, spreads, nearest, len(rows), note))
        genes.append(_gene_rows(name, spreads, len(rows), screen))
    if not screens:
        return _tables.empty("variance_ratio")
    return pd.concat([pd.DataFrame(screens), *genes], ignore_index=True)[_tables.columns("variance_ratio")].fillna(
        {"gene": "", "collapsed_to": "", "note": "", "symbol": ""}
    )


def _screen_row(name: str, spreads: Spread, nearest: Collapse, n: int, note: str) -> dict[str, object]:
    ratio = spreads.ratio
    observed = float(spreads.observed.mean())
    return {
        "model": name,
        "level": "screen",
        "n_perturbations": n,
        "sd_predicted": float(np.sqrt(spreads.predicted.mean())),
        "sd_observed": float(np.sqrt(observed)) if observed > 0 else np.nan,
        "ratio": ratio.estimate,
        "ci_low": ratio.low,
        "ci_high": ratio.high,
        "cosine_mean": nearest.cosine_mean,
        "cosine_control": nearest.cosine_control,
        "collapsed_to": nearest.to,
        "note": "; ".join(part for part in (note, ratio.reason) if part),
    }


def _gene_rows(name: str, spreads: Spread, n: int, screen: Screen) -> pd.DataFrame:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(spreads.reliable, np.sqrt(spreads.predicted / spreads.observed), np.nan)
        observed = np.where(spreads.observed > 0, np.sqrt(spreads.observed), np.nan)
    return pd.DataFrame(
        {
            "model": name,
            "level": "gene",
            "gene": screen.genes.to_numpy(str),
            "n_perturbations": n,
            "sd_predicted": np.sqrt(spreads.predicted),
            "sd_observed": observed,
            "ratio": ratio,
            "symbol": screen.symbols,
        }
    )

"""Errors as a function of the number of genes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ... import _tables
from ..._core.arrays import FloatArray, IntArray
from ..._moments import Screen
from .._reference import reference

RANKED_BY = "control expression"
FEWEST, N_SIZES = 20, 15
SUBSETS = ("all", "common")


def error_by_n_genes_table(
    screen: Screen,
    predictions: Mapping[str, FloatArray],
    *,
    folds: Mapping[str, int] | None,
    weights: Mapping[str, FloatArray] | None = None,
) -> pd.DataFrame:
    """Return the median L2 errors over the genes of highest mean in control: one row per model, subset and number of genes.

    Medians are over the ``n`` held-out perturbations that the model predicts (``all``), or that all models do
    (``common``). ``l2_baseline`` is the error of the baseline (the mean, for combinations the additive prediction),
    ceilings are errors of a perfect prediction, and ratios are relative to the mean, within a perturbation.

    Parameters
    ----------
    screen
        The screen.
    predictions
        By model: perturbations × genes in the order of ``screen.names``; NaN for perturbations that the model has seen.
    folds
        Fold of each perturbation, if models are cross-fitted; else the perturbations of the test split are held out.
    weights
        Control weights of the predictions of external models (perturbations × batches).
    """
    all_genes = np.arange(len(screen.genes), dtype=np.int64)
    reference_rows = reference(screen, n_top_genes=len(all_genes), folds=folds, genes=all_genes, with_z=False)
    truth, held_out, rows_of = reference_rows.truth, reference_rows.split == "test", reference_rows.perturbation
    observed = truth.observed
    order = np.lexsort((screen.genes.to_numpy(str), -screen.moments.control))
    sizes = gene_numbers(len(order))
    # Which genes are among the n of highest mean, for each n (G × sizes)
    among = (np.argsort(order)[:, None] < sizes).astype(np.float64)

    def cumulated(squares: FloatArray) -> FloatArray:
        sums: FloatArray = squares @ among
        return sums

    def errors_of(values: FloatArray) -> FloatArray:
        away = values - observed
        away *= away
        return np.sqrt(cumulated(away))

    def ceiling_of(noise: FloatArray) -> FloatArray:
        return np.sqrt(np.maximum(cumulated(noise), 0.0))

    of_means = ceiling_of(truth.noise(truth.of_means))
    shares = {name: of_model[rows_of] for name, of_model in (weights or {}).items() if name in predictions}
    ceilings = {name: ceiling_of(truth.noise(of_model)) for name, of_model in shares.items()}
    baseline, center = errors_of(reference_rows.baseline), errors_of(truth.centroid)
    center = np.where(center > 0, center, np.nan)
    del reference_rows, truth  # they are large
    errors = {name: errors_of(table[rows_of]) for name, table in predictions.items()}
    predicted = {name: held_out & np.isfinite(error[:, -1]) for name, error in errors.items()}
    common = np.logical_and.reduce([rows for rows in predicted.values() if rows.any()] or [held_out])
    frames = []
    for name, error in errors.items():
        ceiling = ceilings.get(name, of_means)
        columns = {
            "l2": error,
            "l2_baseline": baseline,
            "l2_ceiling": ceiling,
            "l2_ratio": error / center,
            "l2_ratio_ceiling": ceiling / center,
        }
        for subset, rows in zip(SUBSETS, (predicted[name], common & predicted[name]), strict=True):
            labels = {"model": name, "subset": subset, "ranked_by": RANKED_BY, "n_genes": sizes, "n": int(rows.sum())}
            frames.append(pd.DataFrame({**labels, **{key: _median(x[rows]) for key, x in columns.items()}}))
    return pd.concat(frames, ignore_index=True) if frames else _tables.empty("error_by_n_genes")


def gene_numbers(n_genes: int) -> IntArray:
    """Return about 15 numbers of genes, evenly spaced in the logarithm, up to all."""
    return np.unique(np.geomspace(min(FEWEST, n_genes), n_genes, N_SIZES).round().astype(np.int64))


def _median(values: FloatArray) -> FloatArray:
    """Median of each column's finite values, NaN without any."""
    if len(values) and np.isfinite(values).all():
        return np.asarray(np.median(values, axis=0), dtype=np.float64)
    return np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in values.T])

"""Scores of models, with baseline and ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _held_out, _moments, _results, _store, _validate
from .._core.arrays import FloatArray
from .._core.correlations import NoiseWeights
from .._core.de import DE_METRICS
from .._core.metrics import ALL_METRICS, METRICS, evaluate, evaluate_ceilings
from .._docs import docs
from .._log import added
from .._moments import Screen
from ._comparison import comparison_table
from ._control_noise import ControlNoise
from ._reference import Reference, reference
from ._summary import summarize

CROSS_FITTED = {"cross_fitted": True}
"""The part of the record of a cross-fitted model that concerns its training data."""
UNSHARED = [name for name, metric in METRICS.items() if metric.unshared]


@docs.dedent
def score(
    adata: AnnData,
    models: str | Sequence[str] | None = None,
    *,
    n_top_genes: int = 1000,
    copy: bool = False,
) -> AnnData | None:
    """Score the predictions of each perturbation, with baseline, noise ceiling and intervals.

    The settings of the fits (``groupby``, ``reference``, ``batch_key``, …) are read from the stored models.

    Parameters
    ----------
    %(adata)s
    %(models)s
    n_top_genes
        Number of genes to score, ranked by mean expression in control.
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    %(field_scores)s
    %(field_summary)s
    %(field_comparison)s

    Raises
    ------
    KeyError
        If a model is not stored.
    ValueError
        If models were fitted on different data.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders, Nature Methods 2025; Viñas Torné et al., Nature Biotechnology 2025 (the mean of the
    perturbed as reference); Adduri et al. 2025 (discrimination).

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata)
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.score(profiles)
    >>> spb.get.scores(profiles)["l2_ratio"].round(6).unique().tolist()
    [1.0]
    """
    _validate.cells_or_profiles(adata)
    records = _results.model_records(adata, models)
    data = _results.agreed_data(records)
    screen = _moments.of(adata, **data)
    folds = _results.folds(adata, records)
    truth = reference(screen, n_top_genes=n_top_genes, folds=folds)
    predictions = {key: _results.predictions(adata, key, screen).to_numpy(np.float64) for key in records}
    tables = [(key, "full", table) for key, table in predictions.items()]
    held = {("full", key): table for key, table in _results.noise_weights(records, screen).items()}
    scored = score_table(screen, truth, tables, held=held, weights=_results.control_weights(records, screen))
    scores = mark_held_out(scored.table, records, screen, folds)
    noise = {model: noise for (_, model), noise in scored.noise.items()}
    known, constant = screen.detection.response_known, _results.constant(records)
    summary = summarize(scores, shape=screen.noise_shape, known=known, noise=noise, constant=constant)
    adata = adata.copy() if copy else adata
    _store.put(adata, scores=scores, summary=summary, comparison=comparison_table(scores))
    added(
        "'scores', one row per model, perturbation and split (adata.uns['scpertbias'])",
        "'summary', one row per model and metric (adata.uns['scpertbias'])",
        "'comparison', one row per pair of models and metric (adata.uns['scpertbias'])",
    )
    return adata if copy else None


class Scored(NamedTuple):
    """Scores, one row per model and row, and their derivatives with respect to the control by regime and model."""

    table: pd.DataFrame
    noise: dict[tuple[str, str], ControlNoise]


InOrder = Callable[[Iterable[Callable[[], Any]]], list[Any]]
"""Function that runs calls and returns their results in the same order."""


def one_by_one(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """Return the results of some calls."""
    return [call() for call in calls]


def score_table(
    screen: Screen,
    reference: Reference,
    predictions: Iterable[tuple[str, str, FloatArray]],
    *,
    held: Mapping[tuple[str, str], FloatArray | None] | None = None,
    weights: Mapping[str, FloatArray] | None = None,
    with_noise: str = "full",
    run: InOrder = one_by_one,
) -> Scored:
    """Score predictions on the rows of a reference.

    Each prediction is (model, regime in which it was trained, perturbations × genes of the screen). ``held`` is the amount
    of noise of the screen in predictions by regime and model (perturbations × batches and one; by default that of the
    training mean). ``weights`` are the control weights of external predictions (perturbations × batches), which have a
    separate ceiling. The noise of the control is kept for models trained in the regime ``with_noise``. ``run`` calls the
    scoring of the models, which can be in threads.
    """
    truth, changes = reference.truth, reference.changes
    baseline = evaluate(reference.baseline, truth, reference.held_by_baseline)
    baseline |= changes.scores(reference.baseline, reference.held_by_baseline.control)
    of_means, of_changes = evaluate_ceilings(truth, truth.of_means), changes.ceilings()
    common = {
        "perturbation": np.array(screen.names)[reference.perturbation],
        "split": reference.split,
        "fold": reference.fold,
        "n_cells": truth.n_cells.astype(np.int64),
    }
    references = {f"{name}_baseline": baseline[name] for name in ALL_METRICS if name != "l2_ratio"}
    references |= {"l2_baseline_ceiling": of_means["l2"]}

    def score_model(model: str, trained_on: str, values: FloatArray) -> tuple[pd.DataFrame, ControlNoise | None]:
        rows = (held or {}).get((trained_on, model))
        of_model = NoiseWeights.of_mean(truth) if rows is None else NoiseWeights.of_rows(rows, reference.perturbation)
        scores = evaluate(values, truth, of_model) | changes.scores(values, of_model.control)
        control_noise, inflation = scores.pop("control_noise"), scores.pop("inflation")
        shares = None if weights is None or model not in weights else weights[model][reference.perturbation]
        ceilings = (of_means if shares is None else evaluate_ceilings(truth, shares)) | of_changes
        noise = None
        if trained_on == with_noise:
            noise = reference.control_noise(values, of_model, truth.of_means if shares is None else shares)
        to_compare = references | {f"{name}_ceiling": values for name, values in ceilings.items()}
        columns = {"model": model, **common, "trained_on": trained_on, **_side_by_side(scores, to_compare)}
        about = {"inflation": inflation, "control_noise": control_noise, "reproducibility": reference.reproducibility}
        of_row = {"n_de": changes.n_called, "detected": pd.array(reference.detected, dtype="boolean")}
        return pd.DataFrame({**columns, **about, **of_row}), noise

    at = np.ix_(reference.perturbation, reference.genes)
    keys: list[tuple[str, str]] = []

    def calls() -> Iterator[Callable[[], tuple[pd.DataFrame, ControlNoise | None]]]:
        for model, trained_on, table in predictions:
            keys.append((trained_on, model))
            yield partial(score_model, model, trained_on, table[at])

    frames, noises = zip(*run(calls()), strict=True)
    noise = {key: of_model for key, of_model in zip(keys, noises, strict=True) if of_model is not None}
    return Scored(pd.concat(frames, ignore_index=True), noise)


def _side_by_side(scores: Mapping[str, FloatArray], references: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """All scores, then the ceiling and baseline of each, and the ceiling of the baseline if it differs."""
    order = [f"{name}{suffix}" for name in ALL_METRICS for suffix in ("_ceiling", "_baseline", "_baseline_ceiling")]
    return {**scores, **{key: references[key] for key in order if key in references}}


def mark_held_out(
    scores: pd.DataFrame,
    records: Mapping[str, Mapping[str, Any]],
    screen: Screen,
    folds: Mapping[str, int] | None,
) -> pd.DataFrame:
    """Mark as ``test`` only perturbations that each model has not seen, independently of the split of the rows.

    Test rows that a model has seen are ``train``; with declared held-out perturbations, all other rows are ``train``, too. For
    a held-out combination, ``seen_targets`` is the number of its genes that are perturbed in training. A model without a
    record is cross-fitted. Perturbations that a model has seen have no scores without shared noise.
    """
    n_seen = np.full(len(scores), np.nan)
    for name in scores["model"].unique():
        record = records.get(name, CROSS_FITTED)
        rows = (scores["model"] == name).to_numpy()
        unseen = _held_out.unseen(record, screen, folds)
        others = "train" if record.get("test") is not None else scores.loc[rows, "split"].replace("test", "train")
        scores.loc[rows, "split"] = np.where(scores.loc[rows, "perturbation"].isin(unseen), "test", others)
        n_seen[rows] = _seen_targets(scores[rows], record, screen)
    # Predictions for seen perturbations also contain the noise of their own cells
    scores.loc[scores["split"] != "test", [*UNSHARED, *DE_METRICS, "inflation"]] = np.nan
    scores.insert(scores.columns.get_loc("split") + 1, "seen_targets", pd.array(n_seen, dtype="Int64"))
    return scores


def _seen_targets(rows: pd.DataFrame, record: Mapping[str, Any], screen: Screen) -> FloatArray:
    """Count the genes of each held-out combination that training perturbations hit; NaN for all other rows."""
    targets = dict(zip(screen.names, screen.targets, strict=True))
    usable = screen.used & (screen.perturbation > 0) & (screen.moments.n > 0)
    cross_fitted = bool(record.get("cross_fitted"))
    trained = {screen.names[p] for p in screen.perturbation[usable & (cross_fitted | (screen.split == "train"))]}
    trained -= set() if cross_fitted else set(_held_out.unseen(record, screen, None))
    fold = dict(zip(rows["perturbation"], rows["fold"], strict=True)) if cross_fitted else {}
    n_seen = np.full(len(rows), np.nan)
    for i, (name, split) in enumerate(zip(rows["perturbation"], rows["split"], strict=True)):
        if split == "test" and len(targets[name]) > 1:
            others = (other for other in trained if not cross_fitted or fold.get(other) != fold[name])
            perturbed = {gene for other in others if other != name for gene in targets[other]}
            n_seen[i] = len(perturbed & set(targets[name]))
    return n_seen

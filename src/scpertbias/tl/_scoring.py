"""Scores of every model on every row of a reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import _results
from .._core.metrics import METRICS, evaluate, evaluate_ceilings
from .._moments import Screen
from ._truth import Reference

FloatArray = npt.NDArray[np.float64]


def score_table(
    screen: Screen, reference: Reference, predictions: Iterable[tuple[str, str, FloatArray]]
) -> pd.DataFrame:
    """Score predictions on the rows of a reference: one row a model and row.

    Each prediction is (model, regime that it was trained on, perturbations × genes of the screen).
    """
    ceilings = evaluate_ceilings(reference.truth)
    baseline = evaluate(reference.baseline, reference.truth)
    common = {
        "perturbation": np.array(screen.names)[reference.perturbation],
        "split": reference.split,
        "fold": reference.fold,
        "n_cells": reference.truth.n_cells.astype(np.int64),
    }
    beside = {f"{name}_ceiling": ceilings[name] for name in METRICS if name in ceilings}
    beside |= {f"{name}_baseline": baseline[name] for name in METRICS if name != "l2_ratio"}
    frames = []
    for model, trained_on, table in predictions:
        scores = evaluate(table[np.ix_(reference.perturbation, reference.genes)], reference.truth)
        noise = scores.pop("control_noise")
        columns = {"model": model, **common, "trained_on": trained_on, **_side_by_side(scores, beside)}
        frames.append(pd.DataFrame({**columns, "control_noise": noise, "reproducibility": reference.reproducibility}))
    return pd.concat(frames, ignore_index=True)


def _side_by_side(scores: Mapping[str, FloatArray], beside: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """All scores, then for each its ceiling and baseline."""
    order = [f"{name}{suffix}" for name in METRICS for suffix in ("_ceiling", "_baseline")]
    return {**scores, **{key: beside[key] for key in order if key in beside}}


def mark_held_out(
    scores: pd.DataFrame, records: Mapping[str, Mapping[str, Any]], screen: Screen, *, folds: bool
) -> pd.DataFrame:
    """Mark as ``test`` only what each model has not seen, where that is not what the rows' own split says.

    That is so for a model whose maker said what it was tested on, and beside cross-fitted models (``folds``) for every
    model that is not cross-fitted itself. Of a held-out combination ``seen_targets`` says how many of its genes the
    model has seen perturbed. A model without a record is cross-fitted.
    """
    seen = np.full(len(scores), np.nan)
    for name in scores["model"].unique():
        record = records.get(name, {"cross_fitted": True})
        mine = (scores["model"] == name).to_numpy()
        if record.get("test") is not None or (folds and not record.get("cross_fitted")):
            unseen = scores.loc[mine, "perturbation"].isin(_results.held_out(record, screen))
            scores.loc[mine, "split"] = np.where(unseen, "test", "train")
        seen[mine] = _seen_targets(scores[mine], record, screen)
    scores.insert(scores.columns.get_loc("split") + 1, "seen_targets", pd.array(seen, dtype="Int64"))
    return scores


def _seen_targets(rows: pd.DataFrame, record: Mapping[str, Any], screen: Screen) -> FloatArray:
    """Count the genes of each held-out combination that training perturbations hit; NaN for all other rows."""
    targets = dict(zip(screen.names, screen.targets, strict=True))
    usable = screen.used & (screen.perturbation > 0) & (screen.moments.n > 0)
    crossed = bool(record.get("cross_fitted"))
    trained = {screen.names[p] for p in screen.perturbation[usable & (crossed | (screen.split == "train"))]}
    trained -= set() if crossed else set(_results.held_out(record, screen))
    fold = dict(zip(rows["perturbation"], rows["fold"], strict=True)) if crossed else {}
    seen = np.full(len(rows), np.nan)
    for i, (name, split) in enumerate(zip(rows["perturbation"], rows["split"], strict=True)):
        if split == "test" and len(targets[name]) > 1:
            others = (other for other in trained if not crossed or fold.get(other) != fold[name])
            known = {gene for other in others if other != name for gene in targets[other]}
            seen[i] = len(known & set(targets[name]))
    return seen

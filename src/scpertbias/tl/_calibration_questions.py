"""The questions of a calibration: answers for one null screen, and the largest expected rate of yes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from mudata import MuData

from .. import _moments, _store, _tables, get
from .._core.detection import FDR, NOT_DETECTED, TARGET_ONLY, TOO_FEW_CELLS
from .._core.metrics import METRICS
from .._core.noise import SURE, counted_rows, noise_parts, null_error
from .._core.resampling import MIN_PERTURBATIONS
from .._core.specific_skill import PERTURBATION_SPECIFIC, WRONG_SIZE
from .._keys import FULL, MUCH, OBSERVED, P_COLUMN, PART
from ._gene_sets import OTHER

BASELINE, SYSTEMATIC, CENTERED = "mean", "systematic", "centered"
YES, PARTLY = "yes", "partly or yes"
SCREENS, PERTURBATIONS = "screens", "perturbations"


class QuestionKey(NamedTuple):
    """A question, with its model and metric (for a verdict, the answer)."""

    question: str
    model: str = ""
    metric: str = ""


@dataclass(frozen=True)
class CalibrationQuestion:
    """Description of a question, its largest expected rate of yes without effects, and the unit of this rate."""

    sentence: str
    nominal: float
    counts: str = SCREENS


QUESTIONS = {
    "screen": CalibrationQuestion("verdict that perturbations have an effect", 0.05),
    "shared": CalibrationQuestion("verdict that the response is shared", 0.05),
    "technical": CalibrationQuestion("verdict that the response is technical", 0.05),
    "models": CalibrationQuestion("verdict that a model predicts perturbations", 0.05),
    "recurrence": CalibrationQuestion("verdict that genes recur in predictions", 0.05),
    "detected": CalibrationQuestion("perturbations with a detected effect", 0.05, PERTURBATIONS),
    "response_known": CalibrationQuestion("the response is reproducible", 0.05),
    "halves_agree": CalibrationQuestion("effects in two halves of the cells correlate", 0.05),
    "gene_sets": CalibrationQuestion("gene sets with p < 0.05", 0.05, PERTURBATIONS),
    "recurring_genes": CalibrationQuestion("genes recur in the data (q < 0.05)", 0.05),
    "de_calls": CalibrationQuestion("perturbations with a differentially expressed gene", 0.05, PERTURBATIONS),
    "better_than_mean": CalibrationQuestion("the model is better than the mean baseline", 0.025),
    "specific_gain": CalibrationQuestion("predictions are better on their own perturbation (p < 0.05)", 0.05),
    "correlation_of_mean": CalibrationQuestion("the mean baseline correlates with effects", 0.025),
}


def answers(mdata: MuData) -> dict[QuestionKey, float]:
    """Return the answers of an audit: 1 for yes, 0 for no, or a share."""
    tables = {
        name: _tables.read(mdata, name) if _store.has_table(mdata, name) else _tables.empty(name, audit=True)
        for name in ("perturbations", "confounding", "balance", "summary", "specificity", "recurrence")
    }
    constant = {name for name, record in _store.models(mdata[FULL]).items() if record.get("constant")}
    known = _response_known(tables["confounding"])
    out = _of_screen(tables, known=known) | _of_halves(mdata)
    out |= _verdict("shared", *_shared(tables["confounding"], known=known))
    out |= _verdict("technical", *_technical(tables["confounding"], tables["balance"], known=known))
    out |= _verdict("models", *_models(tables, constant, known=known))
    out |= _verdict("recurrence", *[_recurrence(tables["recurrence"], known=known)] * 2)
    return out | _of_models(tables)


def _verdict(name: str, yes: bool, partly: bool) -> dict[QuestionKey, float]:
    return {QuestionKey(name, "", YES): float(yes), QuestionKey(name, "", PARTLY): float(yes or partly)}


def _response_known(confounding: pd.DataFrame) -> bool:
    rest = confounding[(confounding["level"] == "screen") & (confounding["axis"] == OTHER)]
    return bool(len(rest) and np.isfinite(rest["share"].iloc[0]))


def _of_screen(tables: dict[str, pd.DataFrame], *, known: bool) -> dict[QuestionKey, float]:
    """Return whether there is a response, and the shares of perturbations, gene sets and genes with an effect."""
    table = tables["perturbations"]
    used = table[table["kind"] != TOO_FEW_CELLS]
    detected = ~used["kind"].isin((NOT_DETECTED, TARGET_ONLY))
    n_used = max(len(used), 1)
    yes = bool(detected.all() and len(used))
    out = _verdict("screen", yes, bool(detected.any()) or known)
    out |= {QuestionKey("detected"): float(detected.sum()) / n_used, QuestionKey("response_known"): float(known)}
    sets = tables["confounding"]
    sets = sets[(sets["level"] == "screen") & (sets["set_class"] != "") & sets["p"].notna()]
    if len(sets):
        out[QuestionKey("gene_sets")] = float((sets["p"] < FDR).mean())
    recurrence = tables["recurrence"]
    own = recurrence[(recurrence["model"] == OBSERVED) & (recurrence["by"] == CENTERED)]
    out[QuestionKey("recurring_genes")] = float((own["q"] < FDR).any())
    return out


def _of_halves(mdata: MuData) -> dict[QuestionKey, float]:
    """Return whether effects in halves of the cells correlate, and the share of perturbations with a called gene."""
    screen = _moments.of(mdata[FULL]).merged
    m, rows = screen.moments, counted_rows(screen.moments, screen.used)
    half = m.half[:, rows] - m.half[:, [m.reference]]
    # Σ_p D¹_p · D²_p, whose noise is √2 that of Σ_p |Δ_p|² − N_p
    total = float(np.einsum("pg,pg->", half[0], half[1]))
    error = np.sqrt(2.0) * null_error(noise_parts(m, rows), screen.noise_shape.a2_raised)
    called = get.de(mdata)["perturbation"].nunique()
    return {
        QuestionKey("halves_agree"): float(total >= SURE * error),
        QuestionKey("de_calls"): called / max(len(rows), 1),
    }


def _shared(confounding: pd.DataFrame, *, known: bool) -> tuple[bool, bool]:
    axis = confounding[(confounding["level"] == "screen") & (confounding["axis"] == SYSTEMATIC)]
    if axis.empty or not known:
        return False, False
    low, high = axis.iloc[0][["ci_low", "ci_high"]]
    return bool(low >= MUCH), bool(low >= PART and high >= MUCH)


def _technical(confounding: pd.DataFrame, balance: pd.DataFrame, *, known: bool) -> tuple[bool, bool]:
    if not known:
        return False, False
    sets = confounding[(confounding["level"] == "screen") & (confounding["set_class"] == "technical")]
    beyond = sets[sets["beyond"].astype("boolean").fillna(value=False).astype(bool) & (sets["part_of"] == "")]
    beyond = beyond[beyond["share"] >= PART]
    depth = balance[(balance["kind"] == "depth") & (balance["share"] >= PART) & (balance["p"] <= P_COLUMN)]
    yes = bool((balance["status"] == "confounded").any() or (beyond["ci_low"] >= MUCH).any())
    return yes, bool(len(beyond) or len(depth))


def _models(tables: dict[str, pd.DataFrame], constant: set[str], *, known: bool) -> tuple[bool, bool]:
    summary, specificity = tables["summary"], tables["specificity"]
    rows = summary[
        (summary["subset"] == "all") & (summary["metric"] == "l2_skill") & (summary["n"] >= MIN_PERTURBATIONS)
    ]
    rows = rows[rows[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)]
    rows = rows[(rows["model"] != BASELINE) & ~rows["model"].isin(constant)]
    if rows.empty or not known:
        return False, False
    category = specificity[specificity["metric"] == "specific_skill"].set_index("model")["category"]
    categories, better = rows["model"].map(category).fillna(""), rows["ci_low"] > 0
    yes = bool(((categories == PERTURBATION_SPECIFIC) & better).any())
    return yes, bool((better | categories.isin((PERTURBATION_SPECIFIC, WRONG_SIZE))).any())


def _recurrence(recurrence: pd.DataFrame, *, known: bool) -> bool:
    rows = recurrence[(recurrence["by"] == CENTERED) & (recurrence["model"] != OBSERVED)]
    rows = rows[rows["n_effective_genes"].notna() & (rows["n_perturbations"] >= MIN_PERTURBATIONS)]
    return known and bool((rows["excess_ci_low"] > 0).any())


def _of_models(tables: dict[str, pd.DataFrame]) -> dict[QuestionKey, float]:
    """Return for each model and score whether it is better than the mean baseline, and whether it has a specific gain."""
    out = {}
    summary, specificity = tables["summary"], tables["specificity"]
    for row in summary[summary["subset"] == "all"].itertuples():
        key = QuestionKey("better_than_mean", row.model, row.metric)
        if row.model != BASELINE and row.metric.endswith("_skill") and np.isfinite(row.estimate):
            out[key] = float(row.ci_low > 0)
        elif row.model != BASELINE and np.isfinite(row.p):
            out[key] = float(row.p < FDR and row.difference_to_mean > 0)
        elif row.model == BASELINE and row.metric in METRICS and "_delta" in row.metric and np.isfinite(row.ci_low):
            out[QuestionKey("correlation_of_mean", row.model, row.metric)] = float(row.ci_low > 0)
    for row in specificity[specificity["p"].notna() & (specificity["model"] != OBSERVED)].itertuples():
        out[QuestionKey("specific_gain", row.model, row.metric)] = float(row.p < FDR)
    return out

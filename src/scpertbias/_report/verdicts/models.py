"""Which model would one trust? What beats the mean of the other perturbations, and for the right reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ..._keys import OBSERVED
from ...tl._summary import NOISY
from ..numbers import TINY, known
from .base import (
    BASELINE,
    INCONCLUSIVE,
    NO,
    PARTLY,
    YES,
    Facts,
    Statement,
    Verdict,
    by_sign,
    columns,
    is_judged,
    judged_rows,
)
from .scorecard import GOOD, OFF_AXIS, SPECIFIC, Standing, above_ceiling

NAME = "models"
KINDS = (
    "no_models",
    "right_about_specific",
    "tells_perturbations_apart",
    "only_what_is_shared",
    "none_closer",
    "only_baseline",
    "too_few_held_out",
)
STATEMENTS = (
    "weak_as_strong",
    "closer_than_mean",
    "farther_than_mean",
    "untold_from_mean",
    "no_verdict",
    "own_better",
    "own_worse",
    "own_untold",
    "off_axis_better",
    "off_axis_worse",
    "off_axis_untold",
    "constant_predictions",
    "collapsed",
    "correlation_of_mean",
    "correlation_of_noise",
)
CLOSER = {"better": "closer_than_mean", "worse": "farther_than_mean", "untold": "untold_from_mean"}


def models_verdict(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame) -> Verdict:
    """Return the models that beat the mean baseline, and whether they know which perturbation is which."""
    if tables["summary"].empty:
        return Verdict(NAME, INCONCLUSIVE, "no_models")
    specificity = tables["specificity"]
    details = (*_closer(card), *_own(card, specificity), *_off_axis(card, specificity), *_constant(card))
    return replace(_verdict(card), sentences=tuple(_weak_as_strong(card, tables["summary"])), details=details)


def _verdict(card: pd.DataFrame) -> Verdict:
    sure = card[card["kind"] != Standing.NONE]
    right, better = sure[sure["kind"] == Standing.SPECIFIC], sure[sure["tone"] == GOOD]
    shared = sure[sure["kind"].isin((Standing.AXIS_ONLY, Standing.SHARED))]
    if len(right):
        beyond = columns(right, "specific_skill", "specific_skill_ci_low", "specific_skill_ci_high")
        return Verdict(NAME, YES, "right_about_specific", {**_skills(right), **beyond}, right)
    if len(better):
        return Verdict(NAME, YES, "tells_perturbations_apart", _skills(better), better)
    if len(shared):
        return Verdict(NAME, PARTLY, "only_what_is_shared", _skills(shared), shared)
    if len(sure):
        most = sure.loc[sure["n"].idxmax()]
        facts = {"n": int(most["n"]), "n_effective": float(most["n_effective"])}
        return Verdict(NAME, NO, "none_closer", facts, sure)
    if card.empty:  # the baseline has no row: all others are held beside it
        return Verdict(NAME, INCONCLUSIVE, "only_baseline")
    return Verdict(NAME, INCONCLUSIVE, "too_few_held_out", {}, card)


def _skills(rows: pd.DataFrame) -> Facts:
    """Return how far models come on the way from the mean to the truth, and which of them are above the ceiling."""
    facts = columns(rows, "model", "n", "n_effective", "skill", "ci_low", "ci_high")
    return {**facts, "above_ceiling": above_ceiling(rows)["model"].tolist()}


def _closer(card: pd.DataFrame) -> list[Statement]:
    """Return which models are better or worse than the mean baseline, by what share of the way to the ceiling."""
    statements = [
        Statement(CLOSER[sign], columns(rows, "model", "n", "n_effective", "skill", "ci_low", "ci_high"), rows)
        for sign, rows in by_sign(card[card["kind"] != Standing.NONE]).items()
        if len(rows)
    ]
    for _, row in card[card["kind"] == Standing.NONE].iterrows():
        facts = {"model": row["model"], "n": row["n"], "reason": row["note"]}
        statements.append(Statement("no_verdict", facts, card[card["model"] == row["model"]]))
    return statements


def _weak_as_strong(card: pd.DataFrame, summary: pd.DataFrame) -> list[Statement]:
    """Return where counting weak perturbations as much as strong ones changes the verdict."""
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["metric"] == "l2_ratio")]
    rows = judged_rows(own[own["model"].isin(card["model"])], "estimate")
    by_skill = card.set_index("model")
    differs = []
    for _, r in rows.iterrows():
        side = -1 if r["ci_low"] > 1 + TINY else 1 if r["ci_high"] < 1 - TINY else 0
        low, high = by_skill.loc[r["model"], ["ci_low", "ci_high"]]
        differs.append(side != 0 and side != (1 if low > 0 else -1 if high < 0 else 0))
    rows = rows[pd.Series(differs, index=rows.index, dtype=bool)]
    if rows.empty:
        return []
    facts = columns(rows, "model", "n", "n_effective", "estimate", "ci_low", "ci_high")
    return [Statement("weak_as_strong", facts, rows)]


def _compared(card: pd.DataFrame, specificity: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return what models that differ between perturbations gain over their own predictions for the wrong ones."""
    if specificity.empty:
        return specificity
    table = specificity[(specificity["metric"] == metric) & (specificity["regime"] == "full")]
    table = table[~table["model"].isin((OBSERVED, BASELINE)) & table["model"].isin(card["model"])]
    table = judged_rows(table, "specific_gain")
    # The gain of one prediction for all is exactly 0.
    return table[table["specific_gain"] != 0]


def _own(card: pd.DataFrame, specificity: pd.DataFrame) -> list[Statement]:
    return _gains("own", _compared(card, specificity, SPECIFIC))


def _off_axis(card: pd.DataFrame, specificity: pd.DataFrame) -> list[Statement]:
    """Return the same of what is off the shared axis; the scorecard is without it where that axis must not be used."""
    if card["off_axis_gain"].isna().all():
        return []
    return _gains("off_axis", _compared(card, specificity, OFF_AXIS))


def _gains(of: str, table: pd.DataFrame) -> list[Statement]:
    statements = []
    for sign, rows in by_sign(table).items():
        if len(rows):
            facts = columns(rows, "model", "n", "specific_gain", "ci_low", "ci_high")
            facts["ceiling_gain"] = rows.loc[rows["n"].idxmax(), "ceiling_gain"]
            statements.append(Statement(f"{of}_{sign}", facts, rows))
    return statements


def _constant(card: pd.DataFrame) -> list[Statement]:
    rows = card[card["constant"].astype(bool) & (card["kind"] != Standing.NONE)]
    return [Statement("constant_predictions", columns(rows, "model"), rows)] if len(rows) else []


def collapsed_models(variance_ratio: pd.DataFrame) -> list[Statement]:
    """Return which models have fallen back to a baseline."""
    if variance_ratio.empty:
        return []
    table = variance_ratio[(variance_ratio["level"] == "screen") & (variance_ratio["regime"] == "full")]
    table = table[(table["collapsed_to"] != "") & (table["collapsed_to"] != table["model"])]
    table = judged_rows(table.assign(n=table["n_perturbations"]), "ratio")
    return [
        Statement("collapsed", {"baseline": name, **columns(rows, "model", "n", "ratio", "ci_low", "ci_high")}, rows)
        for name, rows in table.groupby("collapsed_to", sort=False)
    ]


def baseline_correlation(summary: pd.DataFrame, scores: pd.DataFrame) -> list[Statement]:
    """Return what the mean baseline alone correlates, or that this correlation cannot be used here."""
    if summary.empty:
        return []
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["model"] == BASELINE)]
    rows = own[own["metric"] == "pearson_delta"]
    if rows.empty:
        return []
    noise = _control_noise(scores)
    if noise > NOISY:
        return [Statement("correlation_of_noise", {"control_noise": noise, "max_control_noise": NOISY}, rows)]
    r = rows.iloc[0]
    if not is_judged(r, "estimate"):
        return []
    facts = {key: r[key] for key in ("n", "n_effective", "estimate", "ci_low", "ci_high", "ceiling")}
    return [Statement("correlation_of_mean", facts, rows)]


def _control_noise(scores: pd.DataFrame) -> float:
    """Return how noisy the control is where the mean baseline is scored, as the summary of its scores has it."""
    if scores.empty:
        return float("nan")
    own = scores[(scores["model"] == BASELINE) & (scores["split"] == "test") & (scores["regime"] == "full")]
    own = own[(own["trained_on"] == "full") & own["pearson_delta"].map(known)]
    return float(own.groupby("perturbation")["control_noise"].mean().mean())

"""The models in one table: where each stands, and the few numbers that rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

import numpy as np
import pandas as pd

from ..._tables.specificity import PERTURBATION_SPECIFIC
from .base import BASELINE, MIN_HELD_OUT, is_judged
from .confounding import is_usable, on_systematic
from .recurrence import beyond_the_data, tested_genes

SPECIFIC, OFF_AXIS, SPECIFIC_SKILL = "pearson_delta_perturbed", "off_axis", "specific_skill"
GOOD, MIDDLING, BAD, UNKNOWN = "good", "middling", "bad", "unknown"


class Standing(StrEnum):
    """Where a model stands: what it is better at than the mean baseline."""

    SPECIFIC = "specific"
    TELLS_APART = "tells_apart"
    AXIS_ONLY = "axis_only"
    SHARED = "shared"
    UNTOLD_TELLS_APART = "untold_tells_apart"
    UNTOLD = "untold"
    CONSTANT = "constant"
    WORSE = "worse"
    NONE = "none"


TONES = {
    Standing.SPECIFIC: GOOD,
    Standing.TELLS_APART: GOOD,
    Standing.AXIS_ONLY: MIDDLING,
    Standing.SHARED: MIDDLING,
    Standing.UNTOLD_TELLS_APART: MIDDLING,
    Standing.UNTOLD: BAD,
    Standing.CONSTANT: BAD,
    Standing.WORSE: BAD,
    Standing.NONE: UNKNOWN,
}
COLUMNS = [
    "model",
    "kind",
    "tone",
    "constant",
    "n",
    "n_effective",
    "skill",
    "ci_low",
    "ci_high",
    "specific_gain",
    "specific_ci_low",
    "specific_ci_high",
    "off_axis_gain",
    "off_axis_ci_low",
    "off_axis_ci_high",
    "specific_skill",
    "specific_skill_ci_low",
    "specific_skill_ci_high",
    "n_recurring",
    "regime",
    "regime_gain",
    "regime_ci_low",
    "regime_ci_high",
    "note",
]


def scorecard(tables: Mapping[str, pd.DataFrame], constant: Collection[str]) -> pd.DataFrame:
    """Return one row a model, best first; the mean baseline, beside which they are held, is left out.

    ``skill`` is the share of the way from the mean baseline to the ceiling (``l2_skill``), ``specific_gain`` and
    ``off_axis_gain`` what a model's predictions correlate more with their own perturbations than with each other's (off
    the axis that all share), ``specific_skill`` the skill off the shared axes, ``n_recurring`` the genes
    that recur more than in the data, ``regime_gain`` what retraining in the widest regime without confounder genes gains.
    Gains under ten perturbations have no interval. ``constant`` names the models that predict one and the same for all
    unseen perturbations.
    """
    summary = tables["summary"]
    if summary.empty:
        return pd.DataFrame(columns=COLUMNS)
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["metric"] == "l2_skill")]
    usable = is_usable(on_systematic(tables["confounding"]))
    rows = [_row(r, tables, constant, usable=usable) for _, r in own[own["model"] != BASELINE].iterrows()]
    table = pd.DataFrame(rows, columns=COLUMNS)
    # What has a verdict first, then by how far a model comes.
    order = (
        table.assign(known=table["kind"] != Standing.NONE)
        .sort_values(["known", "skill"], ascending=False, kind="stable")
        .index
    )
    return table.loc[order].reset_index(drop=True)


def above_ceiling(card: pd.DataFrame) -> pd.DataFrame:
    """Return the models whose whole interval is nearer to what was measured than the truth itself would be."""
    return card[(card["ci_low"] > 1) & (card["kind"] != Standing.NONE)]


def _row(
    skill: pd.Series, tables: Mapping[str, pd.DataFrame], constant: Collection[str], *, usable: bool
) -> dict[str, object]:
    model = str(skill["model"])
    specific, off_axis, specific_skill = (
        _specific(tables["specificity"], model, metric) for metric in (SPECIFIC, OFF_AXIS, SPECIFIC_SKILL)
    )
    if not usable:
        off_axis = None
    standing = _standing(skill, specific, off_axis, specific_skill, constant=model in constant)
    row: dict[str, object] = {
        "model": model,
        "kind": standing.value,
        "tone": TONES[standing],
        "constant": model in constant,
        "n": int(skill["n"]),
        "n_effective": skill["n_effective"],
        "skill": skill["estimate"],
        "ci_low": skill["ci_low"],
        "ci_high": skill["ci_high"],
        "note": str(skill["note"]) if standing == Standing.NONE and skill["n"] >= MIN_HELD_OUT else "",
    }
    for name, gains in (("specific", specific), ("off_axis", off_axis)):
        gain = (
            np.full(3, np.nan) if gains is None else gains[["specific_gain", "ci_low", "ci_high"]].to_numpy(np.float64)
        )
        row |= dict(zip((f"{name}_gain", f"{name}_ci_low", f"{name}_ci_high"), gain, strict=True))
    beyond = np.full(3, np.nan)
    if specific_skill is not None:
        beyond = specific_skill[["score", "ci_low", "ci_high"]].to_numpy(np.float64)
    row |= dict(zip(("specific_skill", "specific_skill_ci_low", "specific_skill_ci_high"), beyond, strict=True))
    return row | {"n_recurring": _n_recurring(tables, model)} | _retrained(tables["retraining"], model)


def _specific(specificity: pd.DataFrame, model: str, metric: str) -> pd.Series | None:
    if specificity.empty:
        return None
    own = (specificity["model"] == model) & (specificity["metric"] == metric) & (specificity["regime"] == "full")
    rows = specificity[own]
    return rows.iloc[0] if len(rows) else None


def _standing(
    skill: pd.Series,
    specific: pd.Series | None,
    off_axis: pd.Series | None,
    specific_skill: pd.Series | None,
    *,
    constant: bool,
) -> Standing:
    """Return the standing that the intervals allow; what a model knows of each perturbation is its category."""
    if not is_judged(skill, "estimate"):
        return Standing.NONE
    if skill["ci_high"] < 0:
        return Standing.WORSE
    if constant:
        return Standing.CONSTANT
    apart = _gains(specific)
    if skill["ci_low"] <= 0:
        return Standing.UNTOLD_TELLS_APART if apart else Standing.UNTOLD
    category = "" if specific_skill is None else specific_skill["category"]
    if category == PERTURBATION_SPECIFIC:
        return Standing.SPECIFIC
    if not category or off_axis is None or not is_judged(off_axis, "specific_gain"):
        return Standing.TELLS_APART if apart else Standing.SHARED
    return Standing.AXIS_ONLY if apart else Standing.SHARED


def _gains(row: pd.Series | None) -> bool:
    return row is not None and is_judged(row, "specific_gain") and bool(row["ci_low"] > 0)


def _n_recurring(tables: Mapping[str, pd.DataFrame], model: str) -> float:
    table = tested_genes(tables)
    table = table[table["model"] == model] if len(table) else table
    return float(len(beyond_the_data(table))) if len(table) else float("nan")


def _retrained(regimes: pd.DataFrame, model: str) -> dict[str, object]:
    rows = regimes[(regimes["model"] == model) & (regimes["metric"] == "l2_ratio")] if len(regimes) else regimes
    for regime in ("no_mt_ribo", "no_mt"):
        own = rows[rows["regime"] == regime] if len(rows) else rows
        if len(own):
            r = own.iloc[0]
            return {
                "regime": regime,
                "regime_gain": r["gain"],
                "regime_ci_low": r["ci_low"],
                "regime_ci_high": r["ci_high"],
            }
    return {"regime": "", "regime_gain": np.nan, "regime_ci_low": np.nan, "regime_ci_high": np.nan}

"""The models in one table: how accurate and how specific each is, and the few numbers that rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

import numpy as np
import pandas as pd

from ..._tables.specificity import PERTURBATION_SPECIFIC
from .base import BASELINE, MIN_HELD_OUT, is_judged, response_known
from .leakage import too_good
from .recurrence import beyond_the_data, tested_genes

SPECIFIC_SKILL, SLOPE = "specific_skill", "specific_slope"
SPECIFIC, WRONG_SIZE = PERTURBATION_SPECIFIC, "right direction, wrong size"
GOOD, MIDDLING, BAD, UNKNOWN = "good", "middling", "bad", "unknown"


ON_PERTURBATIONS = "_perturbations"
"""What the name of a graph model ends with that spreads what it learns over the network of perturbed genes."""


class Standing(StrEnum):
    """Where a model stands: whether it is more accurate than the mean baseline, and whether it is specific."""

    RIGHT = "right"
    DIRECTION = "direction"
    SHARED = "shared"
    BETTER = "better"
    SPECIFIC_ALONE = "specific_alone"
    DIRECTION_ALONE = "direction_alone"
    SAME = "same"
    CONSTANT = "constant"
    UNLINKED = "unlinked"
    WORSE = "worse"
    TOO_GOOD = "too_good"
    NONE = "none"


TONES = {
    Standing.RIGHT: GOOD,
    Standing.DIRECTION: MIDDLING,
    Standing.SHARED: MIDDLING,
    Standing.BETTER: MIDDLING,
    Standing.SPECIFIC_ALONE: MIDDLING,
    Standing.DIRECTION_ALONE: MIDDLING,
    Standing.SAME: BAD,
    Standing.CONSTANT: BAD,
    Standing.UNLINKED: UNKNOWN,
    Standing.WORSE: BAD,
    Standing.TOO_GOOD: UNKNOWN,
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
    "specific_skill",
    "specific_ci_low",
    "specific_ci_high",
    "specific_slope",
    "category",
    "n_recurring",
    "regime",
    "regime_gain",
    "regime_ci_low",
    "regime_ci_high",
    "note",
]
RETRAINED = ("regime", "regime_gain", "regime_ci_low", "regime_ci_high")


def scorecard(tables: Mapping[str, pd.DataFrame], constant: Collection[str]) -> pd.DataFrame:
    """Return one row per model, best first; the mean baseline, with which they are compared, is left out.

    ``skill`` is how far a model is on the way from the mean baseline to the noise ceiling (``l2_skill``),
    ``specific_skill`` the same off the shared axis, with its ``category`` and the ``specific_slope`` by which the effects
    would fit best. ``n_recurring`` counts the genes that recur more than in the data, ``regime_gain`` is what retraining in
    the widest regime without confounder genes gains. ``constant`` names the models that predict the same for all unseen
    perturbations. Where the screen has no reproducible response no model has a standing. A model that is better than honest
    predictions can be is not called good.
    """
    summary = tables["summary"]
    if summary.empty:
        return pd.DataFrame(columns=COLUMNS)
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["metric"] == "l2_skill")]
    known_response = response_known(tables["confounding"]) is not False
    rows = [_row(r, tables, constant, known_response) for _, r in own[own["model"] != BASELINE].iterrows()]
    table = pd.DataFrame(rows, columns=COLUMNS)
    leaked = table["model"].isin(too_good(tables)["model"]) & table["tone"].isin((GOOD, MIDDLING))
    table.loc[leaked, ["kind", "tone"]] = [Standing.TOO_GOOD.value, TONES[Standing.TOO_GOOD]]
    # What has a verdict first, then by how far a model comes.
    order = (
        table.assign(known=table.index.isin(assessed(table).index), specific=table["kind"] == Standing.RIGHT)
        .sort_values(["known", "specific", "skill"], ascending=False, kind="stable")
        .index
    )
    return table.loc[order].reset_index(drop=True)


def assessed(card: pd.DataFrame) -> pd.DataFrame:
    """Return the models with a verdict."""
    return card[~card["kind"].isin((Standing.NONE, Standing.UNLINKED))]


def evaluated(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables without the rows of models that are not evaluated as their network has no link."""
    unlinked = card.loc[card["kind"] == Standing.UNLINKED, "model"]

    def rest(table: pd.DataFrame) -> pd.DataFrame:
        of_model = [table[column].isin(unlinked) for column in ("model", "model_a", "model_b") if column in table]
        return table[~pd.concat(of_model, axis=1).any(axis=1)] if of_model else table

    return {name: rest(table) for name, table in tables.items()}


def _row(
    skill: pd.Series, tables: Mapping[str, pd.DataFrame], constant: Collection[str], known_response: bool
) -> dict[str, object]:
    model = str(skill["model"])
    specific, slope = (_specificity(tables["specificity"], model, metric) for metric in (SPECIFIC_SKILL, SLOPE))
    category = "" if specific is None else str(specific["category"])
    standing = _standing(skill, category, constant=model in constant) if known_response else Standing.NONE
    if model in constant and model.endswith(ON_PERTURBATIONS) and standing != Standing.NONE:
        standing = Standing.UNLINKED
    missing = [np.nan] * 3
    return {
        "model": model,
        "kind": standing.value,
        "tone": TONES[standing],
        "constant": model in constant,
        "n": int(skill["n"]),
        "n_effective": skill["n_effective"],
        "skill": skill["estimate"],
        "ci_low": skill["ci_low"],
        "ci_high": skill["ci_high"],
        **dict(
            zip(
                ("specific_skill", "specific_ci_low", "specific_ci_high"),
                missing if specific is None else specific[["score", "ci_low", "ci_high"]].tolist(),
                strict=True,
            )
        ),
        "specific_slope": np.nan if slope is None else slope["score"],
        "category": category,
        "n_recurring": _n_recurring(tables, model),
        **_retrained(tables["retraining"], model),
        "note": str(skill["note"]) if standing == Standing.NONE and skill["n"] >= MIN_HELD_OUT else "",
    }


def _specificity(specificity: pd.DataFrame, model: str, metric: str) -> pd.Series | None:
    own = (specificity["model"] == model) & (specificity["metric"] == metric) & (specificity["regime"] == "full")
    rows = specificity[own]
    return rows.iloc[0] if len(rows) else None


def _standing(skill: pd.Series, category: str, *, constant: bool) -> Standing:
    """Return the standing that the intervals of skill and specific skill allow."""
    if not is_judged(skill, "estimate"):
        return Standing.NONE
    better, worse = skill["ci_low"] > 0, skill["ci_high"] < 0
    if constant:
        return Standing.WORSE if worse else Standing.CONSTANT
    if category == SPECIFIC:
        return Standing.RIGHT if better else Standing.SPECIFIC_ALONE
    if category == WRONG_SIZE:
        return Standing.DIRECTION if better else Standing.DIRECTION_ALONE
    if better:
        return Standing.SHARED if category else Standing.BETTER
    return Standing.WORSE if worse else Standing.SAME


def _n_recurring(tables: Mapping[str, pd.DataFrame], model: str) -> float:
    table = tested_genes(tables)
    table = table[table["model"] == model]
    return float(len(beyond_the_data(table))) if len(table) else float("nan")


def _retrained(regimes: pd.DataFrame, model: str) -> dict[str, object]:
    rows = regimes[(regimes["model"] == model) & (regimes["metric"] == "l2_ratio")]
    for regime in ("no_mt_ribo", "no_mt"):
        own = rows[rows["regime"] == regime]
        if len(own):
            return dict(zip(RETRAINED, own.iloc[0][["regime", "gain", "ci_low", "ci_high"]].tolist(), strict=True))
    return dict(zip(RETRAINED, ["", np.nan, np.nan, np.nan], strict=True))

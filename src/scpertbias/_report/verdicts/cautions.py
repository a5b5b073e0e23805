"""What a reader must know before believing a sentence: about the data, the models, the intervals."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..._keys import NO_PRETRAINING
from .base import FEW, MANY, Statement, columns, is_approximate
from .scorecard import Standing, above_ceiling
from .screen import scan, shifted_rows

STATEMENTS = (
    "above_ceiling",
    "values_shifted",
    "check_warning",
    "degenerate_attributions",
    "no_pretraining",
    "regime_left_out",
    "model_left_out",
    "few_perturbations",
)
CHECKS = ("labels", "scale", "batches", "genes", "split")
DEGENERATE = ("zero", "constant", "one_hot", "shared")


def cautions(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame) -> list[Statement]:
    """Return what is too good, what the check warns of, misaligned values, degenerate attributions, what was left out."""
    check = tables["check"]
    warnings = check[check["check"].isin(CHECKS) & (check["status"] == "warning")]
    return [
        *_above_ceiling(card),
        *_shifted(scan(tables)),
        *(
            Statement(
                "check_warning",
                {"check": row["check"], "detail": row["detail"]},
                warnings[warnings["detail"] == row["detail"]],
            )
            for _, row in warnings.iterrows()
        ),
        *_attributions(tables["attribution_check"]),
        *_no_pretraining(card),
        *_left_out(tables["regimes_left_out"], tables["models_left_out"]),
        *_few(card),
    ]


def _above_ceiling(card: pd.DataFrame) -> list[Statement]:
    """Return the models above the ceiling: no score shows whether a model has seen the answer, but this hints at it."""
    rows = above_ceiling(card)
    keys = ("model", "n", "n_effective", "skill", "ci_low", "ci_high")
    return [
        Statement("above_ceiling", {key: r[key] for key in keys}, rows[rows["model"] == r["model"]])
        for _, r in rows.iterrows()
    ]


def _shifted(table: pd.DataFrame) -> list[Statement]:
    rows = shifted_rows(table)
    facts = columns(rows, "first", "last", "shift", "n_targets", "percentile", "expected", "q") if len(rows) else {}
    return [Statement("values_shifted", facts, rows)] if len(rows) else []


def _attributions(check: pd.DataFrame) -> list[Statement]:
    """Return the models whose attributions rank no genes, or are of no perturbation in particular."""
    rows = check[check["flag"].isin(DEGENERATE) & (check["regime"] == "full")] if len(check) else check
    return [Statement("degenerate_attributions", columns(rows, "model", "flag"), rows)] if len(rows) else []


def _no_pretraining(card: pd.DataFrame) -> list[Statement]:
    rows = card[card["model"].astype(str).str.endswith(NO_PRETRAINING)]
    return [Statement("no_pretraining", columns(rows, "model"), rows)] if len(rows) else []


def _left_out(regimes: pd.DataFrame, models: pd.DataFrame) -> list[Statement]:
    statements = [
        Statement("regime_left_out", {"regime": r["regime"], "reason": r["reason"]}, regimes)
        for _, r in regimes.iterrows()
    ]
    for (model, reason), rows in models.groupby(["model", "reason"], sort=False) if len(models) else []:
        facts = {"model": model, **columns(rows, "regime"), "reason": reason}
        statements.append(Statement("model_left_out", facts, rows))
    return statements


def _few(card: pd.DataFrame) -> list[Statement]:
    """Return the models whose intervals rest on few perturbations, in number or in effect."""
    judged = card[card["kind"] != Standing.NONE]
    approximate = [is_approximate(r["n"], r["n_effective"]) for _, r in judged.iterrows()]
    few = judged[pd.Series(approximate, index=judged.index, dtype=bool)]
    facts = {
        **columns(few, "model", "n", "n_effective"),
        "many": MANY,
        "few": FEW,
        "all_models": len(few) == len(judged),
    }
    return [Statement("few_perturbations", facts, few)] if len(few) else []

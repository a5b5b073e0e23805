"""What a reader must know before believing a verdict: about the data, the models, the intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from ..._keys import NO_PRETRAINING
from ...tl._summary import FEW, INFLATED, MANY, is_approximate
from .base import Statement, columns
from .leakage import EVIDENCE, too_good
from .scorecard import assessed
from .screen import scan, shifted_rows

SEVERE = (
    "labels_confounded",
    "cells_left_out",
    "few_controls",
    "few_genes",
    "column_adopted",
    "cannot_be_separated",
    "labels_shifted",
    *EVIDENCE,
)
"""Those that may change a verdict: the page has them before the verdicts."""
STATEMENTS = (
    *SEVERE,
    "check_warning",
    "degenerate_attributions",
    "no_pretraining",
    "regime_left_out",
    "model_left_out",
    "few_perturbations",
    "shared_noise",
)
CHECKS = ("labels", "scale", "batches", "genes", "split")
DEGENERATE = ("zero", "constant", "one_hot", "shared")
MOST_LEFT_OUT, FEW_CONTROLS, FEW_GENES = 0.5, 20, 50
"""Cells left out, controls in a batch and genes with which verdicts are to be read with care."""


def cautions(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame, screen: Mapping[str, Any]) -> list[Statement]:
    """Return what may change a verdict, and what the check warns of, what was left out, and which intervals are approximate.

    ``screen`` holds the numbers of cells, of cells left out, of genes and of batches, the fewest controls in a batch, and
    the columns that were adopted as batches.
    """
    check = tables["check"]
    warnings = check[check["check"].isin(CHECKS) & (check["status"] == "warning")]
    return [
        *_size(screen),
        *_columns(tables["balance"], screen["adopted"]),
        *_shifted(scan(tables)),
        *_too_good(tables, card),
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
        *_shared_noise(tables["scores"]),
    ]


def _size(screen: Mapping[str, Any]) -> list[Statement]:
    """Return where most cells were left out, or controls or genes are few."""
    statements = []
    if screen["n_left_out"] > MOST_LEFT_OUT * screen["n_cells"]:
        statements.append(Statement("cells_left_out", {key: screen[key] for key in ("n_left_out", "n_cells")}))
    if screen["fewest_controls"] < FEW_CONTROLS:
        facts = {"fewest_controls": screen["fewest_controls"], "n_batches": screen["n_batches"], "enough": FEW_CONTROLS}
        statements.append(Statement("few_controls", facts))
    if screen["n_genes"] < FEW_GENES:
        statements.append(Statement("few_genes", {"n_genes": screen["n_genes"], "enough": FEW_GENES}))
    return statements


def _columns(balance: pd.DataFrame, adopted: Collection[str]) -> list[Statement]:
    """Return the columns with which labels are confounded, that were adopted as batches, or that cannot be separated."""
    rows = balance[(balance["kind"] == "column") & ((balance["status"] != "adopted") | balance["column"].isin(adopted))]
    kinds = {
        "confounded": "labels_confounded",
        "adopted": "column_adopted",
        "cannot be separated": "cannot_be_separated",
    }
    keys = ("column", "share", "null", "p", "untested")
    return [
        Statement(kinds[row["status"]], {key: row[key] for key in keys}, rows[rows["column"] == row["column"]])
        for _, row in rows[rows["status"].isin(tuple(kinds))].iterrows()
    ]


def _too_good(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame) -> list[Statement]:
    """Return the models that predict the noise of the held-out cells; no score shows leakage for certain."""
    rows = too_good(tables).loc[lambda table: table["model"].isin(assessed(card)["model"])]
    keys = ("model", "n", "n_effective", "estimate", "ci_low", "ci_high", "n_copied")
    return [
        Statement(r["evidence"], {key: r[key] for key in keys}, rows[rows["model"] == r["model"]])
        for _, r in rows.iterrows()
    ]


def _shifted(table: pd.DataFrame) -> list[Statement]:
    rows = shifted_rows(table)
    facts = columns(rows, "first", "last", "shift", "n_targets", "percentile", "expected", "q") if len(rows) else {}
    return [Statement("labels_shifted", facts, rows)] if len(rows) else []


def _attributions(check: pd.DataFrame) -> list[Statement]:
    """Return the models whose attributions rank no genes, or are of no perturbation in particular."""
    rows = check[check["flag"].isin(DEGENERATE) & (check["regime"] == "full")]
    return [Statement("degenerate_attributions", columns(rows, "model", "flag"), rows)] if len(rows) else []


def _no_pretraining(card: pd.DataFrame) -> list[Statement]:
    rows = card[card["model"].astype(str).str.endswith(NO_PRETRAINING)]
    return [Statement("no_pretraining", columns(rows, "model"), rows)] if len(rows) else []


def _left_out(regimes: pd.DataFrame, models: pd.DataFrame) -> list[Statement]:
    statements = [
        Statement("regime_left_out", {"regime": r["regime"], "reason": r["reason"]}, regimes)
        for _, r in regimes.iterrows()
    ]
    for (model, reason), rows in models.groupby(["model", "reason"], sort=False):
        facts = {"model": model, **columns(rows, "regime"), "reason": reason}
        statements.append(Statement("model_left_out", facts, rows))
    return statements


def _few(card: pd.DataFrame) -> list[Statement]:
    """Return the models whose intervals rest on few perturbations, in number or in effect."""
    judged = assessed(card)
    approximate = [is_approximate(r["n"], r["n_effective"]) for _, r in judged.iterrows()]
    few = judged[pd.Series(approximate, index=judged.index, dtype=bool)]
    facts = {
        **columns(few, "model", "n", "n_effective"),
        "many": MANY,
        "few": FEW,
        "all_models": len(few) == len(judged),
    }
    return [Statement("few_perturbations", facts, few)] if len(few) else []


def _shared_noise(scores: pd.DataFrame) -> list[Statement]:
    """Return the models whose plain correlations hold much noise that predicted and observed effects share."""
    own = scores[(scores["split"] == "test") & (scores["regime"] == "full") & (scores["trained_on"] == "full")]
    means = own.groupby(["model", "perturbation"], sort=False)["inflation"].mean().groupby("model", sort=False).mean()
    high = means[means > INFLATED]
    facts = {"model": high.index.tolist(), "inflation": high.tolist(), "max_inflation": INFLATED}
    # One row per model: the scores of every perturbation would make most of the file.
    return [Statement("shared_noise", facts, high.rename("inflation").reset_index())] if len(high) else []

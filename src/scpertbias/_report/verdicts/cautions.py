"""What a reader must know before believing a sentence: about the data, the models, the intervals."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..wording import FEW, Sentence, by_words, count, listed, number, of, percent, percent_interval, say
from .scorecard import NONE, above_ceiling
from .screen import moved, scan

CHECKS = ("labels", "scale", "batches", "genes", "split")
FROM_SCRATCH = "(no pretraining)"
DEGENERATE = {
    "zero": "all zero",
    "constant": "the same for every gene",
    "one_hot": "one gene only for each perturbation",
    "shared": "the same for every perturbation",
}


def cautions(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame) -> list[Sentence]:
    """Return what is too good, what the check warns of, misaligned values, degenerate attributions, what was left out."""
    check = tables["check"]
    warned = check[check["check"].isin(CHECKS) & (check["status"] == "warning")]
    said = [say(_begun(str(row["detail"])), warned[warned["detail"] == row["detail"]]) for _, row in warned.iterrows()]
    return [
        *_too_good(card),
        *_beside(scan(tables)),
        *said,
        *_attributions(tables["attribution_check"]),
        *_from_scratch(card),
        *_left_out(tables["regimes_left_out"], tables["models_left_out"]),
        *_approximate(card),
    ]


def _too_good(card: pd.DataFrame) -> list[Sentence]:
    """Name the models above the ceiling: no score shows whether a model has seen the answer, but this hints at it."""
    rows = above_ceiling(card)
    return [
        say(
            f"{r['model']} comes closer to what was measured than the truth itself would ({percent(r['skill'])} "
            f"{percent_interval(r['ci_low'], r['ci_high'])} of the way, {of(r['n'])}): has it seen these perturbations?",
            rows[rows["model"] == r["model"]],
        )
        for _, r in rows.iterrows()
    ]


def _begun(text: str) -> str:
    """Return text with a capital where it begins with a word, and not with a name."""
    return f"No {text[3:]}" if text.startswith("no ") else text


def _beside(table: pd.DataFrame) -> list[Sentence]:
    rows = moved(table)
    if rows.empty:
        return []
    places = "; ".join(
        f"from {r['first']} to {r['last']} by {count(r['shift'])} (there {r['n_targets']:.0f} targets move more than "
        f"{percent(r['percentile'])} of genes, by chance {percent(r['expected'])}; q = {number(r['q'])})"
        for _, r in rows.iterrows()
    )
    return [say(f"Values seem to lie beside their gene names: {places}", rows)]


def _attributions(check: pd.DataFrame) -> list[Sentence]:
    """Name the models whose attributions rank no genes, or are of no perturbation in particular."""
    rows = check[check["flag"].isin(DEGENERATE) & (check["regime"] == "full")] if len(check) else check
    if rows.empty:
        return []
    words = [f"are {DEGENERATE[flag]}" for flag in rows["flag"]]
    return [say(f"Attributions that say nothing: those of {by_words(rows['model'].tolist(), words)}", rows)]


def _from_scratch(card: pd.DataFrame) -> list[Sentence]:
    rows = card[card["model"].astype(str).str.endswith(FROM_SCRATCH)]
    if rows.empty:
        return []
    text = f"Trained from scratch, without a published checkpoint: {listed(rows['model'].tolist())}"
    return [say(f"{text}; nothing here is a verdict on what pretraining brings", rows)]


def _left_out(regimes: pd.DataFrame, models: pd.DataFrame) -> list[Sentence]:
    said = [say(f"Regime {r['regime']} was left out: {r['reason']}", regimes) for _, r in regimes.iterrows()]
    for (model, reason), rows in models.groupby(["model", "reason"], sort=False) if len(models) else []:
        said.append(say(f"Model {model} was left out (regime {listed(rows['regime'].tolist())}): {reason}", rows))
    return said


def _approximate(card: pd.DataFrame) -> list[Sentence]:
    few = card[(card["n"] < FEW) & (card["verdict"] != NONE)] if len(card) else card
    if few.empty:
        return []
    those = "all models" if len(few) == (card["verdict"] != NONE).sum() else listed(few["model"].tolist())
    return [
        say(
            f"Under {FEW} held-out perturbations (down to {few['n'].min()}) intervals are approximate: those of {those}",
            few,
        )
    ]

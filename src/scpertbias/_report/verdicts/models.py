"""Can any model predict an unseen perturbation? What is better than the mean of the others, and specific."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pandas as pd

from ..numbers import TINY
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
    judged_rows,
    response_known,
)
from .leakage import too_good
from .scorecard import SPECIFIC, WRONG_SIZE, Standing, assessed

NAME = "models"
KINDS = (
    "no_models",
    "perturbation_specific",
    "specific_not_better",
    "right_direction",
    "better_along_axis",
    "better_not_assessed",
    "too_good",
    "none_better",
    "all_constant",
    "only_baseline",
    "too_few_held_out",
    "no_response",
)
STATEMENTS = (
    "better_than_mean",
    "worse_than_mean",
    "same_as_mean",
    "no_verdict",
    "specific_effects",
    "wrong_size",
    "not_specific",
    "pearson_skill",
    "equal_weights",
    "external_better",
    "external_worse",
    "external_same",
    "constant_predictions",
    "graph_without_links",
    "collapsed",
    "correlation_of_mean",
    "no_target_measured",
)
BY_STANDING = (
    (YES, "perturbation_specific", (Standing.RIGHT,)),
    (PARTLY, "specific_not_better", (Standing.SPECIFIC_ALONE,)),
    (PARTLY, "right_direction", (Standing.DIRECTION, Standing.DIRECTION_ALONE)),
    (PARTLY, "better_along_axis", (Standing.SHARED,)),
    (PARTLY, "better_not_assessed", (Standing.BETTER,)),
)
"""Verdicts, the first of which a model deserves is that of all."""
COMPARED = {"better": "better_than_mean", "worse": "worse_than_mean", "same": "same_as_mean"}
CATEGORIES = {SPECIFIC: "specific_effects", WRONG_SIZE: "wrong_size", "not specific": "not_specific"}
CORRELATION, CORRELATION_SKILL = "pearson_delta_unshared", "pearson_delta_perturbed_unshared_skill"
EXTERNAL = "external"


def models_verdict(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame) -> Verdict:
    """Return whether any model is more accurate than the mean baseline, and specific to the perturbation."""
    if tables["summary"].empty:
        return Verdict(NAME, INCONCLUSIVE, "no_models")
    if response_known(tables["confounding"]) is False:
        return Verdict(NAME, INCONCLUSIVE, "no_response", {}, card)
    varying = card[~card["constant"].astype(bool)]
    details = (
        *_accuracy(varying),
        *_categories(varying),
        *_pearson(varying, tables["summary"]),
        *_equal_weights(card, tables["summary"]),
        *_constant(card),
    )
    sentences = (*_without_targets(tables["perturbations"]), *_external(card, tables))
    return replace(_verdict(card, varying, tables), sentences=sentences, details=details)


def _verdict(card: pd.DataFrame, varying: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> Verdict:
    sure = assessed(card)
    suspects = varying.loc[varying["kind"] == Standing.TOO_GOOD, "model"]
    for verdict, kind, standings in BY_STANDING:
        rows = varying[varying["kind"].isin(standings)]
        if len(rows):
            return Verdict(NAME, verdict, kind, {**_skills(rows), "too_good": suspects.tolist()}, rows)
    if len(suspects):
        rows = too_good(tables).loc[lambda table: table["model"].isin(suspects)]
        facts = columns(rows, "model", "evidence", "n", "n_effective", "estimate", "ci_low", "ci_high", "n_copied")
        return Verdict(NAME, INCONCLUSIVE, "too_good", facts, rows)
    if len(sure) and sure["constant"].all():
        return Verdict(NAME, INCONCLUSIVE, "all_constant", {"n": int(sure["n"].max()), **columns(sure, "model")}, sure)
    if len(sure):
        most = sure.loc[sure["n"].idxmax()]
        facts = {"n": int(most["n"]), "n_effective": float(most["n_effective"])}
        return Verdict(NAME, NO, "none_better", facts, sure)
    if card.empty:  # the baseline has no row: all others are compared with it
        return Verdict(NAME, INCONCLUSIVE, "only_baseline")
    return Verdict(NAME, INCONCLUSIVE, "too_few_held_out", {}, card)


def _without_targets(perturbations: pd.DataFrame) -> list[Statement]:
    """Return that no target gene is measured, so that models know unseen perturbations by nothing that was measured."""
    if perturbations.empty or (perturbations["target_gene"] != "").any():
        return []
    return [Statement("no_target_measured", {"n": len(perturbations)})]


def _skills(rows: pd.DataFrame) -> Facts:
    """Return skill and specific skill of some models."""
    names = ("model", "n", "n_effective", "skill", "ci_low", "ci_high")
    specific = ("specific_skill", "specific_ci_low", "specific_ci_high", "specific_slope")
    return columns(rows, *names, *specific)


def _accuracy(card: pd.DataFrame) -> list[Statement]:
    """Return which models are better or worse than the mean baseline, by their skill, and on which there is no verdict."""
    statements = [
        Statement(COMPARED[sign], columns(rows, "model", "n", "n_effective", "skill", "ci_low", "ci_high"), rows)
        for sign, rows in by_sign(assessed(card)).items()
        if len(rows)
    ]
    for _, row in card[card["kind"] == Standing.NONE].iterrows():
        facts = {"model": row["model"], "n": row["n"], "reason": row["note"]}
        statements.append(Statement("no_verdict", facts, card[card["model"] == row["model"]]))
    return statements


def _categories(card: pd.DataFrame) -> list[Statement]:
    """Return the models of each category of specificity, with their specific skill and slope."""
    judged = assessed(card)
    return [
        Statement(kind, _skills(rows), rows)
        for category, kind in CATEGORIES.items()
        if len(rows := judged[judged["category"] == category])
    ]


def _pearson(card: pd.DataFrame, summary: pd.DataFrame) -> list[Statement]:
    """Return the skill by correlation beyond the mean, of the models that have a standing."""
    own = summary[
        (summary["subset"] == "all") & (summary["regime"] == "full") & (summary["metric"] == CORRELATION_SKILL)
    ]
    judged = assessed(card)["model"]
    rows = judged_rows(own[own["model"].isin(judged)], "estimate")
    names = ("model", "n", "n_effective", "estimate", "ci_low", "ci_high")
    return [Statement("pearson_skill", columns(rows, *names), rows)] if len(rows) else []


def _equal_weights(card: pd.DataFrame, summary: pd.DataFrame) -> list[Statement]:
    """Return the models on which skill and the mean relative error, to which weak perturbations add as much, disagree."""
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["metric"] == "l2_ratio")]
    rows = judged_rows(own[own["model"].isin(assessed(card)["model"])], "estimate")
    skill = card.set_index("model")[["ci_low", "ci_high"]].reindex(rows["model"])
    better = (rows["ci_high"] < 1 - TINY).to_numpy(), (skill["ci_low"] > 0).to_numpy()
    worse = (rows["ci_low"] > 1 + TINY).to_numpy(), (skill["ci_high"] < 0).to_numpy()
    rows = rows[(better[0] & ~better[1]) | (worse[0] & ~worse[1])]
    names = ("model", "n", "n_effective", "estimate", "ci_low", "ci_high")
    return [Statement("equal_weights", columns(rows, *names), rows)] if len(rows) else []


def _external(card: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> tuple[Statement, ...]:
    """Compare the user's own models with all others, paired, on the perturbations that both predict."""
    models = tables["models"]
    external = models.loc[(models["kind"] == EXTERNAL) & (models["regime"] == "full"), "model"]
    judged = assessed(card).loc[lambda rows: ~rows["constant"].astype(bool), "model"]
    statements = []
    for model in external[external.isin(judged)]:
        others = [other for other in [BASELINE, *judged] if other != model]
        table = judged_rows(_against(tables["comparison"], model, others), "difference")
        for sign, rows in by_sign(table).items():
            if len(rows):
                facts = columns(rows, "other", "n", "n_effective", "difference", "ci_low", "ci_high")
                statements.append(Statement(f"external_{sign}", {"model": model, **facts}, rows))
    return tuple(statements)


def _against(comparison: pd.DataFrame, model: str, others: Collection[str]) -> pd.DataFrame:
    """Return the differences between a model and others by relative error; positive where the model is better."""
    table = comparison[(comparison["regime"] == "full") & (comparison["metric"] == "l2_ratio")]
    first = table[table["model_a"] == model].rename(columns={"model_a": "model", "model_b": "other"})
    second = table[table["model_b"] == model].rename(columns={"model_b": "model", "model_a": "other"})
    turned = {"difference": -second["difference"], "ci_low": -second["ci_high"], "ci_high": -second["ci_low"]}
    rows = pd.concat([part for part in (first, second.assign(**turned)) if len(part)] or [first])
    return rows.set_index("other", drop=False).reindex([name for name in others if name in set(rows["other"])])


def _constant(card: pd.DataFrame) -> list[Statement]:
    """Return the models that predict one and the same, and of which it is the network that links nothing."""
    constant = assessed(card).loc[lambda rows: rows["constant"].astype(bool)]
    parts = {"constant_predictions": constant, "graph_without_links": card[card["kind"] == Standing.UNLINKED]}
    names = ("model", "n", "n_effective", "skill", "ci_low", "ci_high")
    return [Statement(kind, columns(rows, *names), rows) for kind, rows in parts.items() if len(rows)]


def collapsed_models(variance_ratio: pd.DataFrame) -> list[Statement]:
    """Return which models predict the same as a baseline."""
    table = variance_ratio[(variance_ratio["level"] == "screen") & (variance_ratio["regime"] == "full")]
    table = table[(table["collapsed_to"] != "") & (table["collapsed_to"] != table["model"])]
    table = judged_rows(table.assign(n=table["n_perturbations"]), "ratio")
    return [
        Statement("collapsed", {"baseline": name, **columns(rows, "model", "n", "ratio", "ci_low", "ci_high")}, rows)
        for name, rows in table.groupby("collapsed_to", sort=False)
    ]


def baseline_correlation(summary: pd.DataFrame, scores: pd.DataFrame) -> list[Statement]:
    """Return the correlation of the mean baseline alone, without the noise that it shares with the data."""
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["model"] == BASELINE)]
    rows = judged_rows(own[own["metric"] == CORRELATION], "estimate")
    if rows.empty:
        return []
    keys = ("n", "n_effective", "estimate", "ci_low", "ci_high", "ceiling")
    return [Statement("correlation_of_mean", {key: rows.iloc[0][key] for key in keys}, rows)]

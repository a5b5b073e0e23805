"""Does retraining without confounder genes help, and more than without random genes?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pandas as pd

from ..numbers import TINY, known
from .base import BASELINE, INCONCLUSIVE, MIN_HELD_OUT, NO, PARTLY, YES, Statement, Verdict, columns, is_judged

NAME = "retraining"
KINDS = (
    "only_baseline",
    "only_baseline_retrained",
    "no_regime",
    "too_few_held_out",
    "better_than_random",
    "better_not_than_random",
    "better_random_not_tested",
    "only_constants_retrained",
    "nothing_changes",
    "worse",
    "no_significant_gain",
)
STATEMENTS = (
    "ranking_reversed",
    "ranking_kept",
    "ranking_inconclusive",
    "more_than_random",
    "not_more_than_random",
    "changes_by_retraining",
    "not_assessed_by_retraining",
)
GENE_REGIMES = ("no_mt_ribo", "no_mt")


def retraining_verdict(tables: Mapping[str, pd.DataFrame], constant: Collection[str] = ()) -> Verdict | None:
    """Return what retraining without mitochondrial and ribosomal genes changes; None without models.

    ``constant`` names the models that predict one and the same for all unseen perturbations.
    """
    if tables["summary"].empty:
        return None
    regimes = tables["retraining"]
    table = regimes[(regimes["metric"] == "l2_ratio") & (regimes["model"] != BASELINE)] if len(regimes) else regimes
    table = table.assign(change=[change(row) for _, row in table.iterrows()])
    if (tables["summary"]["model"] == BASELINE).all():
        verdict = Verdict(NAME, INCONCLUSIVE, "only_baseline")
    elif table.empty and len(regimes) and regimes["regime"].isin(GENE_REGIMES).any():
        verdict = Verdict(NAME, INCONCLUSIVE, "only_baseline_retrained")
    else:
        verdict = _verdict(table, tables["random_removals"], tables["regimes_left_out"], constant)
    judged = table[table["change"] != "none"]
    changes = (_changes(str(regime), rows) for regime, rows in judged.groupby("regime", sort=False))
    details = (*changes, *_not_assessed(table[table["change"] == "none"]))
    sentences = (*_ranking(tables["ranking"]), *_random(tables["random_removals"]))
    return replace(verdict, sentences=sentences, details=details)


def change(row: pd.Series) -> str:
    """Return what retraining changes, if the interval allows a verdict."""
    if not is_judged(row, "gain"):
        return "none"
    if max(abs(row["ci_low"]), abs(row["ci_high"])) < TINY:
        return "same"
    if abs(row["gain"]) < TINY:  # an interval that excludes 0 makes no gain of what nobody could use
        return "unclear"
    return "better" if row["ci_low"] > 0 else "worse" if row["ci_high"] < 0 else "unclear"


def _verdict(table: pd.DataFrame, random: pd.DataFrame, left_out: pd.DataFrame, constant: Collection[str]) -> Verdict:
    """Judge the widest regime without confounder genes; a constant prediction cannot show what retraining does."""
    present = [regime for regime in GENE_REGIMES if len(table) and (table["regime"] == regime).any()]
    if not present:
        return Verdict(NAME, INCONCLUSIVE, "no_regime", {"left_out": bool(left_out["regime"].isin(GENE_REGIMES).any())})
    rows = table[table["regime"] == present[0]]
    sure, better = rows[rows["change"] != "none"], rows[rows["change"] == "better"]
    if sure.empty:
        return Verdict(NAME, INCONCLUSIVE, "too_few_held_out", {}, rows)
    if sure["model"].isin(constant).all():
        return Verdict(NAME, INCONCLUSIVE, "only_constants_retrained", {"n_judged": len(sure)}, sure)
    if len(better):
        return _better(present[0], better, random)
    facts = {"regime": present[0], "n_models": len(rows), "n_judged": len(sure), "negligible": TINY}
    worse, same = sure[sure["change"] == "worse"], sure[sure["change"] == "same"]
    if len(same) == len(sure):
        return Verdict(NAME, NO, "nothing_changes", facts, sure)
    if len(worse):
        return Verdict(NAME, NO, "worse", {**facts, **columns(worse, "model")}, worse)
    rest = sure[sure["change"] != "same"]
    facts |= {"n_same": len(same), "others_include_0": bool(((rest["ci_low"] <= 0) & (rest["ci_high"] >= 0)).all())}
    return Verdict(NAME, INCONCLUSIVE, "no_significant_gain", facts, sure)


def _better(regime: str, better: pd.DataFrame, random: pd.DataFrame) -> Verdict:
    """Compare what gets better with the removal of random genes."""
    beyond = better[better["model"].isin(more_than_random(random)["model"])]
    if len(beyond):
        return Verdict(NAME, YES, "better_than_random", {"regime": regime, **columns(beyond, "model")}, beyond)
    all_tested = len(_tested(random)) and better["model"].isin(_tested(random)["model"]).all()
    kind = "better_not_than_random" if all_tested else "better_random_not_tested"
    return Verdict(NAME, PARTLY, kind, {"regime": regime, **columns(better, "model")}, better)


def _changes(regime: str, rows: pd.DataFrame) -> Statement:
    facts = columns(rows, "model", "change", "n", "n_effective", "gain", "ci_low", "ci_high")
    facts |= {"regime": regime, "negligible": TINY}
    return Statement("changes_by_retraining", facts, rows)


def _not_assessed(rows: pd.DataFrame) -> list[Statement]:
    """Return the models without a verdict, each once with all its regimes."""
    if rows.empty:
        return []
    regimes = rows.groupby("model", sort=False)["regime"].agg(tuple)
    return [
        Statement(
            "not_assessed_by_retraining",
            {"model": of_these.index.tolist(), "regime": list(names), "min_n": MIN_HELD_OUT},
            rows[rows["model"].isin(of_these.index)],
        )
        for names, of_these in regimes.groupby(regimes, sort=False)
    ]


def _ranking(ranking: pd.DataFrame) -> list[Statement]:
    """Return whether retraining reverses the order of two models, where both orders are significant."""
    known_n = ranking[ranking["n"] >= MIN_HELD_OUT] if len(ranking) else ranking
    if known_n.empty:
        return []
    turned, same = known_n[known_n["order"] == "reversed"], known_n[known_n["order"] == "kept"]
    if len(turned):
        first = turned["model_a"].where(turned["full"] < 0, turned["model_b"])
        second = turned["model_b"].where(turned["full"] < 0, turned["model_a"])
        facts = {**columns(turned, "regime", "n"), "before": first.tolist(), "behind": second.tolist()}
        return [Statement("ranking_reversed", facts, turned)]
    if same.empty:
        return [Statement("ranking_inconclusive", {}, known_n)]
    counts = {str(regime): len(rows) for regime, rows in same.groupby("regime", sort=False)}
    n_pairs = [int((known_n["regime"] == regime).sum()) for regime in counts]
    facts = {"regime": list(counts), "n_kept": list(counts.values()), "n_pairs": n_pairs}
    return [Statement("ranking_kept", facts, known_n)]


def more_than_random(random: pd.DataFrame) -> pd.DataFrame:
    """Return the models whose gain is above those of all random removals."""
    rows = _tested(random)
    return rows[(rows["gain"] > rows["random_max"]) & (rows["gain"] >= TINY)] if len(rows) else rows


def _tested(random: pd.DataFrame) -> pd.DataFrame:
    """Return the models that were retrained and could differ, on enough perturbations."""
    if random.empty:
        return random
    could_differ = []
    for _, row in random.iterrows():
        numbers = [row[key] for key in ("gain", "random_min", "random_max", "p")]
        could_differ.append(row["n"] >= MIN_HELD_OUT and known(*numbers) and max(abs(x) for x in numbers[:3]) >= TINY)
    return random[pd.Series(could_differ, index=random.index, dtype=bool)]


def _random(random: pd.DataFrame) -> list[Statement]:
    statements = []
    rows = _tested(random)
    for regime, table in rows.groupby("regime", sort=False) if len(rows) else []:
        above = table["model"].isin(more_than_random(table)["model"])
        for kind, part in (("more_than_random", table[above]), ("not_more_than_random", table[~above])):
            if len(part):
                numbers = columns(part, "model", "n", "gain", "random_mean", "random_min", "random_max", "n_random")
                statements.append(Statement(kind, {"regime": regime, **numbers}, part))
    return statements

"""Did the perturbations work? From the check and the table of perturbations, before any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ..._keys import OBSERVED
from ...pp._check import strongest
from ...tl._audit.perturbations import MAJORITY
from ...tl._target_response import MIN_TARGETS
from .base import NO, PARTLY, YES, Statement, Verdict, columns, response_known

NAME = "screen"
KINDS = ("all_detected", "some_detected", "only_together", "none_detected")
STATEMENTS = (
    "kinds_of_perturbations",
    "few_perturbations_respond",
    "response_of_target_genes",
    "alignment_untested",
    "alignment_in_place",
    "alignment_inconclusive",
)
TOO_FEW_CELLS, NOT_DETECTED, TARGET_ONLY = "too few cells", "not detected", "target gene only"
COUNTED = {
    "n_specific": "specific",
    "n_shared": "mostly shared",
    "n_in_confounder_set": "targets a confounder gene",
    "n_weak": "weak",
}
FDR = 0.05
MOVES = 3.0


def screen_verdict(tables: Mapping[str, pd.DataFrame]) -> Verdict:
    """Return in how many perturbations an effect is detected, and of which kind they are."""
    table = tables["perturbations"]
    used = table[table["kind"] != TOO_FEW_CELLS]
    good = used[~used["kind"].isin((NOT_DETECTED, TARGET_ONLY))]
    n_own = int((used["kind"] == TARGET_ONLY).sum())
    facts = {"n_detected": len(good), "n": len(used), "n_target_only": n_own, "max_q": FDR}
    balance = tables["balance"]
    facts["confounded_with"] = balance.loc[balance["status"] == "confounded", "column"].tolist()
    if good.empty and response_known(tables["confounding"]):
        verdict = Verdict(NAME, PARTLY, "only_together", facts)
    elif good.empty:
        verdict = Verdict(NAME, NO, "none_detected", facts)
    elif len(good) == len(used):
        verdict = Verdict(NAME, YES, "all_detected", facts)
    else:
        verdict = Verdict(NAME, PARTLY, "some_detected", facts)
    sentences = [*_kinds(good), *_few(used, good), *_targets(used), *_alignment(tables)]
    return replace(verdict, sentences=tuple(sentences))


def _few(used: pd.DataFrame, good: pd.DataFrame) -> list[Statement]:
    """Return the perturbations that account for most of the response, if there is one."""
    if good.empty:
        return []
    rows = used.loc[strongest(used["response_share"]), ["perturbation", "response_share"]]
    if rows.empty:
        return []
    facts = {
        "n": len(used),
        "share": float(rows["response_share"].sum()),
        **columns(rows, "perturbation", "response_share"),
    }
    return [Statement("few_perturbations_respond", facts, rows)]


def _kinds(good: pd.DataFrame) -> list[Statement]:
    """Return of which kind the detected ones are."""
    counts = {name: int((good["kind"] == kind).sum()) for name, kind in COUNTED.items()}
    if not sum(counts.values()):
        return []
    shared = good[good["kind"] == COUNTED["n_shared"]]
    counts["n_on_axis"] = int((shared["systematic"] > MAJORITY).sum())
    counts["n_technical"] = counts["n_shared"] - counts["n_on_axis"]
    return [Statement("kinds_of_perturbations", {"n_detected": len(good), **counts})]


def _targets(used: pd.DataFrame) -> list[Statement]:
    measured = used[(used["target_gene"] != "") & used["target_z"].notna()]
    if measured.empty:
        return []
    down, up = int((measured["target_z"] < -MOVES).sum()), int((measured["target_z"] > MOVES).sum())
    facts = {"n_measured": len(measured), "n_down": down, "n_up": up, "min_z": MOVES}
    return [Statement("response_of_target_genes", facts, measured[["perturbation", "target_gene", "target_z"]])]


def scan(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the scan for shifted gene labels, in the observed data."""
    table = tables["target_response"]
    return table[(table["model"] == OBSERVED) & (table["level"] == "scan")] if len(table) else table


def _alignment(tables: Mapping[str, pd.DataFrame]) -> list[Statement]:
    """Return that gene labels look right, or that this is unknown; that they look wrong is a caution."""
    table = scan(tables)
    if table.empty or len(shifted_rows(table)):
        return []
    whole = table[table["block"] == "all"]
    with_p = whole[whole["p"].notna()]
    if with_p.empty:
        return [Statement("alignment_untested", {"min_targets": MIN_TARGETS})]
    here = with_p[with_p["shift"] == 0]
    kind = "alignment_in_place" if (here["p"] <= FDR).all() else "alignment_inconclusive"
    return [Statement(kind, columns(here, "n_targets", "percentile", "expected", "p"), here)]


def shifted_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a scan that propose another column."""
    if table.empty:
        return table
    return table[table["proposed"].eq(True).fillna(False).astype(bool) & (table["shift"] != 0)]

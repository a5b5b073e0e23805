"""Did the perturbations work? From the check and the table of perturbations, before any model."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..._keys import OBSERVED
from ..wording import NO, PARTLY, YES, Answer, Sentence, answered, listed, number, percent, say
from .confounding import is_usable, on_systematic

NAME, QUESTION = "screen", "Did the perturbations work?"
LEFT_OUT, WITHOUT_EFFECT = "too few cells", "not reproducible"
WORDS = {
    "specific": "{} are specific (the effect is mostly their own)",
    "mostly shared axis": "{} move mostly along a shared axis",
    "target in a confounder set": "{} target a gene of a confounder set",
}
MOVES = 3.0


def worked(tables: Mapping[str, pd.DataFrame]) -> Answer:
    """Say how many perturbations have an effect that a repeat would show, and of which kind they are."""
    table = tables["perturbations"]
    used = table[table["kind"] != LEFT_OUT]
    good = used[used["kind"] != WITHOUT_EFFECT]
    verdict = NO if good.empty else YES if len(good) == len(used) else PARTLY
    text = (
        f"{len(good)} of {len(used)} perturbations have an effect that a repeat of the experiment would show "
        "(reproducibility of 0.3 or more)"
    )
    sentences = [*_kinds(good, tables["confounding"]), *_few(tables["check"]), *_own(used), *in_place(tables)]
    return answered(NAME, QUESTION, verdict, say(text), sentences)


def _few(check: pd.DataFrame) -> list[Sentence]:
    rows = check[(check["check"] == "response") & check["detail"].str.contains(" carry ")]
    return [say(row["detail"], rows) for _, row in rows.iterrows()]


def _kinds(good: pd.DataFrame, confounding: pd.DataFrame) -> list[Sentence]:
    """Say of which kind the reproducible ones are, unless that rests on an axis that must not be used."""
    counts = {kind: int((good["kind"] == kind).sum()) for kind in WORDS}
    if not sum(counts.values()) or not is_usable(on_systematic(confounding)):
        return []
    parts = listed([WORDS[kind].format(n) for kind, n in counts.items() if n])
    return [say(f"Of these {len(good)}, {parts}; judge models on specific ones")]


def _own(used: pd.DataFrame) -> list[Sentence]:
    known = used[(used["target_gene"] != "") & used["target_z"].notna()]
    if known.empty:
        return []
    down, up = int((known["target_z"] < -MOVES).sum()), int((known["target_z"] > MOVES).sum())
    text = f"Of the {len(known)} whose own gene is measured, it falls in {down or 'none'} and rises in {up or 'none'} (|z| above {MOVES:g})"
    return [say(text, known[["perturbation", "target_gene", "target_z"]])]


def scan(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the scan for values that lie beside their gene names, in the observed data."""
    table = tables["target_response"]
    return table[(table["model"] == OBSERVED) & (table["level"] == "scan")] if len(table) else table


def in_place(tables: Mapping[str, pd.DataFrame]) -> list[Sentence]:
    """Say that values lie under their gene names, or that it cannot be told; that they do not is a caution."""
    table = scan(tables)
    if table.empty or len(moved(table)):
        return []
    asked = table[(table["block"] == "all") & (table["note"] == "")]
    if asked.empty:
        why = table["note"].iloc[0].removeprefix("not informative: ")
        return [say(f"Whether values lie beside their gene names cannot be told: {why}")]
    here = asked[asked["shift"] == 0]
    own = "".join(
        f": in their own columns the {r['n_targets']:.0f} measured targets move more than {percent(r['percentile'])} of "
        f"genes, in a random perturbation more than {percent(r['expected'])} (p = {number(r['p'])})"
        for _, r in here.iterrows()
    )
    return [say(f"No shift of values against gene names is proposed{own}", here)]


def moved(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a scan that propose another column."""
    if table.empty:
        return table
    return table[table["proposed"].eq(True).fillna(False).astype(bool) & (table["shift"] != 0)]

"""Is the response technical? Batches, technical gene sets and sequencing depth, or a program, which then is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ..._keys import MUCH, P_COLUMN, PART
from ...tl._gene_sets import MIN_SET
from ..numbers import known
from .base import (
    INCONCLUSIVE,
    NO,
    PARTLY,
    YES,
    Facts,
    Statement,
    Verdict,
    columns,
    of_screen,
    response_known,
)

NAME = "technical"
KINDS = (
    "batch",
    "technical_sets",
    "technical_sets_in_part",
    "depth",
    "program",
    "no_sign",
    "large_sets",
    "not_tested",
    "no_response",
    "not_computed",
)
STATEMENTS = (
    "column_adopted",
    "columns_balanced",
    "column_noted",
    "depth_differs",
    "mt_percent_differs",
    "set_beyond_chance",
    "set_within_chance",
    "set_not_compared",
    "set_not_measured",
    "programs",
)
ALWAYS = ("mt", "ribo")
TESTED = ("confounded", "balanced", "adopted", "noted")
NOTES = {"depth": "depth_differs", "mt_percent": "mt_percent_differs"}


def technical_verdict(tables: Mapping[str, pd.DataFrame]) -> Verdict:
    """Return whether batches, technical gene sets or depth make much of the response, the first that holds."""
    shares, balance = of_screen(tables["confounding"]), tables["balance"]
    known_response = response_known(tables["confounding"])
    sets = shares[shares["set_class"] != ""] if len(shares) else shares
    if known_response is None:
        return Verdict(NAME, INCONCLUSIVE, "not_computed")
    if not known_response:
        return Verdict(NAME, INCONCLUSIVE, "no_response", {}, sets.iloc[:0])
    verdict = _of_columns(balance) or _of_technical_sets(sets) or _of_depth(balance) or _of_programs(sets)
    verdict = verdict or _without_sign(sets, balance)
    return replace(verdict, sentences=(*_columns(balance), *_sets(sets), *_programs(sets, verdict), *_depth(balance)))


def beyond_random(sets: pd.DataFrame, set_class: str) -> pd.DataFrame:
    """Return the sets of a class that account for more than random ones and are named, the largest share first."""
    beyond = sets["beyond"].astype("boolean").fillna(value=False).to_numpy(bool)
    leading = sets[beyond & (sets["set_class"] == set_class).to_numpy() & (sets["part_of"] == "").to_numpy()]
    return leading.sort_values("share", ascending=False, kind="stable")


def _of_columns(balance: pd.DataFrame) -> Verdict | None:
    rows = balance[balance["status"] == "confounded"].sort_values("share", ascending=False, kind="stable")
    if rows.empty:
        return None
    return Verdict(NAME, YES, "batch", {key: rows.iloc[0][key] for key in ("column", "share", "null", "p")}, rows)


def _of_technical_sets(sets: pd.DataFrame) -> Verdict | None:
    """Return the technical sets of much or a part of the response; the page lists those of less without a verdict."""
    beyond = beyond_random(sets, "technical")
    beyond = beyond[beyond["share"] >= PART]
    if beyond.empty:
        return None
    large = beyond[beyond["ci_low"] >= MUCH]
    verdict, kind = (YES, "technical_sets") if len(large) else (PARTLY, "technical_sets_in_part")
    row = (large if len(large) else beyond).iloc[0]
    return Verdict(
        NAME, verdict, kind, {**_set(row), "others": beyond.loc[beyond.index != row.name, "axis"].tolist()}, beyond
    )


def _of_depth(balance: pd.DataFrame) -> Verdict | None:
    rows = balance[(balance["kind"] == "depth") & (balance["share"] >= PART) & (balance["p"] <= P_COLUMN)]
    return Verdict(NAME, PARTLY, "depth", _facts(rows.iloc[0]), rows) if len(rows) else None


def _of_programs(sets: pd.DataFrame) -> Verdict | None:
    """Return the program of largest share; one of little share does not show that the rest is not technical."""
    programs = beyond_random(sets, "program")
    if not (programs["share"] >= PART).any():
        return None
    return Verdict(NAME, NO, "program", _set(programs.iloc[0]), programs)


def _without_sign(sets: pd.DataFrame, balance: pd.DataFrame) -> Verdict:
    """Return that there is no sign of it, or which of the tests is missing or allows no verdict."""
    measured = sets[(sets["set_class"] == "technical") & (sets["n_genes"] >= MIN_SET)]
    large = measured[~(measured["ci_high"] < MUCH)]
    missing = [] if len(measured) else ["technical_sets"]
    missing += [] if _n_tested(balance) else ["columns"]
    if len(large):
        return Verdict(NAME, INCONCLUSIVE, "large_sets", _set(large.sort_values("ci_high").iloc[-1]), large)
    if missing:
        quality = balance.loc[balance["kind"].isin(tuple(NOTES)) & balance["p"].map(known), "kind"].tolist()
        facts = {"missing": missing, "min_genes": MIN_SET, "quality": quality}
        return Verdict(NAME, INCONCLUSIVE, "not_tested", facts, measured)
    facts = {"n_sets": len(measured), "n_columns": _n_tested(balance), "much": MUCH}
    return Verdict(NAME, NO, "no_sign", facts, measured)


def _n_tested(balance: pd.DataFrame) -> int:
    tested = (balance["kind"] == "column") & balance["status"].isin(TESTED) & balance["share"].map(known)
    return int(balance.loc[tested, "column"].nunique())


def _columns(balance: pd.DataFrame) -> list[Statement]:
    """Return which columns were tested, adopted as batches, or show differences that may be effects."""
    of_columns = balance[balance["kind"] == "column"]
    adopted = of_columns[of_columns["status"] == "adopted"]
    statements = [Statement("column_adopted", _facts(row), adopted) for _, row in adopted.iterrows()]
    balanced = of_columns[of_columns["status"] == "balanced"]
    if len(balanced):
        statements.append(Statement("columns_balanced", columns(balanced, "column", "share"), balanced))
    noted = of_columns[(of_columns["status"] == "outcome") & (of_columns["share"] >= PART)]
    noted = noted[noted["p"] <= P_COLUMN]
    return [*statements, *(Statement("column_noted", _facts(row), noted) for _, row in noted.iterrows())]


def _depth(balance: pd.DataFrame) -> list[Statement]:
    """Return how much of the response depth makes, and the share of mitochondrial counts: both may be effects."""
    rows = balance[balance["kind"].isin(tuple(NOTES)) & (balance["p"] <= P_COLUMN) & balance["share"].map(known)]
    return [Statement(NOTES[row["kind"]], _facts(row), rows[rows["kind"] == row["kind"]]) for _, row in rows.iterrows()]


def _sets(sets: pd.DataFrame) -> list[Statement]:
    """Return the shares of technical sets that are larger than expected by chance, and in any case of mitochondrial and ribosomal genes."""
    statements = []
    beyond = beyond_random(sets, "technical")
    for _, row in sets[sets["set_class"] == "technical"].iterrows():
        of_set = sets[sets["axis"] == row["axis"]]
        if row["axis"] in set(beyond["axis"]):
            statements.append(Statement("set_beyond_chance", _set(row), of_set))
        elif row["axis"] in ALWAYS and row["n_genes"] == 0:
            statements.append(Statement("set_not_measured", {"axis": row["axis"]}))
        elif row["axis"] in ALWAYS and known(row["share"], row["ci_low"], row["ci_high"]):
            kind = "set_within_chance" if known(row["null"]) else "set_not_compared"
            statements.append(Statement(kind, _set(row), of_set))
    return statements


def _programs(sets: pd.DataFrame, verdict: Verdict) -> list[Statement]:
    """Return the programs that the verdict does not name."""
    programs = beyond_random(sets, "program")
    rest = programs.iloc[1:] if verdict.kind == "program" else programs
    facts = columns(rest, "axis", "share", "ci_low", "ci_high", "null")
    return [Statement("programs", facts, rest)] if len(rest) else []


def _facts(row: pd.Series) -> Facts:
    return {key: row[key] for key in ("column", "share", "null", "p")}


def _set(row: pd.Series) -> Facts:
    return {key: row[key] for key in ("axis", "share", "ci_low", "ci_high", "null", "p", "n_genes")}

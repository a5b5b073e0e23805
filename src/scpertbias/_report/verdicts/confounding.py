"""Is the screen confounded, and by what? From the shares of the response, before any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ...tl._confounding import MISMATCH, note_codes
from ..numbers import known
from .base import INCONCLUSIVE, NO, PARTLY, YES, Facts, Statement, Verdict, columns

NAME = "confounding"
KINDS = (
    "axis_of_confounders",
    "axis_not_confounders",
    "sets_carry_much",
    "sets_carry_some",
    "no_axis_no_sets",
    "small_axis_no_sets",
    "no_response",
    "wide_interval",
    "no_usable_axis",
)
STATEMENTS = (
    "set_beyond_chance",
    "set_within_chance",
    "set_untold_from_chance",
    "set_without_random_sets",
    "set_not_measured",
    "axis_unusable",
    "axis_genes",
    "depth_share",
)
SYSTEMATIC = "systematic"
ALWAYS = ("mt", "ribo")
REST = "other"
MUCH = 0.25
FEW_EFFECTIVE = 20
"""Effective perturbations on the axis under which it is that of a few."""
PART = 0.1
AT_MOST = 5


def confounding_verdict(tables: Mapping[str, pd.DataFrame]) -> Verdict:
    """Return whether a shared axis or a confounder gene set carries the response, where that is known."""
    shares = of_screen(tables["confounding"])
    axis = on_systematic(tables["confounding"])
    sets = shares[(shares["kind"] == "genes") & (shares["axis"] != REST)] if len(shares) else shares
    beyond = beyond_random(sets)
    verdict = _verdict(axis, beyond, sets, shares)
    return replace(verdict, sentences=(*_sets(sets, beyond), *_axis(axis), *_depth(shares)))


def of_screen(confounding: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of the whole response, in the full screen."""
    if confounding.empty:
        return confounding
    return confounding[(confounding["regime"] == "full") & (confounding["level"] == "screen")]


def is_response_known(confounding: pd.DataFrame) -> bool:
    """Whether the response of the full screen is more than noise."""
    shares = of_screen(confounding)
    return len(shares) > 0 and not any("no_reproducible_response" in note_codes(note) for note in shares["note"])


def on_systematic(confounding: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the axis that all perturbations share (none, if it was not asked)."""
    table = of_screen(confounding)
    return table[table["axis"] == SYSTEMATIC] if len(table) else table


def is_usable(axis: pd.DataFrame) -> bool:
    """Whether a sentence may rest on the axis: it has a share with an interval, and two estimates of it agree."""
    if axis.empty:
        return False
    row = axis.iloc[0]
    return known(row["share"], row["ci_low"], row["ci_high"]) and "weak_axis" not in note_codes(row["note"])


def beyond_random(sets: pd.DataFrame) -> pd.DataFrame:
    """Return the gene sets that carry more than random ones, the largest share first."""
    if sets.empty:
        return sets
    beyond = sets[sets["beyond"].astype("boolean").fillna(value=False).to_numpy(bool)]
    return beyond.sort_values("share", ascending=False, kind="stable")


def _verdict(axis: pd.DataFrame, beyond: pd.DataFrame, sets: pd.DataFrame, shares: pd.DataFrame) -> Verdict:
    usable = is_usable(axis)
    if usable and axis["ci_low"].iloc[0] >= MUCH:
        return _large_axis(axis, sets)
    if len(beyond):
        much = beyond["ci_low"].iloc[0] >= MUCH
        facts = columns(beyond, "axis", "share", "ci_low", "ci_high", "null")
        verdict, kind = (YES, "sets_carry_much") if much else (PARTLY, "sets_carry_some")
        return Verdict(NAME, verdict, kind, facts, beyond)
    if usable and axis["ci_high"].iloc[0] < MUCH and len(sets):
        return Verdict(NAME, NO, "small_axis_no_sets", _share(axis.iloc[0]), axis)
    if not usable and _without_axis(axis) and _are_small(sets):
        return Verdict(NAME, NO, "no_axis_no_sets", {}, sets)
    if shares.empty or not known(*shares.loc[shares["axis"] == REST, "share"]):
        return Verdict(NAME, INCONCLUSIVE, "no_response", {}, axis)
    if usable:
        return Verdict(NAME, INCONCLUSIVE, "wide_interval", _share(axis.iloc[0]), axis)
    return Verdict(NAME, INCONCLUSIVE, "no_usable_axis", {}, axis)


def _large_axis(axis: pd.DataFrame, sets: pd.DataFrame) -> Verdict:
    """Return which gene sets the shared axis is made of, and whether it is that of a few perturbations."""
    row = axis.iloc[0]
    few = bool(row["n_axis"] < FEW_EFFECTIVE)
    facts = {**_share(row), "n_axis": row["n_axis"], "carriers": row["carriers"].split(), "of_few_perturbations": few}
    parts = sets[sets["on_systematic"] >= PART].sort_values("on_systematic", ascending=False) if len(sets) else sets
    if parts.empty:
        return Verdict(NAME, YES, "axis_not_confounders", {**facts, "top_genes": _genes(row, 3)}, axis)
    made_of = {"sets": parts["axis"].tolist(), "on_systematic": parts["on_systematic"].tolist()}
    return Verdict(NAME, YES, "axis_of_confounders", {**facts, **made_of}, axis)


def _without_axis(axis: pd.DataFrame) -> bool:
    """Whether there is a response, no axis of it is measurable, and little of it is one shift of all perturbations."""
    if axis.empty or "no_measurable_axis" not in note_codes(axis["note"].iloc[0]):
        return False
    return bool(axis["common_ci_high"].iloc[0] < MUCH)


def _are_small(sets: pd.DataFrame) -> bool:
    """Whether what mitochondrial and ribosomal genes carry, of those that are measured, is known to be little."""
    measured = sets[sets["axis"].isin(ALWAYS) & (sets["n_genes"] > 0)] if len(sets) else sets
    return len(measured) > 0 and bool((measured["ci_high"] < MUCH).all())


def _sets(sets: pd.DataFrame, beyond: pd.DataFrame) -> list[Statement]:
    """Return what the sets carry that are beyond chance, and in any case mitochondrial and ribosomal genes."""
    statements = [Statement("set_beyond_chance", _set(row), beyond) for _, row in beyond.iterrows()]
    for _, row in sets.iterrows():
        if row["axis"] not in ALWAYS or row["axis"] in set(beyond["axis"]):
            continue
        if known(row["share"], row["ci_low"], row["ci_high"]):
            facts = _set(row)
            # Random sets of other expression are no chance to compare with.
            if not (known(row["null"], row["mismatch"]) and row["mismatch"] <= MISMATCH):
                kind, facts = "set_without_random_sets", facts | {"null": float("nan"), "p": float("nan")}
            else:
                kind = "set_within_chance" if row["share"] <= row["null"] else "set_untold_from_chance"
            statements.append(Statement(kind, facts, sets[sets["axis"] == row["axis"]]))
        elif row["n_genes"] == 0:
            statements.append(Statement("set_not_measured", {"axis": row["axis"]}))
    return statements


def _axis(axis: pd.DataFrame) -> list[Statement]:
    """Return what moves along the shared axis, or why it must not be used."""
    if axis.empty:
        return []
    row = axis.iloc[0]
    if is_usable(axis):
        return [Statement("axis_genes", {"top_genes": _genes(row, AT_MOST)}, axis)]
    problems = sorted(note_codes(row["note"])) or ["no_interval"]
    return [Statement("axis_unusable", {"problem": problems[0]}, axis)]


def _depth(shares: pd.DataFrame) -> list[Statement]:
    rows = shares[shares["axis"] == "depth"] if len(shares) else shares
    return [Statement("depth_share", _share(row), rows) for _, row in rows.iterrows() if is_usable(rows)]


def _share(row: pd.Series) -> Facts:
    return {key: row[key] for key in ("share", "ci_low", "ci_high")}


def _set(row: pd.Series) -> Facts:
    return {**{key: row[key] for key in ("axis", "null", "p")}, **_share(row)}


def _genes(row: pd.Series, at_most: int) -> list[str]:
    return str(row["top_genes"]).split()[:at_most]

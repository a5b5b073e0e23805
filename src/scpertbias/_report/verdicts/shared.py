"""Do perturbations share one response, and how many of them? From the shares of the response, before any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ..._keys import MUCH, PART
from ...tl._gene_sets import OTHER, notable
from ..numbers import known
from .base import (
    INCONCLUSIVE,
    NO,
    PARTLY,
    SYSTEMATIC,
    YES,
    Facts,
    Statement,
    Verdict,
    columns,
    of_screen,
    response_known,
    shared_axis,
)

NAME = "shared"
KINDS = (
    "axis_of_all",
    "axis_of_few",
    "axis_of_some",
    "axis_in_part",
    "small_axis",
    "no_axis",
    "axis_not_measurable",
    "wide_interval",
    "no_response",
    "not_computed",
)
STATEMENTS = ("axis_genes", "axis_of_sets", "common_shift")
AT_MOST = 5
FEW = 0.25


def shared_verdict(tables: Mapping[str, pd.DataFrame]) -> Verdict:
    """Return whether much of the response lies on one axis, and whose response that is."""
    axis = shared_axis(tables["confounding"])
    known_response = response_known(tables["confounding"])
    if axis.empty or known_response is None:
        return Verdict(NAME, INCONCLUSIVE, "not_computed")
    if not known_response:
        return Verdict(NAME, INCONCLUSIVE, "no_response", {}, axis)
    row = axis.iloc[0]
    verdict, kind = _judged(row, _n_perturbations(tables["confounding"]))
    facts = {**_facts(row), "n": _n_perturbations(tables["confounding"]), "much": MUCH}
    sentences = _of_axis(axis, of_screen(tables["confounding"])) if known(row["share"]) else []
    return replace(Verdict(NAME, verdict, kind, facts, axis), sentences=(*sentences, *_common(axis, facts["n"])))


def _judged(row: pd.Series, n: int) -> tuple[str, str]:
    """Return the verdict and its kind; that of all or of a few perturbations comes before that of some."""
    low, high = row["ci_low"], row["ci_high"]
    if not known(row["share"], low, high):
        return (NO, "no_axis") if row["common_ci_high"] < MUCH else (INCONCLUSIVE, "axis_not_measurable")
    if low >= MUCH:
        of_all = row["common_ci_low"] >= MUCH
        return YES, "axis_of_all" if of_all else "axis_of_few" if row["n_axis"] < FEW * n else "axis_of_some"
    if high < MUCH:
        return NO, "small_axis"
    return (PARTLY, "axis_in_part") if low >= PART else (INCONCLUSIVE, "wide_interval")


def _n_perturbations(confounding: pd.DataFrame) -> int:
    rows = confounding[(confounding["regime"] == "full") & (confounding["axis"] == SYSTEMATIC)]
    return int((rows["level"] == "perturbation").sum())


def _facts(row: pd.Series) -> Facts:
    keys = ("share", "ci_low", "ci_high", "common", "common_ci_low", "common_ci_high", "n_axis")
    return {**{key: row[key] for key in keys}, "carriers": str(row["carriers"]).split()}


def _of_axis(axis: pd.DataFrame, shares: pd.DataFrame) -> list[Statement]:
    """Return the genes that change most along the axis, and the gene sets that it consists of."""
    genes = Statement("axis_genes", {"top_genes": str(axis["top_genes"].iloc[0]).split()[:AT_MOST]}, axis)
    sets = notable(shares[(shares["kind"] == "genes") & (shares["axis"] != OTHER)])
    parts = sets[sets["on_systematic"] >= PART].sort_values("on_systematic", ascending=False, kind="stable")
    if parts.empty:
        return [genes]
    return [Statement("axis_of_sets", columns(parts, "axis", "on_systematic"), parts), genes]


def _common(axis: pd.DataFrame, n: int) -> list[Statement]:
    row = axis.iloc[0]
    if not known(row["common"], row["common_ci_low"], row["common_ci_high"]):
        return []
    facts = {"share": row["common"], "ci_low": row["common_ci_low"], "ci_high": row["common_ci_high"], "n": n}
    facts["n_effective"] = row["n_effective"]
    return [Statement("common_shift", facts, axis)]

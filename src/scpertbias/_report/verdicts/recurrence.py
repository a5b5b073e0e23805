"""Which genes do models put on top whatever is perturbed? More than in the data, and beyond chance."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..._keys import OBSERVED
from ..wording import (
    BASELINE,
    INCONCLUSIVE,
    MIN_HELD_OUT,
    NO,
    ONLY_BASELINE,
    YES,
    Answer,
    Sentence,
    answered,
    listed,
    say,
)

NAME, QUESTION = "recurrence", "Which genes do models predict whatever is perturbed?"
AT_MOST = 5
LEVEL = 0.05


def recurring(tables: Mapping[str, pd.DataFrame], sets: pd.DataFrame) -> Answer | None:
    """Name the genes that models put on top more often than the data and than chance do; None without models.

    ``sets`` are the confounder sets, by which the genes are counted.
    """
    if tables["summary"].empty:
        return None
    table = tested(tables["recurrence"])
    if table.empty:
        alone = (tables["summary"]["model"] == BASELINE).all()
        text = "This cannot be told: no model predicts more than one constant for ten held-out perturbations"
        return answered(NAME, QUESTION, INCONCLUSIVE, say(ONLY_BASELINE if alone else text))
    found = beyond_the_data(table)
    quiet = [str(m) for m in dict.fromkeys(table["model"]) if m not in set(found["model"])]
    sentences = [*_named(found, sets), *_none(table[table["model"].isin(quiet)])]
    if found.empty:
        return answered(NAME, QUESTION, NO, sentences[0], sentences[1:])
    genes = (
        found.groupby("symbol", sort=False)["excess"].sum().sort_values(ascending=False, kind="stable").index.tolist()
    )
    shown = ", ".join(genes[:AT_MOST]) + (f" and {len(genes) - AT_MOST} more" if len(genes) > AT_MOST else "")
    models = list(dict.fromkeys(found["model"]))
    text = f"{shown}: {listed(models)} put them on top more often than the data do{_of_sets(genes, sets)}"
    return answered(NAME, QUESTION, YES, say(text, found), sentences)


def tested(recurrence: pd.DataFrame) -> pd.DataFrame:
    """Return the genes of models that were tested against chance on enough perturbations, in the full screen by z."""
    if recurrence.empty:
        return recurrence
    table = recurrence[(recurrence["regime"] == "full") & (recurrence["by"] == "z") & (recurrence["model"] != OBSERVED)]
    return table[table["q"].notna() & (table["n_perturbations"] >= MIN_HELD_OUT)]


def beyond_the_data(table: pd.DataFrame) -> pd.DataFrame:
    """Return the genes beyond chance whose count is beyond that of the data by its interval, most often first."""
    if table.empty:
        return table
    called = table[(table["q"] < LEVEL) & (table["excess_ci_low"] > 0)]
    return called.sort_values(["excess", "count"], ascending=False, kind="stable")


def _named(found: pd.DataFrame, sets: pd.DataFrame) -> list[Sentence]:
    groups: dict[str, list[str]] = {}
    for model, rows in found.groupby("model", sort=False):
        groups.setdefault(_genes(rows, sets), []).append(str(model))
    return [
        say(f"Among the five strongest predicted by {listed(models)}: {words}", found[found["model"].isin(models)])
        for words, models in groups.items()
    ]


def _genes(rows: pd.DataFrame, sets: pd.DataFrame) -> str:
    named = [
        f"{r['symbol']} in {r['count']} (data {r['count'] - r['excess']:.0f})" for _, r in rows.head(AT_MOST).iterrows()
    ]
    more = f" and {len(rows) - AT_MOST} more" if len(rows) > AT_MOST else ""
    n = rows["n_perturbations"].iloc[0]
    return f"{', '.join(named)}{more}, of {n} perturbations (q < {LEVEL}){_of_sets(rows['symbol'].tolist(), sets)}"


def _of_sets(genes: list[str], sets: pd.DataFrame) -> str:
    """Return how many of some genes are mitochondrial, ribosomal, or in another confounder set."""
    names = {"mt": "mitochondrial", "ribo": "ribosomal"}
    left, parts = set(genes), []
    for source, name in names.items():
        inside = left & set(sets.loc[sets["source"] == source, "target"])
        left -= inside
        parts += [f"{len(inside)} {name}"] if inside else []
    other = left & set(sets["target"])
    parts += [f"{len(other)} of another confounder set"] if other else []
    return f"; among these {len(genes)} genes: {listed(parts)}" if parts else ""


def _none(table: pd.DataFrame) -> list[Sentence]:
    if table.empty:
        return []
    n = listed(sorted({str(n) for n in table["n_perturbations"]}, key=int))
    names = listed([str(m) for m in dict.fromkeys(table["model"])])
    return [say(f"No gene recurs more than in the data in the predictions of {names} (q < {LEVEL}; n = {n})")]

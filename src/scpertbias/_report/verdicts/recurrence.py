"""Which genes do models predict for too many perturbations? More often than in the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ..._keys import OBSERVED
from .base import BASELINE, INCONCLUSIVE, MIN_HELD_OUT, NO, YES, Facts, Statement, Verdict, response_known

NAME = "recurrence"
KINDS = ("only_baseline", "no_response", "only_constants", "genes_recur", "no_gene_recurs")
STATEMENTS = ("genes_of_models", "no_gene_of_models")
AT_MOST = 5
SCALE = "centered"
"""The scale on which a null screen has no gene that recurs."""


def recurrence_verdict(tables: Mapping[str, pd.DataFrame], sets: pd.DataFrame) -> Verdict | None:
    """Return the genes that models rank among the strongest more often than the data do; None without models.

    ``sets`` are the confounder gene sets, by which the genes are counted.
    """
    if tables["summary"].empty:
        return None
    if (tables["summary"]["model"] == BASELINE).all():
        return Verdict(NAME, INCONCLUSIVE, "only_baseline")
    if response_known(tables["confounding"]) is False:
        return Verdict(NAME, INCONCLUSIVE, "no_response")
    table = tested_genes(tables)
    if table.empty:
        return Verdict(NAME, INCONCLUSIVE, "only_constants", {"min_n": MIN_HELD_OUT})
    beyond = beyond_the_data(table)
    quiet = _without_genes(table[~table["model"].isin(beyond["model"])])
    if beyond.empty:
        return Verdict(NAME, NO, "no_gene_recurs", quiet[0].facts, quiet[0].rows)
    genes = (
        beyond.groupby("symbol", sort=False)["excess"].sum().sort_values(ascending=False, kind="stable").index.tolist()
    )
    facts = {"gene": genes, "model": list(dict.fromkeys(beyond["model"])), **_in_sets(genes, sets)}
    verdict = Verdict(NAME, YES, "genes_recur", facts, beyond)
    return replace(verdict, sentences=(*_of_models(beyond, sets), *quiet))


def tested_genes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the genes of models that differ between perturbations, on enough of them, in the full screen.

    They are counted by the effects beyond the mean of the perturbed, where a constant prediction has none. Without a
    reproducible response a model's own loadings recur, so nothing is tested.
    """
    table = tables["recurrence"]
    table = table[(table["regime"] == "full") & (table["by"] == SCALE) & (table["model"] != OBSERVED)]
    if response_known(tables["confounding"]) is False:
        return table.iloc[:0]
    return table[table["n_effective_genes"].notna() & (table["n_perturbations"] >= MIN_HELD_OUT)]


def beyond_the_data(table: pd.DataFrame) -> pd.DataFrame:
    """Return the genes whose count exceeds that of the data by its interval, most often first."""
    beyond = table[table["excess_ci_low"] > 0]
    return beyond.sort_values(["excess", "count"], ascending=False, kind="stable")


def _of_models(beyond: pd.DataFrame, sets: pd.DataFrame) -> list[Statement]:
    """Return the genes of each model; models with the same ones stand together."""
    groups: list[tuple[list[str], Facts]] = []
    for model, rows in beyond.groupby("model", sort=False):
        facts = _genes(rows, sets)
        same = [models for models, others in groups if others == facts]
        if same:
            same[0].append(str(model))
        else:
            groups.append(([str(model)], facts))
    return [
        Statement("genes_of_models", {"model": models, **facts}, beyond[beyond["model"].isin(models)])
        for models, facts in groups
    ]


def _genes(rows: pd.DataFrame, sets: pd.DataFrame) -> Facts:
    first = rows.head(AT_MOST)
    return {
        "gene": first["symbol"].tolist(),
        "count": first["count"].tolist(),
        "count_in_data": [round(n) for n in (first["count"] - first["excess"]).tolist()],
        "n_perturbations": rows["n_perturbations"].iloc[0],
        **_in_sets(rows["symbol"].tolist(), sets),
    }


def _in_sets(genes: list[str], sets: pd.DataFrame) -> Facts:
    """Return how many of some genes are mitochondrial, ribosomal, or in another confounder gene set."""
    rest, counts = set(genes), {"n_genes": len(genes)}
    for source in ("mt", "ribo"):
        inside = rest & set(sets.loc[sets["source"] == source, "target"])
        rest -= inside
        counts[f"n_{source}"] = len(inside)
    return {**counts, "n_other_set": len(rest & set(sets["target"]))}


def _without_genes(table: pd.DataFrame) -> list[Statement]:
    if table.empty:
        return []
    n = sorted({int(n) for n in table["n_perturbations"]})
    facts = {"model": [str(m) for m in dict.fromkeys(table["model"])], "n_perturbations": n}
    return [Statement("no_gene_of_models", facts)]

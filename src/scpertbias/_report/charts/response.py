"""Figures about the response: on which axes it lies, what each effect is made of, and the effects themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...ds import hallmark
from ...pl._colors import set_colors
from ...tl._effects import Effects
from ...tl._gene_sets import OTHER, notable
from ..numbers import percent, percent_interval, with_interval
from ..wording.terms import HALLMARK, axis_name, set_name
from .drawing import REST, Drawing
from .spec import Chart, line, tip

MOST_ROWS, MOST_GENES, GENES_PER_SET = 40, 60, 6
LEAST_SHARE = 0.02


def shares(d: Drawing) -> list[Chart]:
    """Return the share of the response on every axis, with those of random genes and of a typical perturbation."""
    table = d.of_full("confounding", level="screen")
    if table.empty:
        return []
    table = notable(table[table["share"].notna()])
    if table.empty:
        return []
    rows = _share_rows(table)
    options = {
        "names": "axis",
        "group": "kind",
        "series": [
            {
                "field": "share",
                "low": "ci_low",
                "high": "ci_high",
                "filled": "beyond",
                "title": "share (filled: more than random genes)",
                "untested": "not compared with random genes",
            },
            {"field": "null", "shape": "tick", "title": "random genes", "color": REST},
            {"field": "typical", "shape": "cross", "title": "typical perturbation", "color": "#7b828c"},
        ],
        "texts": [{"field": "text", "title": "share (95% CI)"}, {"field": "genes", "title": "strongest genes"}],
        "x": {
            "title": "share of the response",
            "percent": True,
            "domain": [None, None],
            "include": [0],
            "refs": [line(0)],
        },
    }
    return [
        Chart(
            "confounding",
            "response",
            "rows",
            "Share of the response accounted for by each gene set or axis",
            "Filled dots are gene sets that account for significantly more of the response than random genes of similar "
            "expression do; rings are gene sets that do not. Grey dots are not compared with random genes: axes, and sets of too few "
            "genes. Sets and axes overlap, so their shares need not add up to 100%.",
            "spb.pl.confounding(mdata)",
            rows,
            [],
            [
                tip("axis"),
                tip("share", "share", form="percent", interval=("ci_low", "ci_high")),
                tip("null", "random genes", form="percent"),
                tip("typical", "typical perturbation", form="percent"),
                tip("p", "p", form="p"),
                tip("top_genes", "strongest genes"),
            ],
            options,
        )
    ]


def _share_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per axis, with its numbers also as text."""
    rows = pd.DataFrame(
        {
            "axis": [axis_name(axis) for axis in table["axis"]],
            "kind": ["Gene sets" if kind == "genes" else "Directions" for kind in table["kind"]],
            **{
                name: table[name].to_numpy(np.float64)
                for name in ("share", "ci_low", "ci_high", "null", "typical", "p")
            },
            "beyond": table["beyond"].astype("float64").to_numpy(np.float64, na_value=np.nan),
            "top_genes": table["top_genes"].astype(str).to_numpy(),
        }
    )
    rows["text"] = [
        with_interval(r["share"], r["ci_low"], r["ci_high"], percent, percent_interval) for r in rows.to_dict("records")
    ]
    rows["genes"] = [" ".join(text.split()[:3]) for text in rows["top_genes"]]
    return rows


def composition(d: Drawing) -> list[Chart]:
    """Return what each response is made of: stacked shares of the gene sets, the largest known part first."""
    table = d.tables["composition"]
    wide = (
        table.pivot_table(index="perturbation", columns="group", values="share", aggfunc="first")
        if len(table)
        else table
    )
    if wide.empty:
        return []
    wide = wide.clip(lower=0)
    wide = wide.div(wide.sum(axis=1), axis=0)
    sets = [group for group in wide.mean().sort_values(ascending=False).index if group != OTHER]
    sets = [group for group in sets if wide[group].mean() >= LEAST_SHARE]
    wide["rest"] = 1 - wide[sets].sum(axis=1)
    wide = wide.sort_values("rest", kind="stable").reset_index()
    shades = set_colors(sets, None)
    series = [{"field": group, "title": axis_name(group), "color": shades[group]} for group in sets]
    options: dict[str, Any] = {
        "names": "perturbation",
        "series": [*series, {"field": "rest", "title": "all other genes", "color": REST}],
        "axis": "share of the squared effect",
    }
    tips = [tip("perturbation"), *(tip(s["field"], s["title"], form="percent") for s in options["series"])]
    return [
        Chart(
            "composition",
            "response",
            "stack",
            "Composition of the response of each perturbation",
            f"Each column is a perturbation (n = {len(wide)}); perturbations with weak effects are left out. Each gene belongs to "
            "one group only, so shares add up to 100%. Negative shares are drawn as 0.",
            "spb.pl.composition(mdata)",
            wide[["perturbation", *sets, "rest"]],
            ["perturbation"],
            tips,
            options,
        )
    ]


def heatmap(d: Drawing) -> list[Chart]:
    """Return the effects of the strongest perturbations in the genes that change most, by gene set."""
    effects, table = d.effects, d.tables["perturbations"]
    if effects is None or table.empty:
        return []
    at = {name: i for i, name in enumerate(effects.names)}
    strongest = table.nlargest(MOST_ROWS, "response_share")["perturbation"]
    rows = np.array([at[name] for name in strongest if name in at], dtype=np.int64)
    genes, groups = _genes_by_set(d, rows)
    if not len(rows) or not len(genes):
        return []
    layers = {"observed": effects.observed[np.ix_(rows, genes)].ravel()}
    models = [m for m in d.order() if m in effects.predicted and (m not in d.constant or m == "mean")]
    for model in models:
        values = effects.predicted[model][np.ix_(rows, genes)].ravel()
        if np.isfinite(values).any():
            layers[model] = values
    models = [model for model in models if model in layers]
    choices = [
        {"name": "view", "title": "Show", "of": ["observed", "predicted", "residual"], "first": "observed"},
        {
            "name": "model",
            "title": "Model",
            "of": models,
            "first": models[0] if models else "",
            "unless": ["view", "observed"],
        },
    ]
    options = {
        "matrix": {
            "rows": [effects.names[i] for i in rows],
            "columns": effects.symbols[genes].tolist(),
            "groups": groups,
            "layers": {
                name: [round(float(v), 4) if np.isfinite(v) else None for v in values]
                for name, values in layers.items()
            },
        },
        "rowKey": "perturbation",
        "columnKey": "gene",
        "value": "effect",
        "positive": "increase",
        "negative": "decrease",
        "unit": "(log-normalized units)",
        "choices": choices if models else [],
    }
    return [
        Chart(
            "heatmap",
            "response",
            "heat",
            "Effects of the strongest perturbations, by gene set",
            f"Rows are the {len(rows)} perturbations with the largest effects. Columns are, for each gene set, the genes that change "
            "most. The residual is the observed effect minus the predicted effect.",
            "spb.pl.heatmap(mdata)",
            keys=["perturbation", "gene"],
            options=options,
        )
    ]


def _genes_by_set(d: Drawing, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return genes, those of one set side by side, and the label of each."""
    if d.effects is None or not len(rows):
        return np.empty(0, dtype=np.int64), []
    strength = np.nansum(np.nan_to_num(d.effects.z[rows]) ** 2, axis=0)
    order = np.argsort(-strength, kind="stable")
    sets = _sets_of_genes(d, d.effects)[order]
    names = [name for name in dict.fromkeys(sets.tolist()) if name != OTHER]
    names.sort(key=lambda name: -strength[order[sets == name][:GENES_PER_SET]].mean())
    genes: list[int] = []
    groups: list[str] = []
    for name in [*names[:5], OTHER]:
        room = MOST_GENES - len(genes) if name == OTHER else GENES_PER_SET
        chosen = order[sets == name][:room].tolist()
        genes += chosen
        label = set_name(name).removeprefix("Hallmark ") if name.startswith(HALLMARK) else axis_name(name, short=True)
        groups += [label] * len(chosen)
    return np.array(genes, dtype=np.int64), groups


def _sets_of_genes(d: Drawing, effects: Effects) -> np.ndarray:
    """Return the confounder gene set of every gene; of the others the largest program that leads the response."""
    sets = effects.gene_set.astype(object)
    table = d.of_full("confounding", level="screen")
    if table.empty:
        return sets
    table = notable(table).sort_values("share", ascending=False, kind="stable")
    members = hallmark().groupby("source")["target"].agg(set)
    symbols = np.char.upper(effects.symbols.astype(str))
    for axis in table.loc[table["axis"].isin(members.index), "axis"]:
        sets[(sets == OTHER) & np.isin(symbols, list(members[axis]))] = axis
    return sets

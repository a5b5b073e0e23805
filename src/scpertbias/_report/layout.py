"""The tables as the page shows them: which rows, which columns, how each cell is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from .._tables import Column
from ..tl._gene_sets import notable
from . import columns as columns_of
from .numbers import GAP, count, interval, known, number, p_value, percent, percent_interval, with_interval
from .verdicts.base import SYSTEMATIC
from .verdicts.recurrence import beyond_the_data, tested_genes
from .wording.terms import axis_name, without

Tables = Mapping[str, pd.DataFrame]
METRICS = (
    "l2",
    "l2_ratio",
    "l2_skill",
    "mse_de20",
    "pearson_delta_unshared",
    "pearson_delta_perturbed_unshared",
    "pearson_delta_perturbed_unshared_skill",
    "discrimination",
    "pearson_delta",
    "pearson_delta_perturbed",
)
SPECIFIC_METRICS = ("l2", "pearson_delta_perturbed")
TEXTS = ("text", "line", "prose", "aside", "status", "flag", "name")
P_VALUES = ("p", "q", "p_specific", "target_q")
WARNING_FIRST = {"warning": 0, "note": 1, "ok": 2}
OPTIONAL = (
    "detail",
    "note",
    "ribo",
    "mt",
    "target_gene",
    "target_log_change",
    "target_z",
    "target_q",
    "collapsed_to",
    "shift_seed",
)
"""Columns that are left out of the page if they are empty."""


MOST_CARRIERS = 5
CONSTANT_FLAG = "constant prediction"
KEYS = ("perturbation", "model", "model_a", "model_b", "symbol")
"""Columns whose names are highlighted on the whole page."""
CODES = re.compile(rf"(?<!\w)({'|'.join(code for code in columns_of.SCORE_NAMES if '_' in code)})(?!\w)")
PLAIN: Mapping[str, Callable[[str], str]] = {
    "axis": axis_name,
    "metric": lambda code: columns_of.SCORE_NAMES.get(code, code),
    "regime": without,
    "note": lambda text: CODES.sub(lambda match: f"“{columns_of.SCORE_NAMES[match[0]]}”", text),
}
"""How the codes in a column are written on the page; saved files keep the codes."""


def lay_out(table: pd.DataFrame, columns: Sequence[Column], *, name: str, caption: str) -> dict[str, Any]:
    """Return a table as the page shows it: text and sort value of every cell, and the names that each row is about."""
    columns = [c for c in columns if c.name in table.columns]
    columns = [c for c in columns if c.name not in OPTIONAL or any(_has_value(v) for v in table[c.name])]
    records = table.to_dict("records")
    rows = [[_cell(row, column) for column in columns] for row in records]
    keys = ["|".join(str(row[k]) for k in KEYS if row.get(k)).replace(", ", "|") for row in records]
    extra = columns_of.EXTRA.get(name, ())
    return {"name": name, "caption": caption, "columns": columns, "rows": rows, "keys": keys, "extra": extra}


def _cell(row: dict[str, Any], column: Column) -> dict[str, Any]:
    value = row[column.name]
    if column.form in TEXTS:
        kind = "perturbation" if column.name == "perturbation" and value else column.form
        word = PLAIN[column.name](str(value)) if column.name in PLAIN else str(value)
        cell = {"text": word or GAP, "sort": str(WARNING_FIRST.get(str(value), word)), "kind": kind}
        return cell if word == str(value) else {**cell, "code": str(value)}
    if column.form in ("interval", "percent_interval"):
        write, between = (number, interval) if column.form == "interval" else (percent, percent_interval)
        text = with_interval(value, row["ci_low"], row["ci_high"], write, between)
    else:
        write = p_value if column.name in P_VALUES else number
        text = {"count": count, "percent": percent}.get(column.form, write)(value)
    return {"text": text, "sort": repr(float(value)) if known(value) else "", "kind": "number"}


def _has_value(value: Any) -> bool:
    return value != "" if isinstance(value, str) else known(value)


def _of_full(table: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Return the rows of the full screen with these values."""
    for key, value in {"regime": "full", **where}.items():
        table = table[table[key] == value]
    return table


def _findings(tables: Tables) -> pd.DataFrame:
    return tables["check"][tables["check"]["check"] != "perturbation"]


def _labels(tables: Tables) -> pd.DataFrame:
    """Return the labels but those that are a measured gene, which need no explanation, the largest first."""
    table = tables["labels"]
    return table[table["reason"] != "a measured gene"].sort_values("n_cells", ascending=False, kind="stable")


def _perturbations(tables: Tables) -> pd.DataFrame:
    """Return the category of each perturbation, with the remark of the check where it says more than the kind."""
    check = tables["check"][tables["check"]["check"] == "perturbation"].set_index("perturbation")["detail"]
    table = tables["perturbations"]
    table = table.assign(detail=table["perturbation"].map(check).fillna(""))
    return table.sort_values("response_share", ascending=False, kind="stable") if len(table) else table


def _response(tables: Tables) -> pd.DataFrame:
    """Return the shares of the response; what part of the shared axis a set is, only where that axis is measurable."""
    table = _of_full(tables["confounding"], level="screen")
    if table.empty:
        return table
    axis = table.loc[table["axis"] == SYSTEMATIC, "share"]
    table = table.assign(carriers=[" ".join(_first_carriers(str(names).split())) for names in table["carriers"]])
    return notable(table if axis.notna().any() else table.assign(on_systematic=float("nan")))


def _first_carriers(names: list[str]) -> list[str]:
    more = len(names) - MOST_CARRIERS
    return [*names[:MOST_CARRIERS], *([f"and {more} more"] if more > 0 else [])]


def _balance(tables: Tables) -> pd.DataFrame:
    return _of_full(tables["balance"])


def _summary(tables: Tables) -> pd.DataFrame:
    table = _of_full(tables["summary"], subset="all")
    order = {name: i for i, name in enumerate(METRICS)}
    return table[table["metric"].isin(METRICS)].sort_values("metric", key=lambda s: s.map(order), kind="stable")


def _specific_skill(tables: Tables) -> pd.DataFrame:
    return _of_full(tables["specificity"], metric="specific_skill")


def _specificity(tables: Tables) -> pd.DataFrame:
    table = _of_full(tables["specificity"])
    return table[table["metric"].isin(SPECIFIC_METRICS)].sort_values("metric", kind="stable")


def _recurrence(tables: Tables) -> pd.DataFrame:
    return beyond_the_data(tested_genes(tables))


def _training(tables: Tables) -> pd.DataFrame:
    table = tables["training"]
    if "best" not in table:
        return table
    return table.assign(best=["yes" if best is True or best == 1 else "" for best in table["best"]])


def _history(table: pd.DataFrame) -> list[Column]:
    """Return the columns of what models that learn in epochs record, each under its own name."""
    fixed = [c.name for c in columns_of.TRAINING]
    own = [c for c in table.columns if c not in fixed and pd.api.types.is_numeric_dtype(table[c])]
    return [*columns_of.TRAINING, *(Column(c, "float64", "", label=c.replace("_", " ")) for c in own)]


LAID_OUT: tuple[tuple[str, Sequence[Column], str, Callable[[Tables], pd.DataFrame]], ...] = (
    ("findings", columns_of.FINDINGS, "Findings of the input check", _findings),
    ("labels", columns_of.LABELS, "How each label was understood (labels that are gene names are not listed)", _labels),
    ("perturbations", columns_of.PERTURBATIONS, "All perturbations", _perturbations),
    ("confounding", columns_of.RESPONSE, "Share of the response accounted for by each gene set or axis", _response),
    (
        "balance",
        columns_of.BALANCE,
        "Balance of perturbed and control cells: columns of obs, sequencing depth and mitochondrial counts",
        _balance,
    ),
    ("summary", columns_of.SUMMARY, "Scores of models on held-out perturbations, trained on all genes", _summary),
    ("specific_skill", columns_of.SPECIFIC_SKILL, "Specific skill of each model", _specific_skill),
    (
        "specificity",
        columns_of.SPECIFICITY,
        "Scores of predictions on their own and on other perturbations",
        _specificity,
    ),
    (
        "recurrence",
        columns_of.RECURRENCE,
        "Genes that are among the five strongest for more perturbations than in the data",
        _recurrence,
    ),
    (
        "variance_ratio",
        columns_of.VARIANCE,
        "Spread of predictions between perturbations, compared with the data",
        lambda tables: _of_full(tables["variance_ratio"], level="screen"),
    ),
    (
        "attribution_check",
        columns_of.ATTRIBUTION_CHECK,
        "Are attributions informative?",
        lambda tables: _of_full(tables["attribution_check"]),
    ),
    (
        "attribution_agreement",
        columns_of.AGREEMENT,
        "Do models attribute effects to the same genes?",
        lambda tables: _of_full(tables["attribution_agreement"], perturbation=""),
    ),
    ("retraining", columns_of.REGIMES, "Gain by retraining in each regime", lambda tables: tables["retraining"]),
    (
        "ranking",
        columns_of.RANKING,
        "Order of every pair of models before and after retraining",
        lambda tables: tables["ranking"],
    ),
    (
        "random_removals",
        columns_of.RANDOM,
        "Gain by retraining, compared with the gain when random genes are removed instead",
        lambda tables: tables["random_removals"],
    ),
    (
        "coupling",
        columns_of.COUPLING,
        "Change of predictions by retraining, for the genes that were not removed",
        lambda tables: tables["coupling"],
    ),
)


def views(
    tables: Mapping[str, pd.DataFrame],
    planted: pd.DataFrame | None,
    described: pd.DataFrame,
    constant: Collection[str] = (),
) -> dict[str, dict[str, Any]]:
    """Return the tables of the page; rows of ``constant`` models that read the same are one."""
    by_name = {
        name: folded(lay_out(rows(tables), columns, name=name, caption=caption), constant)
        for name, columns, caption, rows in LAID_OUT
    }
    by_name["attribution_check"] = _flag_constants(by_name["attribution_check"], constant)
    by_name["described"] = lay_out(described, columns_of.DESCRIBED, name="described", caption="Models of the audit")
    training = _training(tables)
    by_name["training"] = lay_out(training, _history(training), name="training", caption="Training by epoch")
    if planted is not None:
        by_name["planted"] = lay_out(
            planted, columns_of.PLANTED, name="planted", caption="True values of the simulation, and their estimates"
        )
    return by_name


def folded(view: dict[str, Any], constant: Collection[str]) -> dict[str, Any]:
    """Return a table in which the rows of constant models that differ in the name alone are one row, with all names."""
    at = next((i for i, column in enumerate(view["columns"]) if column.name == "model"), None)
    if at is None or not constant:
        return view
    rows: list[list[dict[str, Any]]] = []
    keys: list[str] = []
    first: dict[tuple[str, ...], int] = {}
    for row, key in zip(view["rows"], view["keys"], strict=True):
        words = tuple(cell["text"] for i, cell in enumerate(row) if i != at)
        if row[at]["text"] in constant and words in first:
            i = first[words]
            rows[i][at] = {**rows[i][at], "text": f"{rows[i][at]['text']}, {row[at]['text']}"}
            keys[i] = f"{keys[i]}|{key}"
            continue
        if row[at]["text"] in constant:
            first[words] = len(rows)
        rows.append(list(row))
        keys.append(key)
    return {**view, "rows": rows, "keys": keys}


def _flag_constants(view: dict[str, Any], constant: Collection[str]) -> dict[str, Any]:
    """Return the check of attributions; those of a constant prediction cannot explain a difference between perturbations."""
    rows = []
    for row in view["rows"]:
        is_constant = set(row[0]["text"].split(", ")) <= set(constant) and row[1]["text"] == "ok"
        rows.append(
            [
                {**c, "text": CONSTANT_FLAG, "sort": CONSTANT_FLAG} if is_constant and c["kind"] == "flag" else c
                for c in row
            ]
        )
    return {**view, "rows": rows}

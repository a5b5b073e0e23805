"""The tables as the page shows them: which rows, which columns, how each cell is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from .._tables import Column
from ..tl._gene_sets import notable
from . import columns as columns_of
from .numbers import (
    GAP,
    TINY,
    count,
    fixed,
    fixed_interval,
    interval,
    known,
    number,
    p_value,
    percent,
    percent_interval,
)
from .verdicts.recurrence import beyond_the_data, tested_genes
from .verdicts.scorecard import Standing

Tables = Mapping[str, pd.DataFrame]
METRICS = (
    "l2",
    "l2_ratio",
    "l2_skill",
    "mse_de20",
    "pearson_delta",
    "pearson_delta_perturbed",
    "pearson_delta_perturbed_skill",
    "discrimination",
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
"""Columns that are left out of the page where they say nothing."""


def lay_out(table: pd.DataFrame, columns: Sequence[Column], *, name: str, caption: str) -> dict[str, Any]:
    """Return a table as the page shows it: text and sort value of every cell."""
    columns = [c for c in columns if c.name in table.columns]
    columns = [c for c in columns if c.name not in OPTIONAL or any(_has_value(v) for v in table[c.name])]
    rows = [[_cell(row, column) for column in columns] for row in table.to_dict("records")]
    return {"name": name, "caption": caption, "columns": columns, "rows": rows}


def _cell(row: dict[str, Any], column: Column) -> dict[str, Any]:
    value = row[column.name]
    if column.form in TEXTS:
        return {"text": str(value) or GAP, "sort": str(WARNING_FIRST.get(str(value), value)), "kind": column.form}
    if column.form in ("interval", "percent_interval"):
        write, between = (number, interval) if column.form == "interval" else (percent, percent_interval)
        text = (
            f"{write(value)} ({between(row['ci_low'], row['ci_high'])})"
            if known(row["ci_low"], row["ci_high"])
            else write(value)
        )
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
    """Return what became of each perturbation, with the remark of the check where it says more than the kind."""
    check = tables["check"][tables["check"]["check"] == "perturbation"].set_index("perturbation")["detail"]
    table = tables["perturbations"]
    table = table.assign(detail=table["perturbation"].map(check).fillna(""))
    return table.sort_values("response_share", ascending=False, kind="stable") if len(table) else table


def _response(tables: Tables) -> pd.DataFrame:
    table = _of_full(tables["confounding"], level="screen")
    return notable(table) if len(table) else table


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
    ("findings", columns_of.FINDINGS, "Findings of the check", _findings),
    ("labels", columns_of.LABELS, "Meaning of the labels (without those that name a measured gene)", _labels),
    ("perturbations", columns_of.PERTURBATIONS, "All perturbations", _perturbations),
    ("confounding", columns_of.RESPONSE, "Shares of the response", _response),
    ("balance", columns_of.BALANCE, "Balance of cells between perturbations and control", _balance),
    ("summary", columns_of.SUMMARY, "Scores on held-out perturbations, all genes", _summary),
    ("specific_skill", columns_of.SPECIFIC_SKILL, "Effects beyond what all perturbations share", _specific_skill),
    ("specificity", columns_of.SPECIFICITY, "Scores on matched and on mismatched perturbations", _specificity),
    (
        "recurrence",
        columns_of.RECURRENCE,
        "Genes among the strongest five for more perturbations than in the data",
        _recurrence,
    ),
    (
        "variance_ratio",
        columns_of.VARIANCE,
        "Variance between perturbations, predicted and observed",
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
    ("retraining", columns_of.REGIMES, "Improvement by retraining in each regime", lambda tables: tables["retraining"]),
    (
        "ranking",
        columns_of.RANKING,
        "Order of each two models before and after retraining",
        lambda tables: tables["ranking"],
    ),
    (
        "random_removals",
        columns_of.RANDOM,
        "Removal of random genes for comparison",
        lambda tables: tables["random_removals"],
    ),
    ("coupling", columns_of.COUPLING, "Change of predictions for the kept genes", lambda tables: tables["coupling"]),
)


def views(
    tables: dict[str, pd.DataFrame], planted: pd.DataFrame | None, described: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """Return the tables of the page."""
    by_name = {
        name: lay_out(rows(tables), columns, name=name, caption=caption) for name, columns, caption, rows in LAID_OUT
    }
    by_name["described"] = lay_out(described, columns_of.DESCRIBED, name="described", caption="The models")
    training = _training(tables)
    by_name["training"] = lay_out(training, _history(training), name="training", caption="Training by epoch")
    if planted is not None:
        by_name["planted"] = lay_out(
            planted, columns_of.PLANTED, name="planted", caption="Planted and estimated values"
        )
    return by_name


LEAST, MOST, WIDTH, HEIGHT = -0.6, 1.1, 120.0, 18.0


WITHOUT_VERDICT = (Standing.NONE, Standing.UNLINKED)


def card_rows(card: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the scorecard's rows with their numbers as text; constant predictions are one row, named together."""
    constant = card["kind"] == Standing.CONSTANT
    rows = [_card_row(row) for row in card[~constant].to_dict("records")]
    if not constant.any():
        return rows
    first = card[constant].iloc[0].to_dict()
    skills = card.loc[constant, "skill"]
    ends = sorted({percent(skills.min()), percent(skills.max())}, key=len)
    folded = {**_card_row(first), "model": ", ".join(card.loc[constant, "model"]), "n": card.loc[constant, "n"].max()}
    if len(ends) > 1:
        folded |= {"bar": "", "way": [f"{percent(skills.min())} to {percent(skills.max())}"]}
    last = [row for row in rows if row["kind"] in WITHOUT_VERDICT]
    return [*(row for row in rows if row["kind"] not in WITHOUT_VERDICT), folded, *last]


def _card_row(row: dict[str, Any]) -> dict[str, Any]:
    if row["kind"] == Standing.UNLINKED:
        nothing = [GAP]
        return {**row, "bar": "", "way": nothing, "specific": nothing, "recurring": GAP, "retrained": nothing}
    return {
        **row,
        "bar": bar(row["skill"], row["ci_low"], row["ci_high"]),
        "way": [percent(row["skill"]), f"({percent_interval(row['ci_low'], row['ci_high'])})"]
        if known(row["ci_low"], row["ci_high"])
        else [GAP],
        "specific": _estimate(row, "specific_skill", "specific"),
        "recurring": f"{row['n_recurring']:.0f}" if known(row["n_recurring"]) else GAP,
        "retrained": _estimate(row, "regime_gain", "regime"),
    }


def _estimate(row: dict[str, Any], value: str, name: str) -> list[str]:
    estimate, low, high = row[value], row[f"{name}_ci_low"], row[f"{name}_ci_high"]
    if not known(estimate, low, high):
        return [GAP]
    return ["0"] if max(abs(low), abs(high)) < TINY else [fixed(estimate), f"({fixed_interval(low, high)})"]


def bar(skill: float, low: float, high: float) -> str:
    """Return a line from the interval's low to its high, with a dot, between the baseline (0) and the ceiling (1)."""
    if not known(skill, low, high):
        return ""
    ends = "".join(
        f'<line x1="{_x(v):.1f}" x2="{_x(v):.1f}" y1="1" y2="{HEIGHT - 1:.0f}" class="{c}"/>'
        for v, c in ((0, "zero"), (1, "one"))
    )
    middle = HEIGHT / 2
    return (
        f'<svg class="bar" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" aria-hidden="true">{ends}'
        f'<line x1="{_x(low):.1f}" x2="{_x(high):.1f}" y1="{middle}" y2="{middle}" class="range"/>'
        f'<circle cx="{_x(skill):.1f}" cy="{middle}" r="3.5"/></svg>'
    )


def _x(value: float) -> float:
    """Return the place of a share on the bar; what lies outside is drawn at its end."""
    return WIDTH * (min(max(value, LEAST), MOST) - LEAST) / (MOST - LEAST)

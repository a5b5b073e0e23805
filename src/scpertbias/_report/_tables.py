"""The stored tables: read, written as CSV, and laid out for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mudata import MuData

from .. import _store
from ._format import GAP, count, interval, known, number, percent

COLUMNS = {
    "check": ["check", "perturbation", "status", "detail"],
    "scores": ["model", "regime", "perturbation", "split"],
    "summary": ["model", "regime", "subset", "metric", "n", "estimate", "low", "high"],
    "regimes": ["model", "regime", "metric", "n", "full", "retrained", "gain", "low", "high", "note"],
    "models_left_out": ["model", "regime", "reason"],
    "regimes_left_out": ["regime", "reason"],
}
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
WARNING_FIRST = {"warning": 0, "note": 1, "ok": 2}


def read(data: MuData) -> dict[str, pd.DataFrame]:
    """Return the tables of an audit by name; one that was not made has no row."""
    if not _store.has_table(data, "check"):
        msg = "`data` holds no audit. Run spb.tl.audit first, and pass what it returns."
        raise KeyError(msg)
    return {
        name: _store.table(data, name, made_by="spb.tl.audit")
        if _store.has_table(data, name)
        else pd.DataFrame(columns=columns)
        for name, columns in COLUMNS.items()
    }


def write_tables(data: MuData, folder: Path) -> list[Path]:
    """Write every table of an audit as CSV, with all digits."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in read(data).items():
        paths.append(folder / f"{name}.csv")
        table.to_csv(paths[-1], index=False, encoding="utf-8")
    return paths


def plain_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON takes them: NaN and infinity as None."""
    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def plain(value: Any) -> Any:
    """Return a value as JSON takes it."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    return None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value


@dataclass(frozen=True)
class Column:
    """One column of a page's table: where its value lies, how it is written."""

    key: str
    label: str
    kind: str = "text"
    help: str = ""


def lay_out(table: pd.DataFrame, columns: Sequence[Column], *, name: str, caption: str) -> dict[str, Any]:
    """Return a table as the page shows it: text and sort value of every cell."""
    columns = [c for c in columns if c.key in table.columns]
    rows = [[_cell(row, column) for column in columns] for row in table.to_dict("records")]
    return {"name": name, "caption": caption, "columns": columns, "rows": rows}


def _cell(row: dict[str, Any], column: Column) -> dict[str, Any]:
    value = row[column.key]
    if column.kind in ("text", "prose", "status", "name"):
        return {"text": str(value) or GAP, "sort": str(WARNING_FIRST.get(str(value), value)), "kind": column.kind}
    if column.kind == "interval":
        text = (
            f"{number(value)} {interval(row['low'], row['high'])}" if known(row["low"], row["high"]) else number(value)
        )
    else:
        text = {"count": count, "percent": percent}.get(column.kind, number)(value)
    return {"text": text, "sort": repr(float(value)) if known(value) else "", "kind": "number"}


FINDINGS = (
    Column("check", "about"),
    Column("status", "status", "status"),
    Column("detail", "finding", "prose"),
)
PERTURBATIONS = (
    Column("perturbation", "perturbation", "name"),
    Column("status", "status", "status"),
    Column("n_cells", "cells", "count"),
    Column("reproducibility", "reproducibility", "number", "what a repeat of the experiment would correlate"),
    Column("energy_share", "share of response", "percent", "of the noise-corrected squared effects of the screen"),
    Column("top_genes", "strongest genes", "prose", "largest |z| against control, with the direction"),
    Column("detail", "remark", "prose"),
)
SUMMARY = (
    Column("model", "model", "name"),
    Column("metric", "score"),
    Column("n", "n", "count", "held-out perturbations"),
    Column("estimate", "estimate [95 %]", "interval", "mean over held-out perturbations, and its interval"),
    Column("ceiling", "ceiling", "number", "the score of the truth itself"),
    Column("vs_mean", "against the mean", "number", "paired difference to the mean baseline"),
    Column("q", "q", "number", "Benjamini–Hochberg, within a model"),
    Column("note", "note", "prose"),
)
REGIMES = (
    Column("model", "model", "name"),
    Column("regime", "regime"),
    Column("n", "n", "count", "held-out perturbations that both predict"),
    Column("full", "trained on all genes", "number", "l2_ratio on the genes of the regime"),
    Column("retrained", "retrained", "number", "l2_ratio on the genes of the regime"),
    Column("gain", "gain [95 %]", "interval", "positive: retraining helps"),
    Column("q", "q", "number", "Benjamini–Hochberg, within a model"),
    Column("note", "note", "prose"),
)
PLANTED = (
    Column("quantity", "quantity", "prose"),
    Column("planted", "planted", "prose"),
    Column("found", "found", "prose"),
)


def views(tables: dict[str, pd.DataFrame], planted: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
    """Return the tables of the page."""
    check = tables["check"]
    general = check[check["check"] != "perturbation"]
    summary = tables["summary"]
    summary = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & summary["metric"].isin(METRICS)]
    order = {name: i for i, name in enumerate(METRICS)}
    summary = summary.sort_values("metric", key=lambda s: s.map(order), kind="stable")
    made = {
        "findings": lay_out(general, FINDINGS, name="findings", caption="What the check of the screen found"),
        "perturbations": lay_out(
            check[check["check"] == "perturbation"],
            PERTURBATIONS,
            name="perturbations",
            caption="Every perturbation, before any model",
        ),
        "summary": lay_out(summary, SUMMARY, name="summary", caption="Scores on held-out perturbations, all genes"),
        "regimes": lay_out(
            tables["regimes"], REGIMES, name="regimes", caption="What retraining in each regime changes"
        ),
    }
    if planted is not None:
        made["planted"] = lay_out(planted, PLANTED, name="planted", caption="Planted truth and what was found")
    return made

"""The stored tables: read, and written as CSV."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
from mudata import MuData

from .. import _store, _tables

NAMES = (
    "check",
    "labels",
    "scores",
    "summary",
    "comparison",
    "ranking",
    "retraining",
    "models_left_out",
    "regimes_left_out",
    "models",
    "perturbations",
    "cells_needed",
    "power",
    "balance",
    "confounding",
    "composition",
    "target_response",
    "specificity",
    "probes",
    "calibration",
    "recurrence",
    "variance_ratio",
    "attribution_check",
    "attribution_agreement",
    "random_removals",
    "coupling",
    "error_by_n_genes",
)
"""The tables of an audit, in the order in which they are written."""


def read(data: MuData) -> dict[str, pd.DataFrame]:
    """Return the tables of an audit by name; one that was not made has no row."""
    if not _store.has_table(data, "check"):
        msg = "`data` contains no audit. Run spb.tl.audit first, and pass its result."
        raise KeyError(msg)
    tables = {
        name: _tables.read(data, name) if _store.has_table(data, name) else _tables.empty(name, audit=True)
        for name in NAMES
    }
    return {**tables, "training": _training(data)}


def _training(data: MuData) -> pd.DataFrame:
    """Return one row per model, regime and epoch, of the models that learn in epochs and are stored."""
    parts = []
    for regime, profiles in data.mod.items():
        for model, record in _store.models(profiles).items():
            history = record.get("history")
            if isinstance(history, pd.DataFrame) and len(history):
                parts.append(history.reset_index(drop=True).assign(model=model, regime=str(regime)))
    if not parts:
        return pd.DataFrame(
            columns=[column.name for column in _tables.TABLES["training"].columns if not column.optional]
        )
    table = pd.concat(parts, ignore_index=True)
    return table[["model", "regime", *(c for c in table.columns if c not in ("model", "regime"))]]


def write_tables(data: MuData, folder: Path) -> list[Path]:
    """Write every table that an audit made as CSV, with all digits."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in read(data).items():
        if not _store.has_table(data, name) and table.empty:
            continue
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

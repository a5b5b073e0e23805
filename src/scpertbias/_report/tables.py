"""The stored tables: read, and written as CSV."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
from mudata import MuData

from .. import _store

COLUMNS = {
    "check": ["check", "perturbation", "status", "detail"],
    "scores": ["model", "regime", "perturbation", "split"],
    "summary": ["model", "regime", "subset", "metric", "n", "estimate", "ci_low", "ci_high"],
    "ranking": ["regime", "model_a", "model_b", "n", "full", "order"],
    "retraining": ["model", "regime", "metric", "n", "full", "retrained", "gain", "ci_low", "ci_high", "note"],
    "models_left_out": ["model", "regime", "reason"],
    "regimes_left_out": ["regime", "reason"],
    "models": ["model", "regime", "kind", "n_unpredicted", "note"],
    "perturbations": ["perturbation", "kind"],
    "confounding": ["axis", "regime", "kind", "level", "perturbation"],
    "target_response": ["model", "regime", "level", "block", "shift"],
    "specificity": [
        "model",
        "regime",
        "metric",
        "n",
        "score",
        "specific_gain",
        "ci_low",
        "ci_high",
        "ceiling",
        "ceiling_gain",
        "note",
    ],
    "recurrence": ["model", "regime", "by", "gene"],
    "variance_ratio": ["model", "regime", "level", "gene"],
    "attribution_check": ["regime", "model", "flag", "detail"],
    "attribution_agreement": ["regime", "model_a", "model_b", "perturbation"],
    "random_removals": ["model", "regime"],
    "coupling": ["model", "regime", "rows"],
    "error_by_n_genes": ["model", "regime", "subset", "n_genes"],
}


def read(data: MuData) -> dict[str, pd.DataFrame]:
    """Return the tables of an audit by name; one that was not made has no row."""
    if not _store.has_table(data, "check"):
        msg = "`data` holds no audit. Run spb.tl.audit first, and pass what it returns."
        raise KeyError(msg)
    tables = {
        name: _store.table(data, name, made_by="spb.tl.audit")
        if _store.has_table(data, name)
        else pd.DataFrame(columns=columns)
        for name, columns in COLUMNS.items()
    }
    return {**tables, "training": _training(data)}


def _training(data: MuData) -> pd.DataFrame:
    """Return one row a model, regime and epoch, of the models that learn in epochs and are stored."""
    parts = []
    for regime, profiles in data.mod.items():
        for model, record in _store.models(profiles).items():
            history = record.get("history")
            if isinstance(history, pd.DataFrame) and len(history):
                parts.append(history.reset_index(drop=True).assign(model=model, regime=str(regime)))
    if not parts:
        return pd.DataFrame(columns=["model", "regime", "epoch"])
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

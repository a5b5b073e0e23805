"""Declarations of all stored tables: their columns, with descriptions and formats for the report."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store
from .._docs import docs
from . import (
    attribution,
    balance,
    comparison,
    composition,
    de,
    labels,
    metrics,
    models,
    power,
    response,
    retraining,
    scores,
    screen,
    specificity,
)
from .table import SHARED, Column, Table

__all__ = ["SHARED", "TABLES", "Column", "Table", "columns", "empty", "read"]

CHAPTERS = (
    screen,
    labels,
    balance,
    response,
    composition,
    de,
    power,
    models,
    scores,
    comparison,
    metrics,
    specificity,
    attribution,
    retraining,
)
TABLES: dict[str, Table] = {table.name: table for chapter in CHAPTERS for table in chapter.TABLES}

for _name, _table in TABLES.items():
    docs.params[f"table_{_name}"] = _table.as_result()
    docs.params[f"field_{_name}"] = _table.as_field("mdata" if _name == "coupling" else "adata")


def columns(name: str, *, audit: bool = False) -> list[str]:
    """Return the names of a table's columns, in their order."""
    table = TABLES[name]
    return [column.name for column in (table.in_audit() if audit else table.columns)]


def empty(name: str, *, audit: bool = False) -> pd.DataFrame:
    """Return a table without a row."""
    return TABLES[name].empty(audit=audit)


def read(data: AnnData | MuData, name: str) -> pd.DataFrame:
    """Return a stored table; the error for a missing table names the function that makes it."""
    return _store.table(data, name, made_by=TABLES[name].made_by)

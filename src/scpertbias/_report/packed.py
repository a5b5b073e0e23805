"""Columns as the page's script reads them: lists where they are short, else packed numbers in base64."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

LONG = 400
DIGITS = 6
NOT_A_GENE = 65_535


def packed_table(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table by column."""
    return {str(name): packed(table[name].tolist()) for name in table.columns}


def packed(values: Sequence[Any]) -> Any:
    """Return one column: texts, or numbers with six digits (NaN is null)."""
    texts = all(isinstance(v, str) for v in values)
    if len(values) <= LONG:
        return list(values) if texts else [_short(v) for v in values]
    if not texts:
        return packed_numbers(np.array([_number(v) for v in values]), "f4")
    words = list(dict.fromkeys(values))
    if len(words) > NOT_A_GENE:
        return list(values)
    at = {word: i for i, word in enumerate(words)}
    return {"words": words, "at": packed_numbers(np.array([at[v] for v in values]), "u2")}


def packed_numbers(values: Any, kind: str) -> dict[str, str]:
    """Return an array as base64: ``f2`` (three digits), ``f4`` or ``u2``."""
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(np.asarray(values), dtype=f"<{kind}")
    name = {"f2": "f16", "f4": "f32", "u2": "u16"}[kind]
    return {"type": name, "data": base64.b64encode(array.tobytes()).decode("ascii")}


def as_script(data: Mapping[str, Any]) -> str:
    """Return JSON that may stand inside a script element, for any names in the data."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _number(value: Any) -> float:
    return float("nan") if value is None or value is pd.NA else float(value)


def _short(value: Any) -> float | str | None:
    if isinstance(value, str):
        return value
    number = _number(value)
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None

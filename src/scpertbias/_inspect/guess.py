"""Interpretation of matrices, genes and columns of ``obs``, from a sample of rows and the levels of columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .._columns import GUIDE, LABEL, SPLIT, SYMBOL_COLUMNS, role
from .._keys import SPLITS
from .._labels import is_control_word, parse, unassigned_word
from .._scale import Scale
from .source import Matrix

_ENSEMBL = re.compile(r"^ENS[A-Z]*G\d+")
_MOST_LEVELS = 50_000


def scale(matrix: Matrix) -> tuple[str, str]:
    """Return the scale of a matrix, by the rules of an audit, and the values on which this is based."""
    if not matrix.rows.size:
        return "empty", "no value"
    check = Scale(layer=None, normalize=False)
    check.look(matrix.rows, whole_cells=matrix.rows.shape[1] > 1)
    return check.guess(), check.figures()


@dataclass(frozen=True)
class GeneNames:
    """Symbols and ids of the genes, the column of ``var`` with the symbols, and a description."""

    symbols: npt.NDArray[Any]
    ids: npt.NDArray[Any]
    key: str | None
    detail: str


def gene_names(names: pd.Index, var: Mapping[str, Any]) -> GeneNames:
    """Return the symbols of the genes: ``var_names``, or another column if these are ids."""
    ids = names.to_numpy(object)
    are_ids = bool(len(names)) and names.str.match(_ENSEMBL).mean() > 0.5
    key = next((c for c in SYMBOL_COLUMNS if c in var), None) if are_ids else None
    symbols = ids
    if key is not None:
        column = var[key]().astype(object).to_numpy()
        symbols = np.where(pd.isna(column) | (column == ""), ids, column).astype(object)
    what = (
        "symbols" if not are_ids else f"Ensembl ids, symbols in var[{key!r}]" if key else "Ensembl ids without symbols"
    )
    upper = pd.Series(symbols, dtype=str).str.upper()
    mt, ribo = int(upper.str.match(r"^MT[-.]").sum()), int(upper.str.match(r"^RP[LS]\d").sum())
    return GeneNames(symbols, ids, key, f"{what}; {mt} mitochondrial and {ribo} ribosomal by name")


@dataclass(frozen=True)
class Columns:
    """The columns of ``obs``, the role of each, and the columns with perturbations and guides."""

    values: dict[str, pd.Series]
    roles: dict[str, str]
    groupby: str | None
    guide: str | None
    candidates: list[str]


def columns(obs: Mapping[str, Any], genes: GeneNames, n: int, groupby: str | None) -> Columns:
    """Read the columns, and guess the role of each."""
    values = {name: read().rename(name) for name, read in obs.items()}
    roles = {name: role(name) for name in values}
    genes_known = {*map(str, genes.symbols), *map(str, genes.ids)}
    scores = {name: _label_score(values[name], roles[name], genes_known, n) for name in values}
    candidates = sorted((name for name in values if scores[name] >= 3), key=lambda name: -scores[name])
    if groupby is None and candidates:
        groupby = candidates[0]
    guide = None
    roles |= {name: SPLIT for name, column in values.items() if is_split(column)}
    if groupby is not None and groupby in values:
        roles[groupby] = LABEL
        nested = [c for c in values if c != groupby and _is_guide(values[c], values[groupby], roles[c])]
        guide = next((c for c in nested if roles[c] == GUIDE), nested[0] if nested else None)
    return Columns(values, roles, groupby, guide, candidates)


def is_split(values: pd.Series) -> bool:
    """Whether a column contains a split into training and test cells."""
    if pd.api.types.is_numeric_dtype(values):
        return False
    levels = {str(level) for level in levels_of(values).index}
    return {SPLITS[0], SPLITS[-1]} <= levels <= set(SPLITS)


def levels_of(values: pd.Series) -> pd.Series:
    """Return the number of cells per level of a text column, the largest first."""
    return values.value_counts()


def _label_score(values: pd.Series, kind: str, genes: set[str], n: int) -> float:
    """Return a score for perturbation labels: from the name of the column, a control label, and measured genes."""
    counts = levels_of(values)
    counts = counts[counts > 0]
    if pd.api.types.is_numeric_dtype(values) or not 2 <= len(counts) <= min(_MOST_LEVELS, 0.95 * n):
        return 0.0
    labels = [str(level) for level in counts.index]
    live = [label for label in labels if unassigned_word(label) is None]
    controls = [label for label in live if is_control_word(label)]
    others = [label for label in live if label not in controls]
    if not others:
        return 0.0
    measured = sum(label in genes for label in others) / len(others)
    named = {LABEL: 2.0, GUIDE: 1.0}.get(kind, -2.0 if kind else 0.0)
    few = -1.0 if len(others) < 2 else 0.0
    named += 0.5 * (values.name == "perturbation")
    return named + 3.0 * bool(controls) + 2.0 * measured + few


def _is_guide(values: pd.Series, labels: pd.Series, kind: str) -> bool:
    """Whether a column divides the labels: every level belongs to one label, and most labels have several levels."""
    if pd.api.types.is_float_dtype(values) or kind not in (GUIDE, LABEL, ""):
        return False
    pairs = pd.DataFrame(
        {"guide": values.astype(str).to_numpy(), "label": labels.astype(str).to_numpy()}
    ).drop_duplicates()
    pairs = pairs[[unassigned_word(label) is None for label in pairs["label"]]]
    n_guides, n_labels = pairs["guide"].nunique(), pairs["label"].nunique()
    return n_labels < n_guides <= min(_MOST_LEVELS, max(2, len(values) // 5)) and len(pairs) <= 1.05 * n_guides


def label_table(columns: Columns, genes: GeneNames, **options: Any) -> tuple[Any, str]:
    """Return the interpretation of the labels, or the reason why they cannot be interpreted."""
    values = columns.values[str(columns.groupby)]
    try:
        labels = parse(values, groupby=str(columns.groupby), symbols=genes.symbols.tolist(), ids=genes.ids, **options)
    except (ValueError, TypeError) as err:
        return None, str(err)
    return labels, ""

"""Classes of tables and columns, and columns that several tables have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

JSON_TYPES: dict[str, str | list[str]] = {
    "str": "string",
    "int64": "integer",
    "Int64": ["integer", "null"],
    "float64": ["number", "null"],
    "boolean": ["boolean", "null"],
}
"""By dtype, whether a missing value is null; text and ``int64`` have no missing values."""
FORMS = {"str": "text", "int64": "count", "Int64": "count", "float64": "number", "boolean": "text"}
WIDTH = 100


@dataclass(frozen=True)
class Column:
    """One column: what it holds, and how the report shows it.

    Parameters
    ----------
    name
        Its name in the table.
    dtype
        One of ``JSON_TYPES``.
    sentence
        What it holds.
    label
        Its heading in the report; by default its name.
    form
        How the report writes a value; by default as its dtype suggests.
    tip
        What the report adds to the heading; ``True`` is the sentence.
    unit
        Its unit, if it has one.
    values
        The values that it may have, each with its meaning (which may be empty).
    optional
        Whether a table may lack it.
    """

    name: str
    dtype: str
    sentence: str
    label: str = ""
    form: str = ""
    tip: str | bool = ""
    unit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False

    def __post_init__(self) -> None:
        """Fill in what depends on the other fields."""
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "form", self.form or FORMS[self.dtype])

    @property
    def help(self) -> str:
        """Tooltip of the column in the report."""
        if not isinstance(self.tip, bool):
            return self.tip
        text = self.sentence[0].lower() + self.sentence[1:].removesuffix(".") if self.tip else ""
        return f"{text}, {self.unit}" if self.tip and self.unit else text

    def described(self, only: str | None = None) -> str:
        """Return the sentence, with the unit and the values (or the ``only`` one)."""
        parts = [self.sentence]
        if self.unit:
            parts.append(f"Unit: {self.unit}.")
        if self.values and only is not None:
            parts.append(f"Always ``{only}`` here.")
        elif self.values:
            # An empty literal is not valid markup.
            named = ((f"``{value}``" if value else "empty", why) for value, why in self.values.items())
            values = (f"{name}{f' ({why})' if why else ''}" for name, why in named)
            parts.append(f"Values: {', '.join(values)}.")
        return " ".join(parts)

    def json_schema(self, only: str | None = None) -> dict[str, Any]:
        """Return the JSON Schema of a value; ``only`` is the one value that the file holds."""
        schema: dict[str, Any] = {
            "type": JSON_TYPES[self.dtype],
            "description": self.described(only).replace("``", "`"),
        }
        if self.values:
            schema["enum"] = list(self.values) if only is None else [only]
        return schema


@dataclass(frozen=True)
class Table:
    """A stored table.

    Parameters
    ----------
    name
        Name of the table.
    made_by
        Function that makes the table.
    sentence
        Title of the table.
    rows
        Description of the rows: one row per ….
    columns
        Columns in their order.
    regime_at
        Position at which an audit inserts the column ``regime``; None if there is no such column.
    """

    name: str
    made_by: str
    sentence: str
    rows: str
    columns: tuple[Column, ...]
    regime_at: int | None = None

    def in_audit(self) -> tuple[Column, ...]:
        """Return the columns of the table in an audit."""
        if self.regime_at is None:
            return self.columns
        return (*self.columns[: self.regime_at], REGIME, *self.columns[self.regime_at :])

    def pick(self, *names: str) -> tuple[Column, ...]:
        """Return some of the columns."""
        by_name = {column.name: column for column in self.in_audit()}
        return tuple(by_name[name] for name in names)

    def empty(self, *, audit: bool = False) -> pd.DataFrame:
        """Return a table without rows."""
        columns = self.in_audit() if audit else self.columns
        return pd.DataFrame({column.name: pd.Series(dtype=column.dtype) for column in columns})

    def json_schema(self, **only: str) -> dict[str, Any]:
        """Return the JSON Schema of the rows of an audit's table; ``only`` are the values that all rows have in common."""
        columns = self.in_audit()
        shared = {column.name: column.json_schema() for column in SHARED}
        return {
            "type": "array",
            "description": self.sentence,
            "items": {
                "type": "object",
                "required": [column.name for column in columns if not column.optional],
                "properties": {
                    column.name: {"$ref": f"#/$defs/columns/{column.name}"}
                    if column.json_schema() == shared.get(column.name)
                    else column.json_schema(only.get(column.name))
                    for column in columns
                },
            },
        }

    def as_result(self) -> str:
        """Return the section "Returns" for the function that reads the table."""
        return f":class:`pandas.DataFrame`\n{textwrap.indent(self._listed(self.rows, self.in_audit()), ' ' * 4)}"

    def as_field(self, slot: str = "adata") -> str:
        """Return the entry in "Returns" for the function that stores the table."""
        text = self._listed(f"Read it with :func:`scpertbias.get.{self.name}`. {self.rows}", self.columns)
        return (
            f"``{slot}.uns['scpertbias']['{self.name}']`` : :class:`pandas.DataFrame`\n{textwrap.indent(text, ' ' * 4)}"
        )

    def _listed(self, text: str, columns: tuple[Column, ...]) -> str:
        """Return a text, and below it the columns as a list."""
        lines = [_fill(text), ""]
        for column in columns:
            mark = "" if column in self.columns else " (in an audit only)"
            line = f"- ``{column.name}``{mark}: {column.described()}"
            lines.append(_fill(line, "  "))
        return "\n".join(lines)


def _fill(text: str, indent: str = "") -> str:
    """Wrap a text; code and links stay whole."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


MODEL = Column("model", "str", "Name of the model; ``observed`` is the data.", form="name")
REGIME = Column("regime", "str", "Feature regime: ``full``, ``no_mt``, ``no_mt_ribo`` or ``regressed``.")
METRIC = Column("metric", "str", "Name of the score.", label="score")
N = Column("n", "int64", "Number of perturbations in this row.")
CI_LOW = Column("ci_low", "float64", "Lower end of the 95% interval; missing with fewer than ten perturbations.")
CI_HIGH = Column("ci_high", "float64", "Upper end of the 95% interval.")
P = Column("p", "float64", "p-value; missing if not tested.")
Q = Column(
    "q",
    "float64",
    "p adjusted over the rows of the same model in this table (Benjamini–Hochberg).",
    tip="p adjusted within a model (Benjamini–Hochberg)",
)
NOTE = Column("note", "str", "Remark on the row, or empty.", form="aside")
PERTURBATION = Column(
    "perturbation", "str", "Name of the perturbation; empty in rows about all perturbations.", form="name"
)
TOP_GENES = Column(
    "top_genes",
    "str",
    "Genes with the largest ``|z|`` and the direction of their change (↑, ↓), separated by spaces.",
    label="strongest genes",
    form="line",
)
GENE = Column("gene", "str", "Name of the gene in the data.")
SYMBOL = Column("symbol", "str", "Symbol of the gene.", label="gene")
N_CELLS = Column("n_cells", "int64", "Number of cells of the perturbation.", label="cells")
REPRODUCIBILITY = Column(
    "reproducibility",
    "float64",
    "Expected cosine between the effect and the effect in a repeated experiment of the same size, 0 to 1.",
    tip="expected cosine between the effect and the effect in a repeated experiment",
)
RESPONSE_SHARE = Column(
    "response_share",
    "float64",
    "Part of the response of the screen (summed squared effects of all perturbations) that this row accounts for. "
    "Corrected for noise; can be negative.",
    label="share of response",
    form="percent",
    tip="share of the summed squared effects of the screen, corrected for noise",
)
SHARED = (
    MODEL,
    REGIME,
    METRIC,
    N,
    CI_LOW,
    CI_HIGH,
    P,
    Q,
    NOTE,
    PERTURBATION,
    TOP_GENES,
    GENE,
    SYMBOL,
    N_CELLS,
    REPRODUCIBILITY,
    RESPONSE_SHARE,
)
"""Columns with the same meaning in all tables; the JSON Schema describes each of them once."""

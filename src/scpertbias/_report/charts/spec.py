"""What a figure of the page is made of: rows, and how the script draws them.

``chart`` names the kind of figure in ``js/charts.js``; ``options`` are what that kind reads. The first of ``tips`` is the
name of a mark, the others its values. ``keys`` are the columns by which a mark is highlighted: ``model``,
``perturbation`` or ``gene``. ``code`` draws the same in Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..packed import packed_table


@dataclass(frozen=True)
class Chart:
    """One figure: its name, section and kind, what it shows, how it is read, and its rows."""

    name: str
    section: str
    chart: str
    label: str
    reading: str
    code: str
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    keys: Sequence[str] = ()
    tips: Sequence[Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        """Return what the script reads."""
        return {
            "name": self.name,
            "chart": self.chart,
            "label": self.label,
            "reading": self.reading,
            "code": self.code,
            "rows": packed_table(self.rows),
            "keys": list(self.keys),
            "tips": list(self.tips),
            **self.options,
        }


def tip(field: str, title: str = "", *, form: str = "", interval: tuple[str, str] | None = None) -> dict[str, Any]:
    """Return one line of what is shown of a mark under the pointer."""
    ends = {} if interval is None else {"low": interval[0], "high": interval[1]}
    return {"field": field, "title": title, **({"form": form} if form else {}), **ends}


def line(at: float, label: str = "") -> dict[str, Any]:
    """Return a line of reference at a value of an axis."""
    return {"at": at, "label": label}

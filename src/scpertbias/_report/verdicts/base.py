"""What verdicts are made of: a stable kind, the facts, and the rows that they rest on; the words are in ``wording.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ...tl._gene_sets import OTHER
from ..numbers import known

MIN_HELD_OUT = 10
BASELINE = "mean"
SYSTEMATIC = "systematic"
YES, PARTLY, NO, INCONCLUSIVE = "yes", "partly", "no", "inconclusive"
"""What a verdict may be; ``inconclusive`` where the data do not allow one."""

Facts = dict[str, Any]
"""Plain numbers, texts and lists by name; lists of one statement that are named as columns belong together by row."""


@dataclass(frozen=True)
class Statement:
    """One further thing that an audit shows: its kind, of a closed list, the facts, and the rows of the tables."""

    kind: str
    facts: Facts = field(default_factory=dict)
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Verdict:
    """The answer to a question: ``yes``, ``partly``, ``no`` or ``inconclusive``, why (as in a statement), and what else."""

    name: str
    verdict: str
    kind: str
    facts: Facts = field(default_factory=dict)
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    sentences: tuple[Statement, ...] = ()
    details: tuple[Statement, ...] = ()


def of_screen(confounding: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of the whole response, in the full screen."""
    if confounding.empty:
        return confounding
    return confounding[(confounding["regime"] == "full") & (confounding["level"] == "screen")]


def shared_axis(confounding: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the axis that perturbations share (none, if no share was computed)."""
    return of_screen(confounding).loc[lambda table: table["axis"] == SYSTEMATIC]


def response_known(confounding: pd.DataFrame) -> bool | None:
    """Whether the summed effect of all perturbations is more than noise; None where it was not computed."""
    rest = of_screen(confounding).loc[lambda table: table["axis"] == OTHER]
    return None if rest.empty else known(rest["share"].iloc[0])


def columns(rows: pd.DataFrame, *names: str) -> Facts:
    """Return columns as facts: a list of each, by its name."""
    return {name: rows[name].tolist() for name in names}


def is_judged(row: pd.Series, value: str) -> bool:
    """Whether a row rests on enough perturbations, with a value and an interval."""
    return bool(row["n"] >= MIN_HELD_OUT and known(row[value], row["ci_low"], row["ci_high"]))


def judged_rows(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return the rows of enough perturbations, with a value and an interval."""
    enough = [is_judged(r, value) for _, r in rows.iterrows()]
    return rows[pd.Series(enough, index=rows.index, dtype=bool)]


def by_sign(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows whose interval is above 0 (``better``), below (``worse``), and that includes it (``same``)."""
    return {
        "better": rows[rows["ci_low"] > 0],
        "worse": rows[rows["ci_high"] < 0],
        "same": rows[(rows["ci_low"] <= 0) & (rows["ci_high"] >= 0)],
    }

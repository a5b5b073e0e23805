"""The rows of ``docs/truth.csv``, and the tables of the documentation that are made from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .records import CACHE, ROOT, Aim, Claim, Records
from .shapes import BY_CELLS

DOCS = ROOT / "docs"
TABLE = DOCS / "truth.csv"
KEY = ["claim", "shape", "tails", "n_perturbations", "quantity"]
COLUMNS = [*KEY, "n_screens", "estimate", "standard_error", "aim", "holds", "commit", "seed"]
YES, WITHIN, NO, WIDE = "yes", "within error", "no", "too wide"


def rows(claim: Claim, state: str, *, cache: Path = CACHE) -> pd.DataFrame:
    """Summarize the records of a claim: those of this state of the package, else the newest of each condition."""
    result = []
    for condition in claim.conditions:
        records = Records(claim, condition, cache).newest(state)
        for quantity in dict.fromkeys(name for record in records for name in record["values"]):
            values = np.array([record["values"][quantity] for record in records if quantity in record["values"]])
            known = values[np.isfinite(values.reshape(len(values), -1)).all(axis=1)]
            mean, error = estimate(known)
            aim = claim.aim(condition, quantity)
            result.append({
                "claim": claim.name, "shape": condition.shape, "tails": condition.tails,
                "n_perturbations": condition.n, "quantity": quantity, "n_screens": len(known),
                "estimate": round(mean, 4), "standard_error": round(error, 4),
                "aim": "" if aim is None else f"{aim[0]:g} to {aim[1]:g}",
                "holds": "" if aim is None or not len(known) else verdict(mean, error, aim),
                "commit": records[-1]["commit"], "seed": f"{records[0]['seed']}-{records[-1]['seed']}",
            })  # fmt: skip
    return pd.DataFrame(result, columns=COLUMNS)


def estimate(values: np.ndarray) -> tuple[float, float]:
    """Return the mean of screens and its standard error; of fractions of screens that of Agresti and Coull.

    Pairs make a ratio of sums.
    """
    n = len(values)
    if not n:
        return np.nan, np.nan
    if values.ndim == 2:
        above, below = values.T
        ratio = float(above.sum() / below.sum())
        return ratio, estimate((above - ratio * below) / below.mean())[1]
    mean = float(values.mean())
    if np.isin(values, (0.0, 1.0)).all():
        center = (values.sum() + 2) / (n + 4)
        return mean, float(np.sqrt(center * (1 - center) / (n + 4)))
    return mean, float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan


def verdict(mean: float, error: float, aim: Aim) -> str:
    """Return whether an estimate keeps its bounds: two standard errors are allowed."""
    below, above = mean < aim[0], mean > aim[1]
    if not (below or above):
        return YES
    if aim[0] - 2 * error <= mean <= aim[1] + 2 * error:
        return WITHIN
    return WIDE if above and aim[0] > 0.9 and aim[1] < 1 else NO


def merged(claims: Sequence[Claim], state: str, *, cache: Path = CACHE, table: Path = TABLE) -> pd.DataFrame:
    """Return the rows of all claims; what has no record keeps the row it has."""
    parts = [part for claim in claims if len(part := rows(claim, state, cache=cache))]
    new = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    if not table.exists():
        return new
    old = read(table)
    at = ["claim", "shape", "tails", "n_perturbations"]
    measured = set(new[at].itertuples(index=False, name=None))
    declared = {(c.name, k.shape, k.tails, k.n) for c in claims for k in c.conditions}
    keep = [key in declared - measured for key in old[at].itertuples(index=False, name=None)]
    order = {claim.name: i for i, claim in enumerate(claims)}
    both = pd.concat([new, old[keep]], ignore_index=True)
    return both.sort_values("claim", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def read(table: Path = TABLE) -> pd.DataFrame:
    """Read a table as it was written."""
    text = dict.fromkeys(("claim", "shape", "tails", "quantity", "aim", "holds", "commit", "seed"), str)
    return pd.read_csv(table, dtype=text, keep_default_na=False, na_values={"estimate": "", "standard_error": ""})


def write(frame: pd.DataFrame, docs: Path = DOCS) -> None:
    """Write the table and those of the documentation."""
    frame.to_csv(docs / TABLE.name, index=False)
    for name, part in displays(frame).items():
        part.to_csv(docs / f"truth_{name}.csv", index=False)


# -- the tables of the documentation --------------------------------------------------------------------------------

SHAPE_LABELS = {
    "one_batch": "one batch",
    "balanced": "balanced batches",
    "nested": "nested batches",
    "random": "random batches",
    "uneven": "uneven batches",
    "few_controls": "11 controls per batch",
    "small_panel": "30 genes",
    "nested_few": "nested, 15 controls per batch",
    "uneven_few": "uneven, 15 controls per batch",
    **{
        name: f"{shape['cells_per_perturbation']} cells, {shape['n_control']:,} controls"
        + (", uneven batches" if name.startswith("uneven") else "")
        for name, shape in BY_CELLS.items()
    },
}
TAIL_LABELS = {"none": "none", "gamma": "light tails", "pareto": "heavy tails"}


def displays(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables of the documentation by name; what misses its aim is bold."""
    frame = frame.assign(
        text=[_text(row) for row in frame.itertuples()],
        label=frame["shape"].map(SHAPE_LABELS),
        effects=frame["tails"].map(TAIL_LABELS),
    )
    of = {str(name): part for name, part in frame.groupby("claim", sort=False)}
    tables = {}
    if "null" in of:
        tables["null"] = _pivot(of["null"], {"label": "screens without effects"}, "quantity")
    if "power" in of:
        parts = of["power"]["quantity"].str.split(": ", n=1, expand=True)
        power = of["power"].assign(kind=parts[0], quantity=parts[1])
        tables["power"] = _pivot(power, {"label": "screens", "kind": "effects"}, "quantity")
    if "itself" in of:
        heavy = np.where(of["itself"]["tails"] == "pareto", ", heavy tails", "")
        by = of["itself"].assign(where=of["itself"]["label"] + heavy)
        tables["itself"] = _pivot(by, {"quantity": "the truth as prediction"}, "where")
    if "unshared" in of:
        keys = ["quantity", "effects", "cells"]
        uneven = of["unshared"]["label"].str.endswith(", uneven batches")
        by = of["unshared"].assign(cells=of["unshared"]["label"].str.removesuffix(", uneven batches"), uneven=uneven)
        both = by.sort_values("uneven", kind="stable").groupby(keys, sort=False)["text"].agg(" / ".join).reset_index()
        tables["unshared"] = _pivot(both, {"quantity": "model: score", "effects": "effects"}, "cells")
    coverage = pd.concat([frame.iloc[:0], *(of[name] for name in ("shares", "scores") if name in of)])
    if len(coverage):
        keys = ["quantity", "effects", "n_perturbations"]
        order = {name: i for i, name in enumerate(dict.fromkeys(coverage["quantity"]))}
        coverage = coverage.sort_values("quantity", key=lambda column: column.map(order), kind="stable")
        both = coverage.groupby(keys, sort=False)["text"].agg(" / ".join).reset_index()
        tables["coverage"] = _pivot(both, {"quantity": "interval of", "effects": "effects"}, "n_perturbations")
    return tables


def _pivot(frame: pd.DataFrame, index: dict[str, str], columns: str) -> pd.DataFrame:
    """Return the texts with a row per value of some columns, and a column per value of another, in their order."""
    frame = frame.astype(dict.fromkeys([*index, columns], str))
    order = list(dict.fromkeys(frame[columns]))
    wide = frame.pivot(index=list(index), columns=columns, values="text")[order].fillna("–")
    rows = pd.MultiIndex.from_frame(frame[list(index)].drop_duplicates())
    wide = wide.reindex(rows if len(index) > 1 else rows.get_level_values(0))
    return wide.reset_index().rename(columns=index).rename_axis(columns=None)


def _text(row) -> str:
    """Return an estimate as the documentation shows it: in percent, but of ratios to a ceiling."""
    if not np.isfinite(row.estimate):
        return "–"
    digits = 1 if row.claim in ("null", "power") and row.estimate < 0.1 else 0
    is_score = "ceiling" in row.quantity or (row.claim == "unshared" and "interval" not in row.quantity)
    text = f"{row.estimate:.3f}" if is_score else f"{100 * row.estimate:.{digits}f}"
    return f"**{text}**" if row.holds == NO else text

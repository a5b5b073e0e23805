"""What the page holds of every single perturbation: facts, strongest genes, and what models predict of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .._tables.power import MORE_CONTROLS, UNKNOWN
from ..tl._effects import Effects
from .charts.drawing import Drawing
from .charts.spec import tip
from .numbers import count, known, number
from .packed import NOT_A_GENE, packed_numbers, packed_table
from .wording.terms import LEADING, axis_name

N_GENES = 20
FACTS = (
    ("n_cells", "cells", "count", ""),
    (
        "reproducibility",
        "reproducibility",
        "",
        "Expected cosine between the effect and the same effect in a repeated experiment",
    ),
    ("null", "reproducibility without an effect", "", "95% of perturbations without any effect are below this value"),
    (
        "q",
        "q of any effect",
        "p",
        "p of any effect, adjusted over perturbations (Benjamini–Hochberg); at most 0.05: detected",
    ),
    ("effect", "length of the effect", "", "Root of the squared effect, corrected for noise"),
    ("response_share", "share of the response", "percent", "Share of the squared effects of the whole screen"),
    ("target_gene", "target gene", "", ""),
    (
        "target_log_change",
        "target change",
        "",
        "Mean log-normalized value of the target gene minus that of the control",
    ),
    ("knockdown", "knock-down of the target", "percent", "Reduction of the expression of the target gene"),
    ("target_z", "target z", "", "Target change divided by its standard error"),
)
STATUS = {UNKNOWN: "effect too weak", MORE_CONTROLS: "more control cells needed"}


def explore(d: Drawing, cells_needed: pd.DataFrame | None = None) -> dict[str, Any] | None:
    """Return what is known of every perturbation, columns packed; None without perturbations.

    ``cells_needed`` is the table of that name, if the audit has one.
    """
    table = d.tables["perturbations"]
    if table.empty:
        return None
    rows = table.sort_values("response_share", ascending=False, kind="stable").reset_index(drop=True)
    rows = rows[[c for c in rows.columns if c not in ("regime", "top_genes")]]
    facts = [{**tip(name, title, form=form), "tip": words} for name, title, form, words in FACTS]
    rows["target_gene"] = rows["target_gene"].replace("", "not measured")
    if d.effects is not None:
        rows["null"] = (
            f"below {number(d.effects.null_reproducibility)}" if known(d.effects.null_reproducibility) else ""
        )
        rows["knockdown"] = _knockdown(rows, d.effects)
    rows, more = _with_cells_needed(rows, cells_needed)
    rows, axes = _with_axes(rows, d)
    content: dict[str, Any] = {
        "facts": [*facts, *more],
        "axes": axes,
        "models": {},
        "stored": True,
    }
    if d.effects is not None:
        content |= _genes(d, d.effects, rows["perturbation"].tolist())
    return {**content, "rows": packed_table(rows)}


def _knockdown(rows: pd.DataFrame, effects: Effects) -> np.ndarray:
    """Return the share of the target gene's expression that is lost; missing where its change is."""
    column = {symbol: i for i, symbol in enumerate(effects.symbols)}
    control = np.array([effects.control[column[g]] if g in column else np.nan for g in rows["target_gene"]])
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.expm1(control + rows["target_log_change"].to_numpy(np.float64)) / np.expm1(control)
    return np.where(control > 0, 1 - left, np.nan)


def _with_cells_needed(rows: pd.DataFrame, needed: pd.DataFrame | None) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the rows with the cells that each target of reproducibility takes, as text."""
    if needed is None or needed.empty:
        return rows, []
    own = needed[needed["level"] == "perturbation"]
    facts = []
    for target, part in own.groupby("target"):
        name = f"needed_{target:g}"
        texts = {r["perturbation"]: _cells(r) for r in part.to_dict("records")}
        rows = rows.assign(**{name: rows["perturbation"].map(texts).fillna("")})
        tip_words = (
            f"Cells needed for a reproducibility of {target:g} (95% CI), with the present number of control cells"
        )
        facts.append({**tip(name, f"cells for reproducibility {target:g}"), "tip": tip_words})
    return rows, facts


def _cells(row: dict[str, Any]) -> str:
    if not known(row["n_needed"]):
        return STATUS.get(row["status"], row["status"])
    low, high = (count(row[end]) if known(row[end]) else "" for end in ("ci_low", "ci_high"))
    ends = f" ({low}–{high})" if low and high else f" (at least {low})" if low else ""
    return f"{count(row['n_needed'])}{ends}"


def _with_axes(rows: pd.DataFrame, d: Drawing) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Return the rows with the share of each on every axis that has one, the largest on average first."""
    table = d.of_full("confounding", level="perturbation")
    # Leading directions are those of the screen; of one perturbation they tell no more than the shared axis.
    table = table[~table["axis"].str.startswith(LEADING)]
    if table.empty:
        return rows, []
    wide = table.pivot_table(index="perturbation", columns="axis", values="share", aggfunc="first")
    order = wide.mean().sort_values(ascending=False).index.tolist()
    renamed = {axis: f"axis_{axis}" for axis in order}
    axes = [{"field": renamed[axis], "title": axis_name(axis)} for axis in order]
    return rows.join(wide.rename(columns=renamed).round(4), on="perturbation"), axes


def _genes(d: Drawing, effects: Effects, names: list[str]) -> dict[str, Any]:
    """Return the strongest genes of every perturbation and the predictions for them, packed by perturbation."""
    place = {name: i for i, name in enumerate(effects.names)}
    at = np.array([place.get(name, -1) for name in names], dtype=np.int64)
    k = min(N_GENES, len(effects.symbols))
    genes = effects.strongest(k)[at]
    listed = np.unique(genes[at >= 0])
    code = np.full(len(effects.symbols), NOT_A_GENE, dtype=np.int64)
    code[listed] = np.arange(len(listed))

    def of_genes(values: np.ndarray) -> dict[str, str]:
        chosen = np.take_along_axis(values[at], genes, axis=1)
        return packed_numbers(np.where(at[:, None] >= 0, chosen, np.nan), "f2")

    top = {
        "gene": packed_numbers(np.where(at[:, None] >= 0, code[genes], NOT_A_GENE), "u2"),
        "effect": of_genes(effects.observed),
        "error": of_genes(effects.errors),
    }
    models = [model for model in d.order() if model in set(d.tables["summary"]["model"])]
    scores = _scores(d.scores(), names)
    return {
        "k": k,
        "genes": effects.symbols[listed].tolist(),
        "top": top,
        "models": {m: _of_model(effects, m, at, of_genes, scores) for m in models},
        "stored": bool(effects.predicted),
    }


def _scores(scores: pd.DataFrame, names: list[str]) -> Mapping[str, pd.DataFrame]:
    """Return correlation and relative error by model, one row per perturbation."""
    if scores.empty:
        return {}
    columns = {"pearson_delta_unshared": "r", "l2_ratio": "relative_error"}
    means = scores.groupby(["model", "perturbation"])[list(columns)].mean().rename(columns=columns)
    return {str(model): rows.droplevel("model").reindex(names) for model, rows in means.groupby(level="model")}


def _of_model(
    effects: Effects, model: str, at: np.ndarray, of_genes: Any, scores: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if model in scores:
        parts |= {name: packed_numbers(values.to_numpy(np.float64), "f2") for name, values in scores[model].items()}
    if model in effects.predicted:
        predicted = effects.predicted[model]
        on, off = effects.parts(predicted)
        parts["predicted"] = of_genes(predicted)
        for name, values in (("on", on), ("off", off)):
            parts[name] = packed_numbers(np.where(at >= 0, values[at], np.nan), "f2")
    return parts

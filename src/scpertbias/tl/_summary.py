"""What the scores of many perturbations say of a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import _tables
from .._core.arrays import FloatArray
from .._core.metrics import METRICS
from .._core.resampling import (
    MIN_PERTURBATIONS,
    Columns,
    average_within,
    benjamini_hochberg,
    bootstrap_weights,
    means,
    ratios,
)
from ..pp._check import REPRODUCIBLE

SUBSETS = ("all", "common", "reproducible")
NOISY = 0.1
ONE_PREDICTION = "one prediction for all unseen perturbations"
OFFSET = f"{ONE_PREDICTION}: its offset from the mean correlates by construction"
SMALL_FOLDS = "folds of one or two perturbations: none to tell apart"


@dataclass(frozen=True)
class _Subset:
    """A model on a subset: its scores by perturbation, NaN outside the subset."""

    model: str
    name: str
    table: dict[str, FloatArray]


def summarize(
    scores: pd.DataFrame,
    *,
    n_boot: int,
    rng: int | np.random.Generator | None,
    constant: Collection[str] = (),
    common: Collection[str] | None = None,
) -> pd.DataFrame:
    """Summarize held-out scores: each metric's mean with interval, its difference to the baseline, the scaled scores.

    Subsets: ``all`` held-out perturbations that the model predicts, those that all models predict (``common``, unless
    given), and of all the ``reproducible`` ones. Each comparison with the baseline is paired, on the perturbations of
    that row. ``constant`` names the models that predict one and the same for all unseen perturbations.
    """
    held_out = scores[scores["split"] == "test"]
    names = np.unique(held_out["perturbation"].to_numpy(str))
    weights = bootstrap_weights(len(names), n_boot, np.random.default_rng(rng)).astype(np.float64)
    tables = {str(model): averaged(frame, names) for model, frame in held_out.groupby("model", sort=False)}
    if not tables:
        return _tables.empty("summary")
    shared = np.isin(names, sorted(predicted_by_all(held_out) if common is None else common))
    subsets = []
    for model, table in tables.items():
        for name, keep in zip(SUBSETS, (True, shared, table["reproducibility"] >= REPRODUCIBLE), strict=True):
            values = {c: np.where(keep & np.isfinite(table["l2"]), v, np.nan) for c, v in table.items()}
            subsets.append(_Subset(model, name, values))
    return with_q(pd.DataFrame(_rows(subsets, weights, set(constant)), columns=_tables.columns("summary")))


def predicted_by_all(held_out: pd.DataFrame) -> set[str]:
    """Return the perturbations that every model of a table predicts (of an audit, in every regime)."""
    known = held_out[np.isfinite(held_out["l2"])]
    by = ["model", "regime"] if "regime" in held_out.columns else ["model"]
    predicted = [set(frame["perturbation"]) for _, frame in known.groupby(by, sort=False)]
    n_expected = len(held_out[by].drop_duplicates())
    return set.intersection(*predicted) if predicted and len(predicted) == n_expected else set()


def averaged(frame: pd.DataFrame, names: npt.NDArray[np.str_]) -> dict[str, FloatArray]:
    """Return each numeric column by perturbation, averaged within it."""
    codes = np.searchsorted(names, frame["perturbation"].to_numpy(str))
    numeric = frame.select_dtypes("number").columns
    return {c: average_within(frame[c].to_numpy(np.float64), codes, len(names)) for c in numeric}


def with_q(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust p within each model of a table (Benjamini–Hochberg)."""
    for model in table["model"].unique():
        family = table["model"] == model
        table.loc[family, "q"] = benjamini_hochberg(table.loc[family, "p"].to_numpy(np.float64))
    return table


def _rows(subsets: list[_Subset], weights: FloatArray, constant: set[str]) -> list[dict[str, object]]:
    """Return the rows of all subsets, from one set of columns for each kind of estimate."""
    scaled = [name for name, metric in METRICS.items() if metric.scaled]
    values = np.column_stack([p.table[name] for p in subsets for name in METRICS])
    baselines = np.column_stack([_baseline(p.table, name) for p in subsets for name in METRICS])
    mean, difference = means(values, weights), means(values - baselines, weights)
    terms = [
        METRICS[name].skill(p.table[name], p.table[f"{name}_baseline"], p.table[f"{name}_ceiling"])
        for p in subsets
        for name in scaled
    ]
    skill = ratios(
        np.column_stack([t.numerator for t in terms]), np.column_stack([t.denominator for t in terms]), weights
    )
    rows = []
    for i, subset in enumerate(subsets):
        for j, name in enumerate(METRICS):
            k = i * len(METRICS) + j
            same = _same(name, values[:, k], baselines[:, k])
            note = _note(name, subset, int(mean.n[k]), constant=subset.model in constant)
            rows.append(
                {**_labels(subset, name), **_plain(subset.table, name, mean, difference, k, same=same), "note": note}
            )
            if name in scaled:
                s = i * len(scaled) + scaled.index(name)
                rows.append(
                    {
                        **_labels(subset, f"{name}_skill"),
                        **_scaled(skill, s, same=same),
                        "note": skill.reason[s] or note,
                    }
                )
    return rows


def _labels(subset: _Subset, metric: str) -> dict[str, object]:
    return {"model": subset.model, "subset": subset.name, "metric": metric}


def _plain(
    table: Mapping[str, FloatArray], name: str, mean: Columns, difference: Columns, k: int, *, same: bool
) -> dict[str, object]:
    ceiling = table.get(f"{name}_ceiling")
    sign = 1.0 if METRICS[name].higher_is_better else -1.0  # positive is better, whatever the metric
    return {
        "n": int(mean.n[k]),
        "estimate": mean.estimate[k],
        "ci_low": mean.low[k],
        "ci_high": mean.high[k],
        "ceiling": np.nan if ceiling is None else average(np.where(np.isfinite(table[name]), ceiling, np.nan)),
        "difference_to_mean": 0.0 if same else sign * difference.estimate[k],
        "p": np.nan if same else difference.p[k],
        "q": np.nan,
    }


def _scaled(skill: Columns, k: int, *, same: bool) -> dict[str, object]:
    estimate = 0.0 if same and np.isfinite(skill.estimate[k]) else skill.estimate[k]
    return {
        "n": int(skill.n[k]),
        "estimate": estimate,
        "ci_low": skill.low[k],
        "ci_high": skill.high[k],
        "ceiling": 1.0,
        "difference_to_mean": estimate,
        "p": np.nan,
        "q": np.nan,
    }


def _baseline(table: Mapping[str, FloatArray], name: str) -> FloatArray:
    return np.ones_like(table[name]) if name == "l2_ratio" else table[f"{name}_baseline"]


def _same(name: str, values: FloatArray, baseline: FloatArray) -> bool:
    """Whether a model is the baseline, up to the rounding of layers that were stored as float32."""
    known = np.isfinite(values) & np.isfinite(baseline)
    if not known.any():
        return False
    absolute = 1e-6 if METRICS[name].higher_is_better else 1e-12
    return bool(np.allclose(values[known], baseline[known], rtol=1e-5, atol=absolute))


def average(values: FloatArray) -> float:
    """Mean of the finite values, NaN if there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _note(name: str, subset: _Subset, n: int, *, constant: bool) -> str:
    table = subset.table
    if name == "discrimination" and n == 0 and np.isfinite(table["l2"]).any():
        return SMALL_FOLDS
    notes = [f"{n} perturbations: no interval, no ranking"] if n < MIN_PERTURBATIONS else []
    if constant and name == "pearson_delta_perturbed":
        notes.append(OFFSET)
    if constant and name == "discrimination":
        notes.append(ONE_PREDICTION)
    noise = average(np.where(np.isfinite(table[name]), table["control_noise"], np.nan))
    if name == "pearson_delta" and noise > NOISY:
        notes.append(f"control noise {noise:.2f} > {NOISY}: rewards the noise of the control")
    return "; ".join(notes)

"""Summary of the scores of many perturbations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import _tables
from .._core.arrays import FloatArray
from .._core.de import DE_METRICS, LEAST_CALLS
from .._core.metrics import ALL_METRICS
from .._core.noise import NoiseShape
from .._core.resampling import (
    MIN_PERTURBATIONS,
    Estimate,
    average_within,
    benjamini_hochberg,
    linear_bounds,
    log_bounds,
    mean_of,
    mean_share,
)
from ._control_noise import ControlNoise
from ._skills import NoiseByPerturbation, Subset, l2_skill, linear_skill, sign_of

SUBSETS = ("all", "common", "detected")
NOISY, INFLATED = 0.1, 0.05
NO_WIDTH = 1e-5
"""An interval narrower than this is due to rounding, because layers are stored in float32."""
MANY, FEW = 50, 20
"""Intervals are approximate with fewer perturbations than ``MANY``, or an effective number of them below ``FEW``."""
CONSTANT_PREDICTION = "constant prediction"
OFFSET = f"{CONSTANT_PREDICTION}: its difference from the mean correlates with effects by construction"
COLUMN_LIMITS = {
    "control_noise": (
        NOISY,
        "control_noise {:.2f} > {}: the score is too high, because predicted and observed effects share the noise of the control cells",
    ),
    "inflation": (INFLATED, "inflation {:.2f} > {}: use pearson_delta_unshared"),
}
APPROXIMATE = "approximate interval"
NO_CALLS = f"no perturbation has {LEAST_CALLS} differentially expressed genes"
SMALL_FOLDS = "folds of one or two perturbations: discrimination is undefined"


def summarize(
    scores: pd.DataFrame,
    *,
    shape: NoiseShape,
    known: bool = True,
    noise: Mapping[str, ControlNoise] | None = None,
    constant: Collection[str] = (),
    common: Collection[str] | None = None,
) -> pd.DataFrame:
    """Summarize held-out scores: mean with interval, difference from the baseline, and skill scores.

    Subsets: ``all`` held-out perturbations that the model predicts, those that all models predict (``common``, unless
    given), and those in ``all`` with a ``detected`` effect. Comparisons with the baseline are paired, on the perturbations
    of the row. ``shape`` is the shape of the noise of the screen, ``known`` whether it has a response above the noise, and
    ``noise`` contains the derivatives of the scores with respect to the control by model. ``constant`` are the models with
    a constant prediction.
    """
    held_out = scores[scores["split"] == "test"]
    names = np.unique(held_out["perturbation"].to_numpy(str))
    tables = {str(model): averaged(frame, names) for model, frame in held_out.groupby("model", sort=False)}
    if not tables:
        return _tables.empty("summary")
    shared = np.isin(names, sorted(predicted_by_all(held_out) if common is None else common))
    rows = []
    for model, table in tables.items():
        of_control = _noise_of(scores[scores["model"] == model], names, (noise or {}).get(model))
        for name, keep in zip(SUBSETS, (True, shared, table["detected"] > 0), strict=True):
            values = {c: np.where(keep & np.isfinite(table["l2"]), v, np.nan) for c, v in table.items()}
            subset = Subset(model, name, values, constant=model in constant, shape=shape, noise=of_control, known=known)
            rows += _rows(subset)
    return with_q(pd.DataFrame(rows, columns=_tables.columns("summary")))


def _noise_of(
    frame: pd.DataFrame, names: npt.NDArray[np.str_], noise: ControlNoise | None
) -> NoiseByPerturbation | None:
    """Return the noise of a model by perturbation; the rows of its scores are those of the noise."""
    if noise is None:
        return None
    rows = np.flatnonzero((frame["split"] == "test").to_numpy())
    return NoiseByPerturbation(noise, rows, np.searchsorted(names, frame["perturbation"].to_numpy(str)[rows]))


def predicted_by_all(held_out: pd.DataFrame) -> set[str]:
    """Return the perturbations that every model of a table predicts (for an audit, in every regime)."""
    known = held_out[np.isfinite(held_out["l2"])]
    by = ["model", "regime"] if "regime" in held_out.columns else ["model"]
    predicted = [set(frame["perturbation"]) for _, frame in known.groupby(by, sort=False)]
    n_expected = len(held_out[by].drop_duplicates())
    return set.intersection(*predicted) if predicted and len(predicted) == n_expected else set()


def averaged(
    frame: pd.DataFrame, names: npt.NDArray[np.str_], columns: Sequence[str] | None = None
) -> dict[str, FloatArray]:
    """Return numeric columns (by default all) by perturbation, averaged within it."""
    codes = np.searchsorted(names, frame["perturbation"].to_numpy(str))
    columns = list(frame.select_dtypes(["number", "boolean"]).columns if columns is None else columns)
    values = frame[columns].to_numpy(np.float64)
    return dict(zip(columns, average_within(values, codes, len(names)).T, strict=True))


def with_q(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust p within each model of a table (Benjamini–Hochberg)."""
    for model in table["model"].unique():
        family = table["model"] == model
        table.loc[family, "q"] = benjamini_hochberg(table.loc[family, "p"].to_numpy(np.float64))
    return table


def _rows(subset: Subset) -> list[dict[str, object]]:
    """Return the rows of a subset: each score, followed by its skill score if there is one."""
    rows = []
    for name, metric in ALL_METRICS.items():
        values, baseline = subset.table[name], _baseline(subset.table, name)
        # Scores that count genes may jump by rounding
        compared = (subset.table["l2"], subset.table["l2_baseline"]) if name in DE_METRICS else (values, baseline)
        same, shared = _same(name, *compared), _shared_by_mean(name, values, subset)
        mean = _mean(name, values, constant=subset.constant, shared=shared)
        difference = mean_of(values - baseline, shared=_shared_by_difference(name, values - baseline, subset, shared))
        plain = _plain(subset.table, name, mean, difference, same=same)
        rows.append({**_labels(subset, name), **plain, "note": _note(name, subset, mean)})
        if metric.scaled:
            skill = l2_skill(subset) if name == "l2" else linear_skill(subset, name)
            rows.append(
                {
                    **_labels(subset, f"{name}_skill"),
                    **_scaled(skill, same=same),
                    "note": skill.reason or _note(name, subset, skill),
                }
            )
    return rows


def _shared_by_mean(name: str, values: FloatArray, subset: Subset) -> float:
    """Variance of the mean of a score due to the control; 0 for scores that are relative to a baseline."""
    known = np.isfinite(values)
    if not (name == "l2_ratio" or ALL_METRICS[name].unshared) or subset.noise is None or not known.any():
        return 0.0
    return subset.noise.variance({name: known / known.sum()})


def _shared_by_difference(name: str, difference: FloatArray, subset: Subset, of_mean: float) -> float:
    """Variance of the mean difference from the baseline due to the control; the baseline of ``l2_ratio`` is 1."""
    known = np.isfinite(difference)
    if not ALL_METRICS[name].unshared or subset.noise is None or not known.any():
        return of_mean
    weight = known / known.sum()
    return subset.noise.variance({name: weight, f"{name}_baseline": -weight})


def _mean(name: str, values: FloatArray, *, constant: bool, shared: float) -> Estimate:
    if name != "discrimination":
        return mean_of(values, log_bounds if name == "l2_ratio" else linear_bounds, shared=shared)
    mean = mean_share(values)
    # The mean of any constant prediction is 0.5 for any perturbations, so it does not vary.
    return replace(mean, low=np.nan, high=np.nan) if constant else mean


def _labels(subset: Subset, metric: str) -> dict[str, object]:
    return {"model": subset.model, "subset": subset.name, "metric": metric}


def _plain(
    table: Mapping[str, FloatArray], name: str, mean: Estimate, difference: Estimate, *, same: bool
) -> dict[str, object]:
    ceiling = table.get(f"{name}_ceiling")
    return {
        "n": mean.n,
        "n_effective": mean.n_effective,
        "estimate": mean.estimate,
        "ci_low": mean.low,
        "ci_high": mean.high,
        "ceiling": np.nan if ceiling is None else average(np.where(np.isfinite(table[name]), ceiling, np.nan)),
        "difference_to_mean": 0.0 if same else sign_of(name) * difference.estimate,
        "p": np.nan if same else difference.p,
        "q": np.nan,
    }


def _scaled(skill: Estimate, *, same: bool) -> dict[str, object]:
    estimate = 0.0 if same and np.isfinite(skill.estimate) else skill.estimate
    return {
        "n": skill.n,
        "n_effective": skill.n_effective,
        "estimate": estimate,
        "ci_low": skill.low,
        "ci_high": skill.high,
        "ceiling": 1.0,
        "difference_to_mean": estimate,
        "p": np.nan,
        "q": np.nan,
    }


def _baseline(table: Mapping[str, FloatArray], name: str) -> FloatArray:
    return np.ones_like(table[name]) if name == "l2_ratio" else table[f"{name}_baseline"]


def _same(name: str, values: FloatArray, baseline: FloatArray) -> bool:
    """Whether a model equals the baseline, up to the rounding of float32 layers."""
    known = np.isfinite(values) & np.isfinite(baseline)
    if not known.any():
        return False
    absolute = 1e-6 if ALL_METRICS[name].higher_is_better else 1e-12
    return bool(np.allclose(values[known], baseline[known], rtol=1e-5, atol=absolute))


def average(values: FloatArray) -> float:
    """Mean of the finite values, or NaN."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def is_approximate(n: float, n_effective: float) -> bool:
    """Whether an interval is approximate, because there are few perturbations or a low effective number."""
    return bool(n < MANY or n_effective < FEW)


def _note(name: str, subset: Subset, mean: Estimate) -> str:
    table, n = subset.table, mean.n
    if name == "discrimination" and n == 0 and np.isfinite(table["l2"]).any():
        return SMALL_FOLDS
    if name in DE_METRICS and n == 0:
        return NO_CALLS
    notes = [f"only {n} perturbations: no interval, no ranking"] if n < MIN_PERTURBATIONS else []
    if subset.constant and name.startswith("pearson_delta_perturbed"):
        notes.append(OFFSET)
    if subset.constant and name == "discrimination":
        notes.append(CONSTANT_PREDICTION)
    if mean.high - mean.low > NO_WIDTH and is_approximate(n, mean.n_effective):
        notes.append(APPROXIMATE)
    if name == "pearson_delta":
        means = {key: average(np.where(np.isfinite(table[name]), table[key], np.nan)) for key in COLUMN_LIMITS}
        notes += [text.format(means[key], limit) for key, (limit, text) in COLUMN_LIMITS.items() if means[key] > limit]
    return "; ".join(notes)

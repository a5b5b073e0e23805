"""What the scores of many perturbations say of a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import _tables
from .._core.arrays import FloatArray
from .._core.metrics import METRICS
from .._core.noise import SURE, counted_rows, noise_shape
from .._core.resampling import (
    MIN_PERTURBATIONS,
    TOO_FEW,
    Estimate,
    average_within,
    benjamini_hochberg,
    complement,
    linear_bounds,
    log_bounds,
    mean_of,
    mean_share,
    ratio_bounds,
    ratio_of_sums,
)
from .._moments import Screen
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
    constant: bool


def noise_a2(screen: Screen) -> float:
    """Return how concentrated the sampling noise of a screen is: one over its effective number of genes."""
    moments = screen.merged.moments
    return noise_shape(moments, counted_rows(moments, screen.merged.used)).a2_raised


def summarize(
    scores: pd.DataFrame,
    *,
    a2: float,
    constant: Collection[str] = (),
    common: Collection[str] | None = None,
) -> pd.DataFrame:
    """Summarize held-out scores: each metric's mean with interval, its difference to the baseline, the scaled scores.

    Subsets: ``all`` held-out perturbations that the model predicts, those that all models predict (``common``, unless
    given), and of all the ``reproducible`` ones. Each comparison with the baseline is paired, on the perturbations of
    that row. ``a2`` is that of :func:`noise_a2`; ``constant`` names the models that predict one and the same for all
    unseen perturbations.
    """
    held_out = scores[scores["split"] == "test"]
    names = np.unique(held_out["perturbation"].to_numpy(str))
    tables = {str(model): averaged(frame, names) for model, frame in held_out.groupby("model", sort=False)}
    if not tables:
        return _tables.empty("summary")
    shared = np.isin(names, sorted(predicted_by_all(held_out) if common is None else common))
    rows = []
    for model, table in tables.items():
        for name, keep in zip(SUBSETS, (True, shared, table["reproducibility"] >= REPRODUCIBLE), strict=True):
            values = {c: np.where(keep & np.isfinite(table["l2"]), v, np.nan) for c, v in table.items()}
            rows += _rows(_Subset(model, name, values, constant=model in constant), a2)
    return with_q(pd.DataFrame(rows, columns=_tables.columns("summary")))


def predicted_by_all(held_out: pd.DataFrame) -> set[str]:
    """Return the perturbations that every model of a table predicts (of an audit, in every regime)."""
    known = held_out[np.isfinite(held_out["l2"])]
    by = ["model", "regime"] if "regime" in held_out.columns else ["model"]
    predicted = [set(frame["perturbation"]) for _, frame in known.groupby(by, sort=False)]
    n_expected = len(held_out[by].drop_duplicates())
    return set.intersection(*predicted) if predicted and len(predicted) == n_expected else set()


def paired_differences(scores: pd.DataFrame, model: str, others: Collection[str]) -> pd.DataFrame:
    """Compare a model with others by the error relative to the mean baseline, on the perturbations that all of them predict.

    ``difference`` is other − model, so positive where the model is better.
    """
    full = scores[(scores["split"] == "test") & (scores["regime"] == "full") & (scores["trained_on"] == "full")]
    full = full[full["model"].isin([model, *others])]
    full = full[full["perturbation"].isin(predicted_by_all(full))]
    by_model = full.groupby(["perturbation", "model"])["l2_ratio"].mean().unstack("model")
    rows = []
    for other in others:
        mean = mean_of((by_model[other] - by_model[model]).to_numpy(np.float64) if len(by_model) else np.empty(0))
        bounds = {"difference": mean.estimate, "ci_low": mean.low, "ci_high": mean.high}
        rows.append({"model": model, "other": other, "n": mean.n, "n_effective": mean.n_effective, **bounds})
    return pd.DataFrame(rows)


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


def _rows(subset: _Subset, a2: float) -> list[dict[str, object]]:
    """Return the rows of a subset: each score, and below it the scaled one where there is one."""
    rows = []
    for name, metric in METRICS.items():
        values, baseline = subset.table[name], _baseline(subset.table, name)
        same, mean = _same(name, values, baseline), _mean(name, values, constant=subset.constant)
        note = _note(name, subset, mean.n)
        plain = _plain(subset.table, name, mean, mean_of(values - baseline), same=same)
        rows.append({**_labels(subset, name), **plain, "note": note})
        if metric.scaled:
            skill = _l2_skill(subset.table, a2) if name == "l2" else _pearson_skill(subset.table, name)
            rows.append({**_labels(subset, f"{name}_skill"), **_scaled(skill, same=same), "note": skill.reason or note})
    return rows


def _mean(name: str, values: FloatArray, *, constant: bool) -> Estimate:
    if name != "discrimination":
        return mean_of(values, log_bounds if name == "l2_ratio" else linear_bounds)
    mean = mean_share(values)
    # The mean of any constant prediction is 0.5 whatever the perturbations are: it does not vary.
    return replace(mean, low=np.nan, high=np.nan) if constant else mean


def _l2_skill(table: Mapping[str, FloatArray], a2: float) -> Estimate:
    """Scale squared errors between the mean baseline (0) and the ceiling (1), each without its own noise."""
    noise = table["l2_baseline_ceiling"] ** 2
    terms = table["l2"] ** 2 - table["l2_ceiling"] ** 2, table["l2_baseline"] ** 2 - noise
    known = np.isfinite(terms[0]) & np.isfinite(terms[1])
    room = bool(terms[1][known].sum() >= SURE * np.sqrt(2 * a2 * np.sum(noise[known] ** 2)))
    return complement(ratio_of_sums(*terms, ratio_bounds, room=room))


def _pearson_skill(table: Mapping[str, FloatArray], name: str) -> Estimate:
    """Scale correlations between the mean baseline (0) and the ceiling (1)."""
    gain, most = (table[key] - table[f"{name}_baseline"] for key in (name, f"{name}_ceiling"))
    most = np.where(np.isfinite(gain), most, np.nan)
    room = mean_of(most)
    if room.n < MIN_PERTURBATIONS:
        return Estimate(room.n, np.nan, np.nan, reason=TOO_FEW)
    return ratio_of_sums(gain, most, linear_bounds, room=room.low > 0)


def _labels(subset: _Subset, metric: str) -> dict[str, object]:
    return {"model": subset.model, "subset": subset.name, "metric": metric}


def _plain(
    table: Mapping[str, FloatArray], name: str, mean: Estimate, difference: Estimate, *, same: bool
) -> dict[str, object]:
    ceiling = table.get(f"{name}_ceiling")
    sign = 1.0 if METRICS[name].higher_is_better else -1.0  # positive is better, whatever the metric
    return {
        "n": mean.n,
        "n_effective": mean.n_effective,
        "estimate": mean.estimate,
        "ci_low": mean.low,
        "ci_high": mean.high,
        "ceiling": np.nan if ceiling is None else average(np.where(np.isfinite(table[name]), ceiling, np.nan)),
        "difference_to_mean": 0.0 if same else sign * difference.estimate,
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


def _note(name: str, subset: _Subset, n: int) -> str:
    table = subset.table
    if name == "discrimination" and n == 0 and np.isfinite(table["l2"]).any():
        return SMALL_FOLDS
    notes = [f"{n} perturbations: no interval, no ranking"] if n < MIN_PERTURBATIONS else []
    if subset.constant and name == "pearson_delta_perturbed":
        notes.append(OFFSET)
    if subset.constant and name == "discrimination":
        notes.append(ONE_PREDICTION)
    noise = average(np.where(np.isfinite(table[name]), table["control_noise"], np.nan))
    if name == "pearson_delta" and noise > NOISY:
        notes.append(f"control noise {noise:.2f} > {NOISY}: rewards the noise of the control")
    return "; ".join(notes)

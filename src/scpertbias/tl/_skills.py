"""Scores scaled between the mean baseline (0) and the noise ceiling (1), over the perturbations of a subset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._core.arrays import FloatArray, IntArray
from .._core.confounding import NO_RESPONSE
from .._core.metrics import ALL_METRICS
from .._core.noise import SURE, NoiseShape
from .._core.resampling import (
    MIN_PERTURBATIONS,
    TOO_FEW,
    Estimate,
    complement,
    linear_bounds,
    mean_of,
    ratio_bounds,
    ratio_of_sums,
)
from ._control_noise import ControlNoise


@dataclass(frozen=True)
class Subset:
    """Scores of a model on a subset by perturbation (NaN outside), and their derivatives with respect to the control.

    ``known`` is whether the screen has a response above the noise.
    """

    model: str
    name: str
    table: dict[str, FloatArray]
    constant: bool
    shape: NoiseShape
    noise: NoiseByPerturbation | None
    known: bool


@dataclass(frozen=True)
class NoiseByPerturbation:
    """Control noise of the rows of a model (R), by perturbation: the mean over its held-out rows."""

    noise: ControlNoise
    rows: IntArray
    codes: IntArray

    def of_rows(self, coefficients: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Distribute the coefficients of perturbations over their rows; unknown coefficients count as 0."""
        n = np.bincount(self.codes)[self.codes]
        spread = {name: np.zeros(self.noise.n_rows) for name in coefficients}
        for name, values in coefficients.items():
            spread[name][self.rows] = np.nan_to_num(values)[self.codes] / n
        return spread

    def variance(self, coefficients: Mapping[str, FloatArray]) -> float:
        """Variance of a statistic that changes by coefficients times the columns."""
        return self.noise.variance(self.of_rows(coefficients))

    def variance_of_squares(self, coefficients: Mapping[str, FloatArray], squares: Mapping[str, FloatArray]) -> float:
        """Variance of a sum of squared errors, each counted ``squares`` times."""
        return self.noise.variance_of_squares(self.of_rows(coefficients), self.of_rows(squares))


def l2_skill(subset: Subset) -> Estimate:
    """Scale squared errors between the mean baseline (0) and the ceiling (1), after subtraction of noise."""
    table, noise = subset.table, subset.table["l2_baseline_ceiling"] ** 2
    above, below = table["l2"] ** 2 - table["l2_ceiling"] ** 2, table["l2_baseline"] ** 2 - noise
    known = np.isfinite(above) & np.isfinite(below)
    total = float(below[known].sum())
    room = total >= SURE * np.sqrt(2 * subset.shape.a2_raised * np.sum(noise[known] ** 2))
    shared = 0.0
    if room and total > 0 and subset.noise is not None:
        ratio = float(above[known].sum()) / total
        squares = {"l2": np.asarray(known / total), "l2_baseline": np.asarray(-ratio * known / total)}
        # d(l2²) = 2 l2 d(l2)
        moves = {name: np.asarray(2 * table[name] * c) for name, c in squares.items()}
        shared = subset.noise.variance_of_squares(moves, squares)
    return complement(ratio_of_sums(above, below, ratio_bounds, room=bool(room), shared=shared))


def sign_of(name: str) -> float:
    """Return the sign for which positive differences of a score are better."""
    return 1.0 if ALL_METRICS[name].higher_is_better else -1.0


def linear_skill(subset: Subset, name: str) -> Estimate:
    """Scale scores between the mean baseline (0) and the ceiling (1); without a response there is no ceiling."""
    baseline, ceiling = f"{name}_baseline", f"{name}_ceiling"
    gain, most = (sign_of(name) * (subset.table[key] - subset.table[baseline]) for key in (name, ceiling))
    most = np.where(np.isfinite(gain), most, np.nan)
    room = mean_of(most)
    if room.n < MIN_PERTURBATIONS:
        return Estimate(room.n, np.nan, np.nan, reason=TOO_FEW)
    if ALL_METRICS[name].unshared and not subset.known:
        return Estimate(room.n, np.nan, np.nan, reason=NO_RESPONSE)
    shared, known = 0.0, np.isfinite(gain) & np.isfinite(most)
    if room.low > 0 and subset.noise is not None:
        total = float(most[known].sum())
        ratio = float(gain[known].sum()) / total
        by_column = {name: 1.0, ceiling: -ratio, baseline: ratio - 1}
        shared = subset.noise.variance({key: np.asarray(c * known / total) for key, c in by_column.items()})
    return ratio_of_sums(gain, most, linear_bounds, room=room.low > 0, shared=shared)

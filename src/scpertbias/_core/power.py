"""Expected reproducibility with other numbers of cells, and number of cells for a given reproducibility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.moments import Moments
from scpertbias._core.noise import ROWS_AT_ONCE, NoiseParts, NoiseShape, noise_parts, null_error, squared_effects
from scpertbias._core.resampling import NORMAL
from scpertbias._core.shared_axis import EXISTS


@dataclass(frozen=True)
class Power:
    """Quantities that determine the reproducibility of K effects: first the whole screen, then perturbations.

    ``effect`` (K,) is the squared effect without noise and ``error`` its standard error, ``per_cell`` the variance that one
    cell has, ``control`` the sampling variance of the control, all summed over genes, and ``n`` the cells (of the screen: as
    many in every perturbation as give it the same noise).
    """

    effect: FloatArray
    error: FloatArray
    per_cell: FloatArray
    control: FloatArray
    n: FloatArray

    @classmethod
    def of(cls, moments: Moments, rows: IntArray, shape: NoiseShape) -> Power:
        """Compute these from some rows of the moments, which need cells in both halves."""
        parts = noise_parts(moments, rows)
        effects, of_control = squared_effects(moments, rows), parts.weights**2 @ parts.control
        of_screen, error = effect_errors(moments, rows, parts, shape)
        per_cell, own = parts.own * parts.n, float(parts.own.sum())
        total = float(per_cell.sum())
        return cls(
            effect=np.r_[effects.sum(), effects],
            error=np.r_[of_screen, error],
            per_cell=np.r_[total, per_cell],
            control=np.r_[of_control.sum(), of_control],
            n=np.r_[total / own if own > 0 else np.nan, parts.n],
        )

    @property
    def is_known(self) -> BoolArray:
        """Whether an effect is at least two standard errors above 0 (K,)."""
        return np.asarray(self.effect >= EXISTS * self.error, dtype=np.bool_)

    def effects(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Squared effects, with the ends of their 95% intervals; none is below 0."""
        low, high = self.effect - NORMAL * self.error, self.effect + NORMAL * self.error
        return np.maximum(self.effect, 0.0), np.maximum(low, 0.0), np.maximum(high, 0.0)

    def reproducibility(self, effect: FloatArray, n: FloatArray | float) -> FloatArray:
        """Expected cosine of squared effects (K,) with those of a repeat, with n cells each."""
        with np.errstate(invalid="ignore"):
            expected: FloatArray = effect / (effect + self.per_cell / n + self.control)
        return expected

    def cells_for(self, effect: FloatArray, target: float) -> FloatArray:
        """Number of cells for a reproducibility of squared effects (K,); infinite if no number is sufficient with these controls."""
        room = effect * (1 - target) / target - self.control
        needed = np.full(len(effect), np.inf)
        np.divide(self.per_cell, room, out=needed, where=room > 0)
        return np.where(np.isnan(effect), np.nan, needed)


def effect_errors(moments: Moments, rows: IntArray, parts: NoiseParts, shape: NoiseShape) -> tuple[float, FloatArray]:
    """Standard errors of the summed squared effect of some rows and of that of each (P,); perturbations are fixed."""
    effect = moments.mean[rows] - moments.control
    of_same = np.empty(len(rows))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        # (Δ_p·ν)², mean over the noise vectors that are not of p itself
        squares = (effect[part] @ shape.vectors.T) ** 2
        others = shape.row != rows[part, None]
        of_same[part] = np.where(others, squares, 0.0).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    least = 2 * shape.a2_raised * parts.total**2
    error = np.sqrt(np.maximum(4 * parts.total * of_same - shape.a2 * parts.total**2, least))
    # The control that all share: Σ_b τ_b (Σ_p w_pb Δ_p · ν)², mean over noise vectors
    of_control = ((parts.weights.T @ effect @ shape.vectors.T) ** 2).mean(axis=1) if len(shape.vectors) else np.nan
    pure = null_error(parts, 1.0) ** 2
    variance = 4 * float(parts.own @ of_same + np.sum(parts.control * of_control)) - shape.a2 * pure / 2
    return float(np.sqrt(np.maximum(variance, shape.a2_raised * pure))), error

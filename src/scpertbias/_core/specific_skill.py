"""Skill of a model after the shared axes are removed from all effects.

The shared axes are the direction of the mean training effect, and the direction in which predictions differ most. Both are
removed from predicted and observed effects before the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import FloatArray
from scpertbias._core.ceilings import ROUNDING
from scpertbias._core.noise import SURE
from scpertbias._core.resampling import (
    MIN_PERTURBATIONS,
    NO_ROOM,
    TOO_FEW,
    Estimate,
    complement,
    effective_number,
    jackknifed,
    linear_bounds,
    log_bounds,
    ratio_bounds,
    ratio_of_sums,
)

SPECIFIC = 0.05
NOTHING = 1e-9
DEPENDENT = 1e-10
PERTURBATION_SPECIFIC = "perturbation-specific"
WRONG_SIZE = "right direction, wrong size"
NOT_SPECIFIC = "not specific"
CATEGORIES = (PERTURBATION_SPECIFIC, WRONG_SIZE, NOT_SPECIFIC)
NOTHING_LEFT = "no predicted effect is left after the shared axes are removed"


@dataclass(frozen=True)
class OffAxis:
    """Effects of P perturbations off the shared axes: ``predicted`` and ``observed`` (P, G).

    ``noise`` (P,) is the sampling variance that the observed ones have left. Predicted ones with a sum of squares up to
    ``nothing`` are no more than rounding.
    """

    predicted: FloatArray
    observed: FloatArray
    noise: FloatArray
    nothing: float


@dataclass(frozen=True)
class SpecificSkill:
    """Skill off the shared axes (0: no effect there, 1: the truth), the scale that fits best, and the skill with it."""

    skill: Estimate
    slope: Estimate
    fitted: Estimate

    @property
    def category(self) -> str:
        """Return the category according to the intervals; "" without intervals."""
        if not np.isfinite(self.skill.low):
            return ""
        if self.skill.low > SPECIFIC:
            return PERTURBATION_SPECIFIC
        return WRONG_SIZE if self.slope.low > 0 and self.fitted.low > SPECIFIC else NOT_SPECIFIC


def unit_rows(values: FloatArray, least: FloatArray | float = 0.0) -> FloatArray:
    """Rows scaled to length 1; 0 where they are no longer than ``least``."""
    # √(x_p · x_p) (P, 1)
    size = np.sqrt(np.einsum("pg,pg->p", values, values))[:, None]
    units: FloatArray = np.divide(values, size, out=np.zeros_like(values), where=size > least)
    return units


def off(values: FloatArray, axes: FloatArray) -> FloatArray:
    """Part of each row (P, G) off its own unit axis (P, G)."""
    # x_p − (x_p · e_p) e_p
    rest: FloatArray = values - np.einsum("pg,pg->p", values, axes)[:, None] * axes
    return rest


def off_axis(
    predicted: FloatArray, observed: FloatArray, control: FloatArray, mean: FloatArray, noise: FloatArray
) -> OffAxis:
    """Remove the mean training effect, and the direction in which predictions differ most, from effects.

    Parameters
    ----------
    predicted, observed
        Means of the perturbations (P, G).
    control
        Mean of the control (G,).
    mean
        Mean of the perturbations that the fit of each was trained on (P, G).
    noise
        Sampling variance of the observed effects, without what the mean training effect shares with them (P, G).
    """
    effects, first = predicted - control, unit_rows(mean - control)
    rest = off(effects, first)
    # Predictions may have been stored as float32, and effects are differences of them.
    nothing = max(NOTHING * float(np.sum(effects**2)), ROUNDING**2 * float(np.sum(predicted**2)))
    # The direction of mere rounding may be that of the mean effect: off each fit's own it would be that of what it lacks.
    main = _main_direction(rest) if float(np.sum(rest**2)) > nothing else np.zeros(len(control))
    second = unit_rows(off(off(np.broadcast_to(main, rest.shape), first), first), DEPENDENT)
    # Σ_g f_pg (1 − e_pg² − e'_pg²), the noise without its part on either axis (P,)
    left = np.einsum("pg,pg->p", noise, 1 - first**2 - second**2)
    return OffAxis(off(rest, second), off(off(observed - control, first), second), left, nothing)


def _main_direction(rows: FloatArray) -> FloatArray:
    """First right singular vector of the rows (G,); 0 where all are 0."""
    wide = rows.shape[0] < rows.shape[1]
    # Gram matrix of the shorter side: its last eigenvector is the first singular vector of that side
    vector = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)[1][:, -1]
    direction = vector @ rows if wide else vector
    length = float(np.linalg.norm(direction))
    return np.asarray(direction / length if length > 0 else direction, dtype=np.float64)


def specific_skill(parts: OffAxis, a2: float) -> SpecificSkill:
    """Score predicted effects off the shared axes, over perturbations, with intervals of the jackknife.

    Parameters
    ----------
    parts
        From :func:`off_axis`.
    a2
        One over the effective number of genes of the noise.
    """
    n, room = len(parts.noise), np.sum(parts.observed**2, axis=1) - parts.noise
    n_effective = effective_number(room)
    reason = ""
    if n < MIN_PERTURBATIONS:
        reason = TOO_FEW
    elif not float(room.sum()) >= SURE * float(np.sqrt(2 * a2 * np.sum(parts.noise**2))) or not room.sum() > 0:
        reason = NO_ROOM
    if reason:
        return SpecificSkill(*3 * (Estimate(n, n_effective, np.nan, reason=reason),))
    # |X_p|² (P,)
    squares = np.einsum("pg,pg->p", parts.predicted, parts.predicted)
    # X_p · Y_p (P,)
    products = np.einsum("pg,pg->p", parts.predicted, parts.observed)
    if float(squares.sum()) <= parts.nothing:
        nothing = Estimate(n, n_effective, np.nan, reason=NOTHING_LEFT)
        return SpecificSkill(Estimate(n, n_effective, 0.0, 0.0, 0.0, reason=NOTHING_LEFT), nothing, nothing)
    errors = np.sum((parts.predicted - parts.observed) ** 2, axis=1) - parts.noise
    total = float(products.sum()) ** 2 / (float(squares.sum()) * float(room.sum()))
    without_one = (products.sum() - products) ** 2 / ((squares.sum() - squares) * (room.sum() - room))
    return SpecificSkill(
        skill=complement(ratio_of_sums(errors, room, ratio_bounds)),
        slope=ratio_of_sums(products, squares, linear_bounds),
        fitted=jackknifed(total, without_one, n_effective, log_bounds),
    )

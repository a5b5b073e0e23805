"""Did a model learn what a perturbation does, or the axis along which all of them move?

Predictions given to the wrong perturbations show what the shared part alone scores; the parts of effects off the shared
axis are compared separately; and a prediction that knows that axis, and how far each perturbation moves along it, is
scored like the models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.ceilings import ROUNDING, Truth, centered, correlation, l2_ceiling, row_norm
from scpertbias._core.correlations import CORRELATIONS
from scpertbias._core.pearson_ceilings import CeilingTerms, pearson_ceiling
from scpertbias._core.specific_skill import off, unit_rows

METRICS = ("l2", "pearson_delta", "pearson_delta_perturbed", "off_axis")
ERRORS = ("l2",)


@dataclass(frozen=True)
class HeldOutData:
    """Held-out perturbations (n), and the perturbations that the models of each were trained on.

    The ``groups`` of ``truth`` are those within which predictions are given to others, its centroid is the mean of the
    training perturbations. ``half`` (2, n, G) and ``control_half`` (2, G) are means of half of the cells. ``axes``
    (2, F, G) are the mean half effects of the training perturbations of F fits, ``fit`` (n,) says which.
    """

    truth: Truth
    half: FloatArray
    control_half: FloatArray
    axes: FloatArray
    fit: IntArray

    @property
    def observed(self) -> FloatArray:
        """Observed means (n, G)."""
        return self.truth.observed

    @property
    def control(self) -> FloatArray:
        """Mean of the control (G,)."""
        return self.truth.control

    @property
    def mean(self) -> FloatArray:
        """Mean of the training perturbations of each (n, G)."""
        return self.truth.centroid

    @cached_property
    def shift(self) -> FloatArray:
        """Observed means about the training mean."""
        return self.observed - self.mean

    @cached_property
    def axis(self) -> FloatArray:
        """Unit direction of the mean training effect, of all cells, for each perturbation."""
        return unit_rows(self.mean - self.control)

    @cached_property
    def noise(self) -> FloatArray:
        """Sampling variance of the observed effects without what they share with the mean training effect (n, G)."""
        return self.truth.noise(self.truth.centroid_weights)

    @cached_property
    def off_noise(self) -> FloatArray:
        """Its sum off that direction (n,)."""
        # Σ_g f_pg (1 − a_pg²)
        noise: FloatArray = np.einsum("pg,pg->p", self.noise, 1 - self.axis**2)
        return noise

    def off(self, effects: FloatArray) -> FloatArray:
        """Part of the effects off that direction."""
        return off(effects, self.axis)


# -- scores of every prediction on every perturbation --------------------------------------------------------------


def score_matrix(metric: str, predictions: FloatArray, data: HeldOutData) -> FloatArray:
    """Score of the prediction of each perturbation (columns) if it were that of another one (rows).

    The training mean of the one's fit is exchanged for that of the other's: fits of different folds differ in it, which
    is not specific to a perturbation. Within a fold nothing is exchanged.
    """
    away = predictions - data.mean
    # Predictions may have been stored as float32: what differs by less than their rounding is the same.
    rounding = ROUNDING * np.hypot(row_norm(predictions), row_norm(data.mean))
    same = (row_norm(away) <= rounding)[:, None]
    away, predictions = np.where(same, 0.0, away), np.where(same, data.mean, predictions)
    matrix = _MATRICES[metric](away, rounding, data)
    np.fill_diagonal(matrix, own_scores(metric, predictions, data))
    return matrix


def own_scores(metric: str, predictions: FloatArray, data: HeldOutData) -> FloatArray:
    """Score of each prediction on its own perturbation."""
    if metric == "l2":
        return row_norm(predictions - data.observed)
    if metric == "pearson_delta":
        return correlation(predictions, data.observed, data.control)
    if metric == "pearson_delta_perturbed":
        return correlation(predictions, data.observed, data.mean)
    away = data.off(predictions - data.control)
    # What is left of an effect on the axis is rounding of the numbers that it was made from.
    nothing = row_norm(away) <= ROUNDING * np.hypot(row_norm(predictions), row_norm(data.mean))
    return correlation(np.where(nothing[:, None], 0.0, away), data.off(data.observed - data.control))


def ceilings(metric: str, data: HeldOutData) -> FloatArray:
    """Score of a perfect prediction, as predicted means, for each perturbation."""
    truth = data.truth
    if metric == "l2":
        return l2_ceiling(truth, truth.of_means)
    if metric == "off_axis":
        squares = row_norm(centered(data.off(data.observed - data.control))) ** 2
        nothing = np.zeros_like(squares)
        return CeilingTerms(
            squares, truth.centered_share * data.off_noise, nothing, nothing, nothing, truth.centered_a2
        ).score
    return pearson_ceiling(truth, truth.of_means, CORRELATIONS[metric])


def ceiling_matrix(metric: str, data: HeldOutData) -> FloatArray:
    """Score of the truth of each perturbation (columns) on each other (rows); the noise of what stands for it is removed."""
    own = ceilings(metric, data)
    matrix = score_matrix(metric, data.observed, data)
    if metric in ERRORS:
        matrix = np.sqrt(np.maximum(matrix**2 - data.truth.own_noise.sum(axis=1), 0.0))
    else:
        matrix = np.clip(np.divide(matrix, own, out=np.zeros_like(matrix), where=own > 0), -1.0, 1.0)
    np.fill_diagonal(matrix, own)
    return matrix


def _l2_matrix(away: FloatArray, rounding: FloatArray, data: HeldOutData) -> FloatArray:
    # ‖x_q − s_p‖² = ‖x_q‖² − 2 s_p·x_q + ‖s_p‖², predictions q (columns) on perturbations p (rows)
    squares = row_norm(away) ** 2 - 2 * data.shift @ away.T + row_norm(data.shift)[:, None] ** 2
    return np.sqrt(np.maximum(squares, 0.0))


def _perturbed_matrix(away: FloatArray, rounding: FloatArray, data: HeldOutData) -> FloatArray:
    predicted, truth = centered(away), centered(data.shift)
    # t_p · x_q over the norms of both: correlations of all pairs
    return _quotient(truth @ predicted.T, row_norm(predicted), row_norm(truth), rounding)


def _delta_matrix(away: FloatArray, rounding: FloatArray, data: HeldOutData) -> FloatArray:
    predicted, base = centered(away), centered(data.mean - data.control)
    truth = centered(data.observed - data.control)
    # ‖x_q + b_p‖²: predictions q, with the mean response that the fit of p has learned
    size = row_norm(predicted) ** 2 + 2 * base @ predicted.T + row_norm(base)[:, None] ** 2
    # t_p · (x_q + b_p) (P, P)
    product = truth @ predicted.T + np.einsum("pg,pg->p", truth, base)[:, None]
    return _quotient(product, np.sqrt(np.maximum(size, 0.0)), row_norm(truth), rounding)


def _off_matrix(away: FloatArray, rounding: FloatArray, data: HeldOutData) -> FloatArray:
    n_genes = away.shape[1]
    truth = centered(data.off(data.shift))
    # a_p · x_q, each prediction along the axis of each perturbation (P, P)
    on = data.axis @ away.T
    # t_p · (x_q − (a_p·x_q) a_p): truth and prediction, both off the axis of p (P, P)
    product = truth @ away.T - np.einsum("pg,pg->p", truth, data.axis)[:, None] * on
    middle = away.mean(axis=1) - data.axis.mean(axis=1)[:, None] * on
    size = row_norm(away) ** 2 - on**2 - n_genes * middle**2
    return _quotient(product, np.sqrt(np.maximum(size, 0.0)), row_norm(truth), rounding)


_MATRICES: dict[str, Callable[[FloatArray, FloatArray, HeldOutData], FloatArray]] = {
    "l2": _l2_matrix,
    "pearson_delta": _delta_matrix,
    "pearson_delta_perturbed": _perturbed_matrix,
    "off_axis": _off_matrix,
}


def _quotient(product: FloatArray, size: FloatArray, truth: FloatArray, rounding: FloatArray) -> FloatArray:
    """Correlations; 0 where a side is constant."""
    size = np.broadcast_to(size, product.shape)
    norms = size * truth[:, None]
    known = (size > rounding) & (norms > 0)
    return np.clip(np.divide(product, norms, out=np.zeros_like(product), where=known), -1.0, 1.0)


# -- on and off the axis -------------------------------------------------------------------------------------------


def off_share(predictions: FloatArray, data: HeldOutData) -> float:
    """Share of squared predicted effects off the mean training effect; NaN where there is no effect but rounding."""
    effects = predictions - data.control
    total = float(np.sum(effects**2))
    if total <= ROUNDING**2 * float(np.sum(predictions**2)):
        return float("nan")
    return float(np.sum(data.off(effects) ** 2)) / total


def observed_off_share(data: HeldOutData) -> float:
    """Share of the squared observed effects, without noise, off the mean training effect."""
    effects = data.observed - data.control
    total = float(np.sum(effects**2) - data.truth.noise(data.truth.of_changes).sum())
    parts = float(np.sum(data.off(effects) ** 2) - data.off_noise.sum())
    return parts / total if total > 0 else float("nan")


def half_scores(metric: str, predictions: tuple[FloatArray, FloatArray], data: HeldOutData) -> FloatArray:
    """Mean score on the two halves of each perturbation, each with its own half of the control.

    ``predictions`` are those that are scored on half 1 and on half 2.
    """
    scores = np.zeros(len(data.observed))
    for predicted, observed, control in zip(predictions, data.half, data.control_half, strict=True):
        if metric == "l2":
            scores += row_norm(predicted - observed) / 2
        elif metric == "pearson_delta":
            scores += correlation(predicted, observed, control) / 2
        elif metric == "pearson_delta_perturbed":
            scores += correlation(predicted, observed, data.mean) / 2
        else:
            scores += np.nan
    return scores


def axis_only(data: HeldOutData) -> tuple[FloatArray, FloatArray]:
    """Predictions for half 1 and half 2 that know the axis, and from the other half how far to go along it."""
    u1, u2 = data.axes[0][data.fit], data.axes[1][data.fit]
    (c1, c2), (h1, h2) = data.control_half, data.half
    # u1 · u2 of the axis of each perturbation (P,)
    size = np.einsum("pg,pg->p", u1, u2)
    inverse = np.divide(1, size, out=np.full_like(size, np.nan), where=size != 0)
    # Control plus (D1_p·u2) / (u1·u2) u1, from half 1 for half 2 (P, G); below, the reverse
    for_2 = c1 + (np.einsum("pg,pg->p", h1 - c1, u2) * inverse)[:, None] * u1
    # Control plus (D2_p·u1) / (u1·u2) u2 (P, G)
    for_1 = c2 + (np.einsum("pg,pg->p", h2 - c2, u1) * inverse)[:, None] * u2
    return for_1, for_2


def axes_agree(axes: FloatArray, least: float) -> BoolArray:
    """Whether the two half estimates of each fit's axis have at least such a cosine (F,)."""
    size = row_norm(axes[0]) * row_norm(axes[1])
    # u1 · u2 of each fit (F,)
    product = np.einsum("fg,fg->f", axes[0], axes[1])
    cosines = np.divide(product, size, out=np.zeros_like(size), where=size > 0)
    return np.asarray(cosines >= least, dtype=np.bool_)

"""How much predictions differ between perturbations, beside how much the perturbations do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.resampling import NO_ROOM, ratios

MIN_FOLD = 5
ROUNDING = 1e-9
COLLAPSED = 0.999
NO_VARIANCE = "no reproducible variance between perturbations"


class SpreadRatio(NamedTuple):
    """Root of the ratio of two sums of variances, with its interval; ``reason`` says why something is NaN."""

    estimate: float
    low: float
    high: float
    reason: str


class Spread(NamedTuple):
    """Variance between perturbations, of each gene and of all together.

    Parameters
    ----------
    predicted
        Variance of the predictions, by gene.
    observed
        Covariance of the two halves of the data, by gene: their variance without noise.
    reliable
        Whether that covariance exceeds twice its standard error, by gene.
    ratio
        Root of the ratio of the sums, with its interval.
    """

    predicted: FloatArray
    observed: FloatArray
    reliable: BoolArray
    ratio: SpreadRatio


def groups_of_folds(fold: IntArray) -> IntArray:
    """Perturbations to be centered together: those of one fold, or, where a fold has fewer than 5, all."""
    sizes = np.unique(fold, return_counts=True)[1]
    return np.zeros(len(fold), dtype=np.int64) if sizes.min(initial=MIN_FOLD) < MIN_FOLD else fold


def deviations(values: FloatArray, groups: IntArray) -> FloatArray:
    """Differences of the rows from the mean of their group; rounding is no difference."""
    names, code = np.unique(groups, return_inverse=True)
    member = (code[:, None] == np.arange(len(names))).astype(np.float64)
    # Mean of each group (groups, G)
    means = (member.T @ values) / member.sum(axis=0)[:, None]
    away = values - means[code]
    size = np.abs(values).max(axis=1, initial=0.0)[:, None]
    return np.where(np.abs(away).max(axis=1, keepdims=True, initial=0.0) > ROUNDING * size, away, 0.0)


def is_constant(values: FloatArray, groups: IntArray) -> bool:
    """Whether all rows of each group are the same; one row alone says nothing."""
    shared = np.unique(groups, return_counts=True)[1].max(initial=0) > 1
    return bool(shared and not deviations(values, groups).any())


def spread(
    predictions: FloatArray, half_1: FloatArray, half_2: FloatArray, groups: IntArray, weights: IntArray
) -> Spread:
    """Compare the variance of predictions between perturbations with that of the data.

    Both are taken about the mean of the group (perturbations x genes, one group for each row of `groups`): the fits of
    different folds have different means, which is a difference between fits and not between perturbations.

    Parameters
    ----------
    predictions, half_1, half_2
        Predictions and the two halves of the data, perturbations x genes.
    groups
        Group of each perturbation.
    weights
        Resamples of the perturbations, from :func:`scpertbias._core.resampling.bootstrap_weights`.
    """
    freedom = len(groups) - len(np.unique(groups))
    squares = deviations(predictions, groups) ** 2
    products = deviations(half_1, groups) * deviations(half_2, groups)
    if freedom < 2:
        nothing = np.full(predictions.shape[1], np.nan)
        none = SpreadRatio(np.nan, np.nan, np.nan, "fewer than 3 perturbations")
        return Spread(nothing, nothing, np.zeros(len(nothing), dtype=bool), none)
    covariance = products.sum(axis=0) / freedom
    # The standard error of a mean of products; their number is what is left after centering.
    error = products.std(axis=0, ddof=1) * np.sqrt(len(groups)) / freedom
    columns = squares.sum(axis=1)[:, None], products.sum(axis=1)[:, None]
    squared = ratios(*columns, weights.astype(np.float64, order="F"))
    estimate, low, high = (float(np.sqrt(value[0])) for value in (squared.estimate, squared.low, squared.high))
    reason = str(squared.reason[0])
    ratio = SpreadRatio(estimate, low, high, NO_VARIANCE if reason == NO_ROOM else reason)
    return Spread(squares.sum(axis=0) / freedom, covariance, covariance > 2 * error, ratio)


class Collapse(NamedTuple):
    """How close predictions are to those of the baselines, and to which of them if they are no other (or ``""``)."""

    cosine_mean: float
    cosine_control: float
    to: str


def collapse(predictions: FloatArray, mean: FloatArray, control: FloatArray) -> Collapse:
    """Compare predicted effects with those of the mean and of the control prediction.

    Against the mean as differences from control, against control as differences from the mean (the control prediction
    has no effect that could be compared). Predictions between the two, a mean shrunk towards control, are as close to
    either, and are named after the nearer.

    Parameters
    ----------
    predictions
        Perturbations x genes.
    mean
        For each perturbation the mean of those that the model was trained on.
    control
        Mean of the control.
    """
    axis = mean - control
    from_control, from_mean = predictions - control, predictions - mean
    cosines = cosine(from_control, axis), cosine(from_mean, -axis)
    to = ""
    if max(cosines) > COLLAPSED:
        to = "mean" if np.sum(from_mean**2) <= np.sum(from_control**2) else "no_change"
    return Collapse(*cosines, to)


def cosine(a: FloatArray, b: FloatArray) -> float:
    """Cosine of two arrays as wholes; 0 where one is zero up to rounding."""
    size = np.linalg.norm(a), np.linalg.norm(b)
    if min(size) <= ROUNDING * max(size):
        return 0.0
    return float(np.sum(a * b) / (size[0] * size[1]))

"""Variation of predictions between perturbations, compared with the observed variation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.noise import SURE
from scpertbias._core.resampling import Estimate, effective_number, jackknifed, ratio_bounds

MIN_FOLD = 5
ROUNDING = 1e-9
ROWS_AT_ONCE = 128
COLLAPSED = 0.999
NO_VARIANCE = "no reproducible variance between perturbations"


@dataclass(frozen=True)
class ObservedMeans:
    """Observed means (P, G) and their noise: ``own`` (P, G) of their cells, ``control`` (S, G) of the control by batch.

    ``weights`` (P, S) are the shares of the batches in the cells of each perturbation, ``a2`` is one over the effective
    number of genes of the noise.
    """

    means: FloatArray
    own: FloatArray
    weights: FloatArray
    control: FloatArray
    a2: float
    _about: dict[bytes, _ObservedSpread] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def own_sums(self) -> FloatArray:
        """Sampling variance of the own cells, summed over genes (P,)."""
        sums: FloatArray = self.own.sum(axis=1)
        return sums

    def about_groups(self, groups: IntArray) -> _ObservedSpread:
        """Return how the means differ within groups, which is the same for all models."""
        key = groups.tobytes()
        if key not in self._about:
            self._about[key] = _ObservedSpread.of(self, groups)
        return self._about[key]


@dataclass(frozen=True)
class _ObservedSpread:
    """Squared deviations from the mean of the group, without noise: ``terms`` (P,) summed over genes, ``variance`` (G,).

    ``fixed`` (P,) are those with the noise of the own cells; ``error`` (G,) is the standard error of the variance, ``room``
    whether the perturbations differ by more than noise.
    """

    code: IntArray
    terms: FloatArray
    fixed: FloatArray
    variance: FloatArray
    error: FloatArray
    room: bool

    @classmethod
    def of(cls, observed: ObservedMeans, groups: IntArray) -> _ObservedSpread:
        freedom, weights_away = len(groups) - len(np.unique(groups)), deviations(observed.weights, groups)
        _, code, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        member = (code[:, None] == np.arange(len(sizes))).astype(np.float64)
        size = sizes[code].astype(np.float64)[:, None]
        of_control = weights_away**2 @ observed.control
        # Noise of x_p − mean: (1 − 2/m) v_p + Σ_q v_q / m² of the own cells, Σ_b (w_pb − mean)² s²_0b / n_0b of the control
        noise = (1 - 2 / size) * observed.own
        noise += (member @ (member.T @ observed.own)) / size**2
        noise += of_control
        squares = deviations(observed.means, groups)
        squares *= squares
        fixed = squares.sum(axis=1) - of_control.sum(axis=1)
        # Standard error of the sum of the terms where perturbations do not differ.
        null = float(np.sqrt(2 * observed.a2 * np.sum(noise.sum(axis=1) ** 2)))
        squares -= noise
        # The standard error of a mean of terms; their number is what is left after centering.
        error = squares.std(axis=0, ddof=1) * np.sqrt(len(groups)) / freedom
        terms, variance = squares.sum(axis=1), squares.sum(axis=0) / freedom
        return cls(code.astype(np.int64), terms, fixed, variance, error, room=float(terms.sum()) >= SURE * null)


class Spread(NamedTuple):
    """Variance between perturbations, of each gene and of all together.

    Parameters
    ----------
    predicted
        Variance of the predictions, by gene.
    observed
        Variance of the data without noise, by gene.
    reliable
        Whether that exceeds twice its standard error, by gene.
    ratio
        Root of the ratio of the sums over genes, with its interval.
    """

    predicted: FloatArray
    observed: FloatArray
    reliable: BoolArray
    ratio: Estimate


def groups_of_folds(fold: IntArray) -> IntArray:
    """Perturbations to be centered together: those of one fold, or, where a fold has fewer than 5, all."""
    sizes = np.unique(fold, return_counts=True)[1]
    return np.zeros(len(fold), dtype=np.int64) if sizes.min(initial=MIN_FOLD) < MIN_FOLD else fold


def deviations(values: FloatArray, groups: IntArray) -> FloatArray:
    """Differences of the rows from the mean of their group; rounding errors count as 0."""
    names, code = np.unique(groups, return_inverse=True)
    member = (code[:, None] == np.arange(len(names))).astype(np.float64)
    # Mean of each group (groups, G)
    means = (member.T @ values) / member.sum(axis=0)[:, None]
    away: FloatArray = means[code]
    np.subtract(values, away, out=away)
    away[~(_largest(away) > ROUNDING * _largest(values))] = 0.0
    return away


def _largest(values: FloatArray) -> FloatArray:
    """Largest absolute value of each row, 0 without any."""
    largest: FloatArray = np.maximum(values.max(axis=1, initial=0.0), -values.min(axis=1, initial=0.0))
    return largest


def is_constant(values: FloatArray, groups: IntArray) -> bool:
    """Whether all rows of each group are equal; False for a single row."""
    _, code, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    several = np.flatnonzero(sizes > 1)
    pairs = (values[np.flatnonzero(code == group)[:2]] for group in several)
    if not len(several) or any(_differ(*pair) for pair in pairs):  # two rows nearly always decide
        return False
    return not deviations(values, groups).any()


def _differ(a: FloatArray, b: FloatArray) -> bool:
    """Whether at least one of two rows differs from any common mean by more than rounding."""
    size = max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0))
    return bool(np.abs(a - b).max(initial=0.0) > 2 * ROUNDING * size)


def spread(predictions: FloatArray, observed: ObservedMeans, groups: IntArray) -> Spread:
    """Compare the variance of predictions between perturbations with that of the data, without noise.

    Both are taken about the mean of the group (one for each row of `groups`): the fits of different folds have different
    means, which is a difference between fits and not between perturbations.

    Parameters
    ----------
    predictions
        Perturbations x genes.
    observed
        Of the same perturbations.
    groups
        Group of each perturbation.
    """
    freedom = len(groups) - len(np.unique(groups))
    if freedom < 2:
        nothing = np.full(predictions.shape[1], np.nan)
        none = Estimate(len(groups), np.nan, np.nan, reason="fewer than 3 perturbations")
        return Spread(nothing, nothing, np.zeros(len(nothing), dtype=bool), none)
    data, squares = observed.about_groups(groups), deviations(predictions, groups)
    squares *= squares
    ratio = _ratio(squares.sum(axis=1), data.terms, data.fixed, observed.own_sums, data.code, room=data.room)
    return Spread(squares.sum(axis=0) / freedom, data.variance, data.variance > 2 * data.error, ratio)


def _ratio(
    squares: FloatArray, terms: FloatArray, fixed: FloatArray, own_noise: FloatArray, code: IntArray, *, room: bool
) -> Estimate:
    """Root of the ratio of sums of squared deviations; the jackknife centers anew without each perturbation.

    Parameters
    ----------
    squares, terms
        Squared deviations of predictions, and those of the data without noise, summed over genes (P).
    fixed
        Squared deviations of the data without the noise of the control only (P).
    own_noise
        Sampling variance of the own cells, summed over genes (P).
    code
        Group of each perturbation.
    room
        Whether the perturbations differ by more than noise.
    """
    n, total = len(terms), float(terms.sum())
    if not (room and total > 0):
        return Estimate(n, effective_number(terms), np.nan, reason=NO_VARIANCE)
    size = np.bincount(code)[code].astype(np.float64)
    # Without p, the sum of squares about the mean falls by m/(m − 1) of its own: a group of one falls to 0.
    grow = np.divide(size, size - 1, out=np.ones(n), where=size > 1)
    group_noise = np.bincount(code, weights=own_noise)[code]
    left = np.divide(1, size - 1, out=np.zeros(n), where=size > 1)
    before, after = group_noise * (1 - 1 / size), (group_noise - own_noise) * (1 - left)
    below = total - grow * fixed + before - after
    with np.errstate(divide="ignore", invalid="ignore"):
        without_one = (squares.sum() - grow * squares) / below
    squared = jackknifed(float(squares.sum()) / total, without_one, effective_number(terms), ratio_bounds)
    estimate, low, high = (float(np.sqrt(np.maximum(x, 0.0))) for x in (squared.estimate, squared.low, squared.high))
    return replace(squared, estimate=estimate, low=low, high=high)


class Collapse(NamedTuple):
    """Cosines of predicted effects with the baselines, and the baseline to which predictions are equivalent (or ``""``)."""

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
    # Products of the axis, the differences from control, and those from the mean, with each other (3, 3)
    products = np.zeros((3, 3))
    for start in range(0, len(predictions), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        some = predictions[rows] - control, predictions[rows] - mean[rows]
        vectors = np.stack([(mean[rows] - control).ravel(), *(part.ravel() for part in some)])
        products += vectors @ vectors.T
    cosines = _cosine(products[:2, :2]), 0.0 - _cosine(products[::2, ::2])
    to = ""
    if max(cosines) > COLLAPSED:
        to = "mean" if products[2, 2] <= products[1, 1] else "no_change"
    return Collapse(*cosines, to)


def _cosine(products: FloatArray) -> float:
    """Cosine of two vectors from their products with each other (2, 2); 0 where one is zero up to rounding."""
    size = np.sqrt(np.diag(products))
    if size.min() <= ROUNDING * size.max():
        return 0.0
    return float(products[0, 1] / (size[0] * size[1]))

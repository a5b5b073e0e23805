"""Scores of predicted profiles for each perturbation, and the registry of all scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from scpertbias._core import ceilings
from scpertbias._core.arrays import FloatArray
from scpertbias._core.ceilings import ROUNDING, Truth, correlation, row_norm
from scpertbias._core.correlations import CORRELATIONS, NoiseWeights, unshared_correlation
from scpertbias._core.de import DE_METRICS, DeMetric
from scpertbias._core.pearson_ceilings import pearson_ceiling

Score = Callable[[FloatArray, Truth], FloatArray] | Callable[[FloatArray, Truth, NoiseWeights], FloatArray]
TruthScore = Callable[[Truth, FloatArray], FloatArray]
"""Function that returns the score of a perfect prediction, given its weights of the control batches."""

TIE_TOLERANCE = 1e-10
DISTANCE_BLOCK = 512
MIN_GROUP = 3


def l2(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Euclidean distance of prediction and observed mean."""
    return row_norm(predictions - truth.observed)


def rmse(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Root mean squared error over genes."""
    score: FloatArray = l2(predictions, truth) / np.sqrt(truth.observed.shape[1])
    return score


def mae(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Mean absolute error over genes."""
    score: FloatArray = np.abs(predictions - truth.observed).mean(axis=1)
    return score


def l2_ratio(predictions: FloatArray, truth: Truth) -> FloatArray:
    """L2 error over that of the mean baseline; NaN where that has none."""
    return l2(predictions, truth) / truth.centroid_l2


def mse_de20(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Mean squared error over the 20 genes with the strongest observed effects."""
    # A prediction with any gap is not a prediction, whichever genes are looked at.
    gaps = np.isnan(predictions).any(axis=1)
    return np.where(gaps, np.nan, truth.over_strongest((predictions - truth.observed) ** 2))


def pearson_delta(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Correlation of predicted and observed differences from control."""
    return correlation(predictions, truth.observed, truth.control)


def pearson_delta_perturbed(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Correlation of predicted and observed differences from the mean of the perturbed."""
    return correlation(predictions, truth.observed, truth.centroid)


def control_noise(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Squared sampling error of the control mean, relative to the squared predicted effect.

    Above 0.1 `pearson_delta` rewards control noise. It is infinite where no effect is predicted.
    """
    effect = row_norm(predictions - truth.control)
    result = np.where(np.isnan(effect), np.nan, np.inf)
    predicted = effect > ROUNDING * row_norm(predictions)
    noise = float(truth.of_means**2 @ truth.control_noise.sum(axis=1))
    np.divide(noise, effect**2, out=result, where=predicted)
    return result


def discrimination(predictions: FloatArray, truth: Truth) -> FloatArray:
    """Share of the other perturbations with an observed mean farther from the prediction than the own observed mean.

    Distances are L1, over genes that are the target of no perturbation; ties count half. Candidates are all rows of
    the group, also those that this model cannot predict, so that models share them. Any constant prediction averages
    exactly 0.5. NaN in groups of fewer than three.
    """
    scores = np.full(truth.observed.shape[0], np.nan)
    columns = ~truth.target_columns
    predicted = np.logical_not(np.isnan(predictions).any(axis=1))
    if not columns.any():
        return scores
    for group in np.unique(truth.groups):
        members = np.flatnonzero(truth.groups == group)
        if members.size < MIN_GROUP:
            continue
        candidates = truth.observed[np.ix_(members, columns)]
        positions = np.flatnonzero(predicted[members])
        for start in range(0, positions.size, DISTANCE_BLOCK):
            block = positions[start : start + DISTANCE_BLOCK]
            values = predictions[np.ix_(members[block], columns)]
            if (values == values[0]).all():  # one prediction for all is as far from each candidate
                distances = np.repeat(cdist(values[:1], candidates, "cityblock"), len(block), axis=0)
            else:
                distances = cdist(values, candidates, "cityblock")
            scores[members[block]] = _share_farther(distances, block)
    return scores


def _share_farther(distances: FloatArray, own: npt.NDArray[np.intp]) -> FloatArray:
    """Share of the other columns with a larger distance than the column `own` of each row, ties half."""
    own_distance = np.take_along_axis(distances, own[:, None], axis=1)
    excess = distances - own_distance
    # The tolerance is symmetric in the pair, so that for a constant prediction every pair adds exactly 1.
    tolerance = TIE_TOLERANCE * np.maximum(distances, own_distance)
    farther = np.count_nonzero(excess > tolerance, axis=1)
    tied = np.count_nonzero(np.abs(excess) <= tolerance, axis=1) - 1
    return np.asarray((farther + 0.5 * tied) / (distances.shape[1] - 1), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One score: its names, its direction, and its ceiling.

    Parameters
    ----------
    name
        Column of the scores.
    label
        Label of an axis, with the unit.
    best
        Value of a perfect prediction.
    higher_is_better
        Direction.
    function
        Score of each row; NaN where the prediction is.
    ceiling
        Score of a perfect prediction for each row, if known.
    scale_free
        Whether scores of different genes or scales may be compared.
    scaled
        Whether a scaled score is defined.
    unshared
        Whether the score is corrected for noise that prediction and observed effect have in common, which is then an
        argument of the function.
    """

    name: str
    label: str
    best: float
    higher_is_better: bool
    function: Score
    ceiling: TruthScore | None = None
    scale_free: bool = False
    scaled: bool = False
    unshared: bool = False


def _error(
    function: Score, label: str, ceiling: TruthScore, *, scale_free: bool = False, scaled: bool = False
) -> Metric:
    return Metric(
        name=function.__name__,
        label=label,
        best=0.0,
        higher_is_better=False,
        function=function,
        ceiling=ceiling,
        scale_free=scale_free,
        scaled=scaled,
    )


def _correlation(function: Score, label: str) -> Metric:
    return Metric(
        name=function.__name__,
        label=label,
        best=1.0,
        higher_is_better=True,
        function=function,
        ceiling=partial(pearson_ceiling, kind=CORRELATIONS[function.__name__]),
        scale_free=True,
        scaled=True,
    )


def _unshared(name: str, label: str) -> Metric:
    return Metric(
        name=name,
        label=f"{label}, without shared noise",
        best=1.0,
        higher_is_better=True,
        function=partial(unshared_correlation, kind=CORRELATIONS[name]),
        ceiling=partial(pearson_ceiling, kind=CORRELATIONS[name]),
        scale_free=True,
        scaled=True,
        unshared=True,
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _error(l2, "L2 error (log-normalized units)", ceilings.l2_ceiling, scaled=True),
        _error(rmse, "root mean squared error (log-normalized units)", ceilings.rmse_ceiling),
        _error(mae, "mean absolute error (log-normalized units)", ceilings.mae_ceiling),
        _error(
            mse_de20,
            "mean squared error of the 20 strongest genes (squared log-normalized units)",
            ceilings.mse_de20_ceiling,
        ),
        _correlation(pearson_delta, "Pearson correlation of effects (differences from control)"),
        _correlation(pearson_delta_perturbed, "Pearson correlation of effects minus the mean effect"),
        _unshared("pearson_delta_unshared", "Pearson correlation of effects (differences from control)"),
        _unshared("pearson_delta_perturbed_unshared", "Pearson correlation of effects minus the mean effect"),
        _unshared("cosine_delta_unshared", "cosine of effects (differences from control)"),
        _error(l2_ratio, "L2 error relative to the mean baseline", ceilings.l2_ratio_ceiling, scale_free=True),
        Metric(
            name="discrimination",
            label="discrimination (share of other perturbations that are less similar to the prediction)",
            best=1.0,
            higher_is_better=True,
            function=discrimination,
            scale_free=True,
        ),
    )
}


ALL_METRICS: dict[str, Metric | DeMetric] = {**METRICS, **DE_METRICS}
"""Metrics of means and of differential expression."""


def evaluate(predictions: FloatArray, truth: Truth, held: NoiseWeights) -> dict[str, FloatArray]:
    """Score predictions by every metric, and return `inflation` and `control_noise`, too.

    `inflation` is the part of `pearson_delta` due to noise in both sides.

    Parameters
    ----------
    predictions
        Rows x genes; a row of NaN is a perturbation that the model cannot predict.
    truth
        What they are compared with.
    held
        Noise of the screen that they hold.

    Returns
    -------
    One value for each row, by metric.
    """
    if predictions.shape != truth.observed.shape:
        msg = f"`predictions` has shape {predictions.shape}, but the observed means have {truth.observed.shape}."
        raise ValueError(msg)
    scores = {
        name: metric.function(predictions, truth, *((held,) if metric.unshared else ()))
        for name, metric in METRICS.items()
    }
    scores["inflation"] = scores["pearson_delta"] - scores["pearson_delta_unshared"]
    scores["control_noise"] = control_noise(predictions, truth)
    return scores


def evaluate_ceilings(truth: Truth, predicted: FloatArray) -> dict[str, FloatArray]:
    """Ceiling for each row, by metric, for metrics where it is known.

    Parameters
    ----------
    truth
        What predictions are compared with.
    predicted
        Weights of the predictions on the batches of the control (S): :attr:`Truth.of_means` or
        :attr:`Truth.of_changes`.
    """
    return {n: metric.ceiling(truth, predicted) for n, metric in METRICS.items() if metric.ceiling is not None}

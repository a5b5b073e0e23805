"""Any function as a metric, with baseline, ceiling, null distribution and interval computed from the function.

A function gets predicted and observed means of P perturbations (P x G) and the control (G). If it uses the control,
prediction and observation get different halves of it, so that common noise does not count as agreement.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.moments import control_by_batch

PER = ("perturbation", "screen")
OTHER_HALF = ((0, 1), (1, 0))
NEGLIGIBLE = 1e-6


class MetricFunction:
    """A user-defined function, called with arrays or with vectors.

    It returns one value for each row of P x G arrays; or one number, and is then called for each row with vectors. With
    ``per="screen"``, the one number is about all rows.
    """

    def __init__(self, function: Callable[[FloatArray, FloatArray, FloatArray], Any], *, per: str = PER[0]) -> None:
        self.function, self.per = function, per
        self._takes_rows: bool | None = None

    def __call__(self, predicted: FloatArray, observed: FloatArray, control: FloatArray) -> FloatArray:
        """Return one score for each row, with ``per="screen"`` one for all (1,)."""
        with np.errstate(all="ignore"):
            if self.per == PER[1]:
                return np.array([_number(self.function(predicted, observed, control))])
            if self._takes_rows is None:
                self._takes_rows = not self._takes_arrays(predicted, observed, control)
            if self._takes_rows:
                pairs = zip(predicted, observed, strict=True)
                return np.array([_number(self.function(x, y, control)) for x, y in pairs])
            return np.asarray(self.function(predicted, observed, control), dtype=np.float64)

    def _takes_arrays(self, predicted: FloatArray, observed: FloatArray, control: FloatArray) -> bool:
        """Whether the function returns one value for each row of arrays; a function of vectors can raise an error."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result = np.asarray(self.function(predicted, observed, control))
            except (TypeError, ValueError, IndexError):
                return False
        return result.shape == (len(predicted),)

    def of_halves(self) -> MetricFunction:
        """Return the function that judges one half of the cells."""
        return self

    def compares_rows(self, predicted: FloatArray, observed: FloatArray, control: FloatArray) -> bool:
        """Whether the score of a row depends on the other rows, as a rank among perturbations does."""
        scores = self(predicted, observed, control)
        if self._takes_rows or self.per == PER[1] or len(scores) < 2:
            return False
        some = np.arange(len(scores)) < len(scores) // 2
        alone = np.concatenate([self(predicted[rows], observed[rows], control) for rows in (some, ~some)])
        return not np.allclose(alone, scores, rtol=1e-6, atol=1e-9, equal_nan=True)


def _number(value: Any) -> float:
    result = np.asarray(value)
    if result.size != 1:
        msg = f"`function` returned an array of shape {result.shape}; it must return one number, or one number per row."
        raise ValueError(msg)
    return float(result.reshape(()))


@dataclass(frozen=True)
class Prediction:
    """Predicted effects against the control (P x G), and how they move with it.

    ``weights`` (P x S): the effects fall by these shares of what is added to the control mean of each batch.
    """

    effect: FloatArray
    weights: FloatArray

    def rows(self, rows: IntArray) -> Prediction:
        """Return some rows."""
        return Prediction(self.effect[rows], self.weights[rows])


@dataclass(frozen=True)
class Observations:
    """Observed effects of P perturbations on G genes, and how they move with the control of S batches.

    ``effect`` (P, G) is that of all cells, ``half`` (2, P, G) those of the halves, each against its own half of the
    control; ``weights`` (P, S) and ``half_weights`` (2, P, S) are the shares of the batches in the cells, ``noise`` (P,)
    the sampling variance of the effects summed over genes. ``control_half`` (2, S, G) are means of the control, of
    ``n_control_half`` (2, S) cells. ``mean`` is the mean effect of the training perturbations of each, as a prediction.
    """

    effect: FloatArray
    half: FloatArray
    weights: FloatArray
    half_weights: FloatArray
    noise: FloatArray
    control_half: FloatArray
    n_control_half: FloatArray
    mean: Prediction
    blocks: ControlBlocks

    @cached_property
    def shares(self) -> FloatArray:
        """Shares of the batches in the control (S,)."""
        n: FloatArray = self.n_control_half.sum(axis=0)
        shares: FloatArray = n / n.sum()
        return shares

    @cached_property
    def control_batch(self) -> FloatArray:
        """Control mean of each batch (S, G)."""
        return control_by_batch(self.control_half, self.n_control_half)

    def rows(self, rows: IntArray) -> Observations:
        """Return some perturbations."""
        return replace(
            self,
            effect=self.effect[rows],
            half=self.half[:, rows],
            weights=self.weights[rows],
            half_weights=self.half_weights[:, rows],
            noise=self.noise[rows],
            mean=self.mean.rows(rows),
        )

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Draw the halves of the control anew, as another sample of cells would be (2, S, G)."""
        normal = rng.standard_normal(self.blocks.scale.shape)
        # Σ_k g_kb √(n_k / (n^a_0b d_a)) β_k, by half and batch (2, S, G)
        apart = np.einsum("aks,akg->asg", normal * np.sqrt(self.blocks.scale), self.blocks.means)
        drawn: FloatArray = np.nan_to_num(self.control_half) + apart
        return drawn

    def pairs(self, halves: FloatArray, *, uses_control: bool) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield the control means of the batches (S, G) for a prediction and for the observation.

        Those are different halves, or with ``uses_control=False`` all control cells for both.
        """
        if uses_control:
            yield from ((np.nan_to_num(halves[a]), np.nan_to_num(halves[b])) for a, b in OTHER_HALF)
        else:
            both = control_by_batch(halves, self.n_control_half)
            yield both, both

    def predicted(self, prediction: Prediction, control: FloatArray) -> FloatArray:
        """Return predicted effects as they are with these control means of the batches (P x G)."""
        effect: FloatArray = prediction.effect - prediction.weights @ (control - self.control_batch)
        return effect

    def observed(self, control: FloatArray) -> FloatArray:
        """Return observed effects against these control means of the batches (P x G)."""
        effect: FloatArray = self.effect - self.weights @ (control - self.control_batch)
        return effect

    def errors(self, halves: FloatArray, shared: FloatArray, *, uses_control: bool) -> FloatArray:
        """Return errors of the observed effects of the size that a score meets, from the differences of the halves (P x G).

        Half the difference of two halves varies as the mean of all cells does. A score against one half of the control
        holds twice the variance of the control; one against all of it what observed effects do not share with predictions
        (``shared``, S or P x S).
        """
        apart = [self.half[a] + self.half_weights[a] @ np.nan_to_num(self.control_half[a]) for a in (0, 1)]
        own = apart[0] - apart[1] - (self.half_weights[0] - self.half_weights[1]) @ self.control_batch
        weights = np.sqrt(2.0) * self.weights if uses_control else self.weights - shared
        of_control = np.nan_to_num(halves[0]) - np.nan_to_num(halves[1])
        errors: FloatArray = (own - weights @ of_control) / 2
        return errors

    def score(
        self, function: MetricFunction, prediction: Prediction, halves: FloatArray, *, uses_control: bool
    ) -> FloatArray:
        """Score predictions with these halves of the control, mean over the orders of the halves."""
        scores = []
        for own, other in self.pairs(halves, uses_control=uses_control):
            control = self.shares @ other
            predicted, observed = self.predicted(prediction, own), self.observed(other)
            scores.append(function(control + predicted, control + observed, control))
        return _mean_of_orders(scores)

    def ceiling(
        self, function: MetricFunction, halves: FloatArray, shared: FloatArray, *, uses_control: bool
    ) -> FloatArray:
        """Score the matched truth: the observed effect at its size without noise, seen with errors of the right size."""
        effect = self.observed(control_by_batch(halves, self.n_control_half))
        truth, errors = noise_free(effect, self.noise), self.errors(halves, shared, uses_control=uses_control)
        others = [other for _, other in self.pairs(halves, uses_control=uses_control)]
        # What a truth given as means and the control share is an error of the control alone.
        apart = 0.0 * self.shares if uses_control else np.broadcast_to(shared, self.weights.shape).mean(axis=0)
        of_control = apart @ (np.nan_to_num(halves[0]) - np.nan_to_num(halves[1])) / 2
        scores = []
        for sign, other in ((1.0, others[0]), (-1.0, others[-1])):
            control = self.shares @ other
            scores.append(function(control + truth, control + truth + sign * errors, control + sign * of_control))
        return _mean_of_orders(scores)

    def replicate(self, function: MetricFunction) -> FloatArray:
        """Score one half of the cells as a prediction of the other, mean over the orders."""
        scores = []
        for a, b in OTHER_HALF:
            control = self.shares @ np.nan_to_num(self.control_half[b])
            scores.append(function(control + self.half[a], control + self.half[b], control))
        return _mean_of_orders(scores)


def noise_free(effect: FloatArray, noise: FloatArray) -> FloatArray:
    """Return effects (P x G) at the size that they have without noise (P,), in their own direction."""
    # |Δ_p|² (P,)
    squares = np.einsum("pg,pg->p", effect, effect)
    # Never nothing: a function may have no value for a constant, and the noise alone has a direction.
    true = np.maximum(squares - noise, NEGLIGIBLE * squares)
    size: FloatArray = np.sqrt(np.divide(true, squares, out=np.zeros_like(true), where=squares > 0))
    return size[:, None] * effect


def _mean_of_orders(scores: list[FloatArray]) -> FloatArray:
    """Mean over the orders of the halves that have a score."""
    known = ~np.isnan(scores)
    n = known.sum(axis=0)
    mean: FloatArray = np.where(known, scores, 0.0).sum(axis=0) / np.where(n > 0, n, np.nan)
    return mean


def exchanged(prediction: Prediction, mean: Prediction, order: IntArray) -> Prediction:
    """Give each perturbation the prediction of another one, with the training mean of its own fit."""
    return Prediction(
        prediction.effect[order] - mean.effect[order] + mean.effect,
        prediction.weights[order] - mean.weights[order] + mean.weights,
    )


def snapped(prediction: Prediction, mean: Prediction, rounding: FloatArray) -> Prediction:
    """Return predictions that are the training mean, or no effect at all, up to their rounding (P,), as exactly that."""
    effect = prediction.effect
    for exact in (mean.effect, np.zeros_like(effect)):
        same: BoolArray = np.sqrt(np.sum((effect - exact) ** 2, axis=1)) <= rounding
        effect = np.where(same[:, None], exact, effect)
    return Prediction(effect, prediction.weights)

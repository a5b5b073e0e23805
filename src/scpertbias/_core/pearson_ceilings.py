"""The correlation that the truth would have with the observed effects, and how it moves with their size.

It is that of the plain correlations, and without the noise that both sides hold that of the unshared ones. The squared
effect in it is an estimate: what its error takes from the ceiling on average is given back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scpertbias._core.arrays import FloatArray
from scpertbias._core.ceilings import Truth, row_norm
from scpertbias._core.correlations import CorrelationKind

LEAST_EFFECT = 1.5
"""Smaller squared effects are corrected as if they had this many standard errors, because the series diverges near 0."""
STEP = 1e-6


def pearson_ceiling(truth: Truth, predicted: FloatArray, kind: CorrelationKind) -> FloatArray:
    """Correlation of the truth with the observed means.

    The noise of the reference is on both sides and raises the plain correlation, that of the control also where it is in
    the observed effect and in the prediction; all other noise lowers it. The unshared one is only lowered.

    Parameters
    ----------
    truth
        What predictions are scored against.
    predicted
        Weights of the truth, as a prediction, on the batches of the control (S, or R x S).
    kind
        Which correlation.
    """
    return CeilingTerms.of(truth, predicted, kind).score


@dataclass(frozen=True)
class CeilingTerms:
    """What the ceiling of a correlation is made of (R): the squared observed effect ``size``, its ``noise`` and terms.

    ``shared`` is the own noise of the reference, ``product`` and ``square`` are what noise of the control adds to the
    product with the prediction and to the square of the prediction. Unless it is that of a cosine, all are of values that
    are centered over genes, as the correlation is: a shift of all genes in common is nothing to it. ``a2`` is one over the
    effective number of genes of the noise.
    """

    size: FloatArray
    noise: FloatArray
    shared: FloatArray
    product: FloatArray
    square: FloatArray
    a2: float

    @classmethod
    def of(cls, truth: Truth, predicted: FloatArray, kind: CorrelationKind) -> CeilingTerms:
        """Take them from the truth; see :func:`pearson_ceiling`."""
        weights, left = kind.weights(truth), kind.left(truth)
        shared = left * truth.centroid_noise if kind.about_centroid else np.zeros(len(truth.observed))
        by_batch = left * truth.control_noise.sum(axis=1)
        in_observed, in_prediction = truth.weights - weights, predicted - weights
        return cls(
            size=row_norm(kind.effect(truth.observed, truth)) ** 2,
            noise=left * truth.own_noise.sum(axis=1) + in_observed**2 @ by_batch + shared,
            shared=shared,
            # Unshared, the own noise of the reference is not in the product either
            product=-shared if kind.unshared else (in_observed * in_prediction) @ by_batch,
            square=in_prediction**2 @ by_batch,
            a2=kind.a2(truth),
        )

    @property
    def score(self) -> FloatArray:
        """The ceiling."""
        effect = self.size - self.noise
        above = np.maximum(effect + self.shared + self.product, 0.0)
        below = np.maximum(effect, 0.0) + self.shared + self.square
        square = below * self.size
        score = np.zeros(len(self.size))
        np.divide(above, np.sqrt(np.maximum(square, 0.0)), out=score, where=square > 0)
        return np.clip(score * (1 + self._loss(above, below)), 0.0, 1.0)

    def _loss(self, above: FloatArray, below: FloatArray) -> FloatArray:
        """Part of the ceiling (e + p)/√((e + q)A) that the error of e takes from it on average, to the second order.

        The error of A is the same; ``above`` and ``below`` are e + p and e + q.
        """
        # Var e = 2 a₂ (N² + 2 N e)
        variance = 2 * np.nan_to_num(self.a2) * self.noise * (self.noise + 2 * np.maximum(self.size - self.noise, 0.0))
        known = (variance > 0) & (self.size > 0)
        variance, least = np.where(known, variance, 0.0), LEAST_EFFECT * np.sqrt(np.where(known, variance, 1.0))
        above, below, size = np.maximum(above, least), np.maximum(below, least), np.where(known, self.size, 1.0)
        # f_e / f and f_ee / f; f_eA is −f_e / 2A
        first = 1 / above - 0.5 / below
        second = first**2 - 1 / above**2 + 0.5 / below**2
        loss: FloatArray = variance * (first / (2 * size) - second / 2)
        return loss

    @property
    def slope(self) -> FloatArray:
        """Derivative of the ceiling by the squared observed effect; 0 where it is cut to 0 or 1."""
        step = STEP * self.size
        more, less = (replace(self, size=self.size + sign * step).score for sign in (1, -1))
        slope = np.zeros(len(step))
        np.divide(more - less, 2 * step, out=slope, where=step > 0)
        return slope

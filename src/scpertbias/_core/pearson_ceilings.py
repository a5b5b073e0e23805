"""The correlation that the truth would have with the observed effects, and how it moves with their size.

It is that of the plain correlations, and without the noise that both sides hold that of the unshared ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import FloatArray
from scpertbias._core.ceilings import Truth, row_norm
from scpertbias._core.correlations import CorrelationKind


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
    are centered over genes, as the correlation is: a shift of all genes in common is nothing to it.
    """

    size: FloatArray
    noise: FloatArray
    shared: FloatArray
    product: FloatArray
    square: FloatArray

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
        )

    @property
    def response(self) -> FloatArray:
        """Squared effect without noise, but for that of the reference."""
        response: FloatArray = np.maximum(self.size - self.noise, 0.0) + self.shared
        return response

    @property
    def score(self) -> FloatArray:
        """The ceiling."""
        square = (self.response + self.square) * self.size
        score = np.zeros(len(self.size))
        np.divide(self.response + self.product, np.sqrt(np.maximum(square, 0.0)), out=score, where=square > 0)
        return np.clip(score, 0.0, 1.0)

    @property
    def slope(self) -> FloatArray:
        """Derivative of the ceiling by the squared observed effect; 0 where it is cut to 0 or 1."""
        moves = (self.size > self.noise).astype(np.float64)
        response, score = self.response, self.score
        square = (response + self.square) * self.size
        slope = np.zeros(len(score))
        # d log of numerator and of both factors under the root
        inside = (square > 0) & (score > 0) & (score < 1)
        np.divide(moves, response + self.product, out=slope, where=inside)
        slope -= np.divide(moves, 2 * (response + self.square), out=np.zeros_like(slope), where=inside)
        slope -= np.divide(0.5, self.size, out=np.zeros_like(slope), where=inside)
        return slope * score

"""Derivatives of scores with respect to the means with which all perturbations are compared.

These are the control means and, for scores relative to the training mean without shared noise, the training mean. The
derivatives give the variance of scores due to the noise of these means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import FloatArray
from scpertbias._core.ceilings import ROUNDING, Truth, row_norm
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.correlations import CORRELATIONS, CorrelationKind, NoiseWeights, shared_noise
from scpertbias._core.pearson_ceilings import CeilingTerms


@dataclass(frozen=True)
class Derivative:
    """Derivative of R numbers by the control mean of each batch, along the control blocks.

    It is a sum of ``terms``: weights of the batches (R, S) times a vector over genes, of which the products with the
    blocks (R, K) are kept. ``of_training`` (R, V) is the derivative by the own noise of the training mean, along noise
    vectors that are as long as it is.
    """

    terms: tuple[tuple[FloatArray, FloatArray], ...]
    of_training: FloatArray | None = None

    def along(self, coefficients: FloatArray) -> FloatArray:
        """Derivative of a weighted sum of the numbers, along the blocks, by the batches (K, S)."""
        used = coefficients != 0
        c = coefficients[used, None]
        total: FloatArray = np.asarray(sum(products[used].T @ (c * weights[used]) for weights, products in self.terms))
        return total

    def of_training_along(self, coefficients: FloatArray) -> FloatArray | float:
        """Derivative of a weighted sum of the numbers, along the noise vectors (V); 0 without any."""
        used = coefficients != 0
        return 0.0 if self.of_training is None else coefficients[used] @ self.of_training[used]


def variance_of(blocks: ControlBlocks, along: FloatArray) -> float:
    """Variance of a statistic from its derivative along the blocks (K, S), half of it by either control half."""
    return blocks.variance_along(along.reshape(2, -1, along.shape[1]) / 2)


def score_derivatives(
    predictions: FloatArray, truth: Truth, held: NoiseWeights, blocks: ControlBlocks, vectors: FloatArray
) -> dict[str, Derivative]:
    """Return the derivatives of scores of predictions, by the name of the score.

    Parameters
    ----------
    predictions
        Rows x genes.
    truth
        What they are compared with.
    held
        How predictions move with the control.
    blocks
        Blocks of the control on the genes of the truth.
    vectors
        Noise vectors on these genes, of squared length 1 on average (V x G).
    """
    along = blocks.means.reshape(-1, truth.observed.shape[1]).T
    away, away_mean = predictions - truth.observed, truth.centroid - truth.observed
    error, error_mean = row_norm(away), truth.centroid_l2
    moves, moves_mean = truth.weights - held.control, truth.weights - truth.centroid_weights
    on_error = _quotient(away, error) @ along
    of_mean = _quotient(away_mean, error_mean) @ along
    derivatives = {
        "l2": Derivative(((moves, on_error),)),
        "l2_ratio": Derivative(
            ((moves, on_error / error_mean[:, None]), (moves_mean, -of_mean * (error / error_mean**2)[:, None]))
        ),
    }
    columns = np.column_stack([along, vectors.T])
    sides: dict[tuple[bool, bool], _Sides] = {}
    for name, kind in CORRELATIONS.items():
        key = kind.about_centroid, kind.cosine
        if key not in sides:
            sides[key] = _Sides.of(predictions, truth, kind, columns)
        on_prediction, on_observed = sides[key].gradients(shared_noise(truth, held, kind) if kind.unshared else None)
        share, k = kind.weights(truth), along.shape[1]
        terms = ((share - held.control, on_prediction[:, :k]), (share - truth.weights, on_observed[:, :k]))
        # The predicted effect has the own noise of the training mean as often as the prediction, less once
        moves = (held.training - 1)[:, None] * on_prediction[:, k:] - on_observed[:, k:]
        derivatives[name] = Derivative(terms, _of_training(moves, truth, kind))
    return derivatives


def ceiling_derivatives(
    truth: Truth, predicted: FloatArray, blocks: ControlBlocks, vectors: FloatArray
) -> dict[str, Derivative]:
    """Return the derivatives of the ceilings of correlations; ``predicted`` is that of :meth:`Truth.noise`."""
    along = blocks.means.reshape(-1, truth.observed.shape[1]).T
    derivatives = {}
    for name, kind in CORRELATIONS.items():
        terms = CeilingTerms.of(truth, predicted, kind)
        # d|v|² = 2 v · dv, and the observed effect moves against the control of its batches
        moves = 2 * terms.slope[:, None] * kind.effect(truth.observed, truth)
        of_control = ((kind.weights(truth) - truth.weights, moves @ along),)
        derivatives[name] = Derivative(of_control, _of_training(-moves @ vectors.T, truth, kind))
    return derivatives


def _of_training(moves: FloatArray, truth: Truth, kind: CorrelationKind) -> FloatArray | None:
    """Derivative by the own noise of the training mean; only what is without shared noise takes that as expected.

    ``moves`` are the products of the derivative with noise vectors.
    """
    if not (kind.unshared and kind.about_centroid):
        return None
    along: FloatArray = np.sqrt(truth.centroid_noise)[:, None] * moves
    return along


def noise_of_squares(by_batch: FloatArray, terms: Mapping[str, tuple[Derivative, FloatArray]], a2: float) -> float:
    """Variance that noise of the control alone gives a sum of squared errors, where errors are nothing else.

    Parameters
    ----------
    by_batch
        Sampling variance of the control mean of each batch, summed over genes (S,).
    terms
        Derivatives of errors (of ``l2``), and how much the square of each counts (R).
    a2
        Concentration of the noise over genes.
    """
    # Rows that do not count may be rows without a prediction: what they hold is not known.
    counted = [(derivative.terms[0][0][c != 0], c[c != 0, None]) for derivative, c in terms.values()]
    # Σ_p c_p y_pb y_pb', the form in the control means of the batches (S, S)
    form = sum((c * y).T @ y for y, c in counted)
    return float(2 * a2 * by_batch @ np.asarray(form) ** 2 @ by_batch)


def _quotient(vectors: FloatArray, size: FloatArray) -> FloatArray:
    """Rows over their sizes; 0 where that is 0 or not known."""
    known = (size > 0)[:, None]
    return np.divide(vectors, size[:, None], out=np.zeros_like(vectors), where=known)


@dataclass(frozen=True)
class _Sides:
    """Predicted and observed effects of a correlation, as unit vectors u and v: ``cosine`` is u · v (R).

    ``on_prediction`` and ``on_observed`` (R x C) are the products of u and v with some columns, ``lengths`` (R) those of the
    effects, 0 where one side is constant.
    """

    cosine: FloatArray
    on_prediction: FloatArray
    on_observed: FloatArray
    lengths: tuple[FloatArray, FloatArray]

    @classmethod
    def of(cls, predictions: FloatArray, truth: Truth, kind: CorrelationKind, columns: FloatArray) -> _Sides:
        predicted, observed = (kind.effect(side, truth) for side in (predictions, truth.observed))
        sizes = row_norm(predicted), row_norm(observed)
        rounding = ROUNDING * np.hypot(
            row_norm(predictions), row_norm(np.broadcast_to(kind.reference(truth), predictions.shape))
        )
        varies = (sizes[0] > rounding) & (sizes[1] > 0)
        lengths = np.where(varies, sizes[0], 0.0), np.where(varies, sizes[1], 0.0)
        # x_i · y_i of the effects (R, 1)
        products = np.einsum("rg,rg->r", predicted, observed)[:, None]
        cosine = _quotient(products, lengths[0] * lengths[1])
        return cls(
            cosine, _quotient(predicted @ columns, lengths[0]), _quotient(observed @ columns, lengths[1]), lengths
        )

    def gradients(self, shared: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """Products with the columns of the gradients by either side; ``shared`` is the part of the product that is left out."""
        r, (length, length_observed) = self.cosine, self.lengths
        if shared is not None:
            r = r - _quotient(shared[:, None], length * length_observed)
        u, v = self.on_prediction, self.on_observed
        return _quotient(v - r * u, length), _quotient(u - r * v, length_observed)

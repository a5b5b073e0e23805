"""The correlations of predicted and observed effects, and the noise that both sides hold.

A prediction that was fitted on this screen, and the control or the training mean that effects are taken against, hold
noise of the same cells as the observed effect: where nothing responds, they correlate by that alone. The unshared
correlations are without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.ceilings import Truth, centered, correlation


class CorrelationKind(NamedTuple):
    """What effects are taken against, the training mean or the control; if shared noise is out; if genes are centered."""

    about_centroid: bool = False
    unshared: bool = False
    cosine: bool = False

    def reference(self, truth: Truth) -> FloatArray:
        """Mean that effects are taken against."""
        return truth.centroid if self.about_centroid else truth.control

    def weights(self, truth: Truth) -> FloatArray:
        """Batches in the cells of the reference (R x S); the control itself has none, as it moves as it does."""
        return truth.centroid_weights if self.about_centroid else np.zeros_like(truth.weights)

    def effect(self, values: FloatArray, truth: Truth) -> FloatArray:
        """Values as this correlation sees them (R x G)."""
        difference = values - self.reference(truth)
        return difference if self.cosine else centered(difference)

    def left(self, truth: Truth) -> float:
        """Share of squared noise that it sees."""
        return 1.0 if self.cosine else truth.centered_share

    def a2(self, truth: Truth) -> float:
        """One over the effective number of genes of the noise that it sees."""
        return truth.a2 if self.cosine else truth.centered_a2


CORRELATIONS = {
    "pearson_delta": CorrelationKind(),
    "pearson_delta_perturbed": CorrelationKind(about_centroid=True),
    "pearson_delta_unshared": CorrelationKind(unshared=True),
    "cosine_delta_unshared": CorrelationKind(unshared=True, cosine=True),
    "pearson_delta_perturbed_unshared": CorrelationKind(about_centroid=True, unshared=True),
}


@dataclass(frozen=True)
class NoiseWeights:
    """How much of the noise of a screen R predictions hold.

    They move as the control mean less ``control`` (R x S) times the control mean of each batch: observed effects have the
    shares of the batches in their own cells there, predictions that stay those of the batches in the control.
    ``training`` (R) is how much of the own noise of the training perturbations they hold; their mean holds 1.
    """

    control: FloatArray
    training: FloatArray

    @classmethod
    def of_mean(cls, truth: Truth) -> NoiseWeights:
        """Return those of the training mean."""
        return cls(truth.centroid_weights, np.ones(len(truth.observed)))

    @classmethod
    def of_rows(cls, table: FloatArray, rows: IntArray) -> NoiseWeights:
        """Take rows of a table that has a column for each batch, and a last one for the training perturbations."""
        return cls(table[rows, :-1], table[rows, -1])


def shared_noise(truth: Truth, held: NoiseWeights, kind: CorrelationKind) -> FloatArray:
    """Expected product of the noise in predicted and in observed effects, summed over genes (R)."""
    reference = kind.weights(truth)
    # Σ_b (ω_b − ŵ_b)(ω_b − w_b) τ_b
    shared: FloatArray = ((reference - held.control) * (reference - truth.weights)) @ truth.control_noise.sum(axis=1)
    if kind.about_centroid:
        # The own noise of the training mean, with a minus in both sides
        shared = shared + (1 - held.training) * truth.centroid_noise
    return kind.left(truth) * shared


def unshared_correlation(
    predictions: FloatArray, truth: Truth, held: NoiseWeights, kind: CorrelationKind
) -> FloatArray:
    """Correlation without the noise that both sides hold: without effects it is 0 on average.

    Lengths are those of the plain correlation, so it may lie outside [−1, 1].
    """
    shared = shared_noise(truth, held, kind)
    return correlation(predictions, truth.observed, kind.reference(truth), shared=shared, cosine=kind.cosine)

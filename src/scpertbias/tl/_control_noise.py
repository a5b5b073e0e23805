"""Effect of control noise on statistics of scores: all perturbations are compared with the same control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .._core.arrays import FloatArray, IntArray
from .._core.control_derivatives import (
    Derivative,
    noise_of_squares,
    variance_of,
)
from .._core.control_variance import ControlBlocks
from .._core.de_draws import variance_over_draws
from .._core.noise import NoiseShape


@dataclass(frozen=True)
class ControlNoise:
    """Derivatives of the scores of one model with respect to the control, in the order of its rows of scores.

    Keys of ``derivatives`` are the columns of scores, baselines and ceilings. For columns without derivatives, ``draws``
    contains their values with other control means, for ``drawn_rows``. ``by_batch`` (S,) is the sampling variance of the
    control mean of each batch, summed over genes; ``shape`` needs no noise vectors.
    """

    by_batch: FloatArray
    n_rows: int
    blocks: ControlBlocks
    shape: NoiseShape
    derivatives: Mapping[str, Derivative]
    draws: Mapping[str, FloatArray] = field(default_factory=dict)
    drawn_rows: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def variance(self, coefficients: Mapping[str, FloatArray]) -> float:
        """Variance of a statistic that changes by coefficients (R) times the columns.

        Training means of different folds share nearly all perturbations, so their noise counts as one.
        """
        if self.draws.keys() >= coefficients.keys():
            return variance_over_draws(self.draws, self.drawn_rows, coefficients)
        used = [(self.derivatives[name], c) for name, c in coefficients.items()]
        of_control = variance_of(self.blocks, np.asarray(sum(derivative.along(c) for derivative, c in used)))
        of_training = np.square(sum(derivative.of_training_along(c) for derivative, c in used))
        return of_control + (float(np.mean(of_training)) if of_training.size else 0.0)  # none without noise

    def variance_of_squares(self, coefficients: Mapping[str, FloatArray], squares: Mapping[str, FloatArray]) -> float:
        """Variance of a sum of squared errors: products with errors, and control noise alone.

        Parameters
        ----------
        coefficients
            As for :meth:`variance`.
        squares
            Weight of each squared error (R).
        """
        terms = {name: (self.derivatives[name], c) for name, c in squares.items()}
        # The errors contain this noise, so the first term includes it twice too often.
        from_errors = self.variance(coefficients) - 2 * noise_of_squares(self.by_batch, terms, self.shape.a2)
        alone = noise_of_squares(self.by_batch, terms, self.shape.a2_raised)
        return max(from_errors, 0.0) + alone if np.isfinite(from_errors) else float("nan")

"""What predicted changes of a screen are judged by: observed changes against either half of the control, and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.ceilings import ROUNDING
from scpertbias._core.de import ObservedChanges, called, de_scores
from scpertbias._core.moments import Moments
from scpertbias._core.noise import half_differences
from scpertbias._core.ranking import N_BINS, expression_bins
from scpertbias._core.z_scores import z_errors

MIN_GENES = 30
"""Smallest number of genes of equal noise."""
ORDERS = ((0, 1), (1, 0))
"""Halves of the control: predicted changes are relative to the first one, observed changes to the second one."""


@dataclass(frozen=True)
class DeTruth:
    """Observed changes of P perturbations on G genes, and the scores of the true changes.

    ``change`` (P, G) are the changes against all control cells, ``errors`` (2, P, G) their standard errors against either
    half (NaN in genes that are not judged), ``targets`` (P, G) the own targets and ``weights`` (P, S) the shares of the
    batches in the cells. ``observed`` are the changes against each half of the control, ``control_shift`` (2, S, G) the
    means of the halves less that of all control cells of the batch, ``control`` (G,) is the mean of all. ``truth`` (P, G)
    are the observed changes, shrunk to their size without noise; ``repeats`` are these with errors of the size that
    observed ones have, of either sign. ``n_called`` (P,) are the genes that are called against all control cells.
    """

    change: FloatArray
    errors: FloatArray
    targets: BoolArray
    weights: FloatArray
    observed: tuple[ObservedChanges, ...]
    control_shift: FloatArray
    control: FloatArray
    truth: FloatArray
    repeats: tuple[ObservedChanges, ...]
    n_called: IntArray

    @classmethod
    def of(cls, moments: Moments, rows: IntArray, genes: IntArray, z: FloatArray, targets: BoolArray) -> DeTruth:
        """Take the changes of some rows on some genes.

        Parameters
        ----------
        moments, rows, genes
            Where they are.
        z
            z of the changes against all control cells (P, G); genes without one are not judged.
        targets
            Which genes are targets of the row (P, G).
        """
        moments = moments.genes(genes)
        control_half = np.nan_to_num(moments.control_half)
        shift, weights = control_half - moments.control_batch, moments.weights[rows]
        change = moments.mean[rows] - moments.control
        truth = _noise_free(change, moments.noise_of(rows))
        # Half a difference of halves varies as a mean of all cells does; half of the control as √2 of all of it.
        apart = half_differences(moments, rows) - np.sqrt(2.0) * weights @ (control_half[0] - control_half[1])
        errors = np.stack([z_errors(moments, rows, control_half=half) for half in (0, 1)])
        for half, error in enumerate(errors):
            without = (weights > 0) & (moments.counts[half, moments.reference] == 0)
            error[np.isnan(z) | without.any(axis=1)[:, None]] = np.nan
        signed = zip((1.0, -1.0), errors, strict=True)
        return cls(
            change=change,
            errors=errors,
            targets=targets,
            weights=weights,
            observed=tuple(
                ObservedChanges.of(change - weights @ shift[half], errors[half], targets) for half in (0, 1)
            ),
            control_shift=shift,
            control=moments.control,
            truth=truth,
            repeats=tuple(ObservedChanges.of(truth + sign * apart / 2, error, targets) for sign, error in signed),
            n_called=(called(z) & ~targets).sum(axis=1).astype(np.int64),
        )

    def changes(self, predicted: FloatArray) -> FloatArray:
        """Return predicted means (P, G) as changes from control; what is there by rounding alone is none."""
        changes: FloatArray = predicted - self.control
        changes[np.abs(changes) <= ROUNDING * np.abs(predicted)] = 0.0
        return changes

    def scores(self, predicted: FloatArray, weights: FloatArray) -> dict[str, FloatArray]:
        """Score predicted means (P, G), each half of the control predicting against the other.

        ``weights`` (P, S) are the shares of the batches of the control that are in the predicted changes.
        """
        changes = self.changes(predicted)
        by_half = [changes - weights @ self.control_shift[own] for own, _ in ORDERS]
        return de_scores(by_half, [self.observed[other] for _, other in ORDERS])

    def ceilings(self) -> dict[str, FloatArray]:
        """Score the truth against its repeats."""
        return de_scores([self.truth, self.truth], self.repeats)


def _noise_free(change: FloatArray, noise: FloatArray) -> FloatArray:
    """Return changes at the size that they have without noise (P, G): genes that hold more noise shrink more.

    What is left of the genes of equal noise is judged from all rows, and how large a row is from its own.
    """
    squares = change**2
    known = np.isfinite(squares - noise).all(axis=1)
    bins = expression_bins(noise[known].sum(axis=0), min(N_BINS, max(change.shape[1] // MIN_GENES, 1)))
    # Σ_p Σ_g (Δ² − v) / Σ_p Σ_g Δ² of each bin
    seen, true = (np.bincount(bins, x[known].sum(axis=0)) for x in (squares, squares - noise))
    left = np.maximum(np.divide(true, seen, out=np.zeros_like(true), where=seen > 0), 0.0)[bins]
    above, below = np.maximum(squares.sum(axis=1) - noise.sum(axis=1), 0.0), squares @ left
    size = np.sqrt(np.divide(above, below, out=np.zeros_like(above), where=below > 0))[:, None]
    shrunk: FloatArray = size * np.sqrt(left) * change
    return shrunk

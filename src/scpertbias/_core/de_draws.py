"""Variation of scores of differential expression with the sample of control cells.

The scores count genes, so they have no useful derivative. Therefore they are computed again with other control means, drawn
from the control blocks. A sample of the perturbations is sufficient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.de import DE_SCORES, LEAST_CALLS, ObservedChanges, de_scores
from scpertbias._core.de_truth import ORDERS, DeTruth

N_DRAWS = 25
MOST_ROWS = 40
"""Largest number of perturbations that are scored again with other control means."""
SEED = 0


@dataclass(frozen=True)
class DeDraws:
    """Other control means, and the observed changes relative to them.

    ``rows`` are those of ``truth`` that are scored again, ``shifts`` (B, 2, S, G) the control means of halves and batches less
    the mean of all control cells of the batch, ``observed`` the changes of the rows against them.
    """

    truth: DeTruth
    rows: IntArray
    shifts: tuple[FloatArray, ...]
    observed: tuple[tuple[ObservedChanges, ...], ...]

    @classmethod
    def of(cls, truth: DeTruth, blocks: ControlBlocks, among: BoolArray) -> DeDraws:
        """Draw control means from the blocks; rows are spread over those of ``among`` (P,) that have calls."""
        has_calls = np.any([observed.n_called >= LEAST_CALLS for observed in truth.observed], axis=0)
        rows = np.flatnonzero(among & has_calls)
        if len(rows) > MOST_ROWS:
            rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
        rng = np.random.default_rng(SEED)
        n_draws = N_DRAWS if len(rows) and blocks.scale.size and np.isfinite(blocks.scale).all() else 0
        shifts = tuple(truth.control_shift + blocks.draw(rng) for _ in range(n_draws))
        change, weights, targets = truth.change[rows], truth.weights[rows], truth.targets[rows]
        observed = tuple(
            tuple(ObservedChanges.of(change - weights @ shift[a], truth.errors[a, rows], targets) for a in (0, 1))
            for shift in shifts
        )
        return cls(truth, rows, shifts, observed)

    def deviations(self, predicted: FloatArray, weights: FloatArray) -> dict[str, FloatArray]:
        """Return by how much the scores of predicted means (P, G) differ from their mean over the draws (B, rows).

        ``weights`` (P, S) are as in :meth:`DeTruth.scores`.
        """
        changes, weights = self.truth.changes(predicted[self.rows]), weights[self.rows]
        drawn = []
        for shift, observed in zip(self.shifts, self.observed, strict=True):
            by_half = [changes - weights @ shift[own] for own, _ in ORDERS]
            drawn.append(de_scores(by_half, [observed[other] for _, other in ORDERS]))
        shape = len(self.shifts), len(self.rows)
        return {name: _recentered(np.array([scores[name] for scores in drawn]).reshape(shape)) for name in DE_SCORES}


def _recentered(scores: FloatArray) -> FloatArray:
    """Scores less their mean over draws (B, rows); 0 where a draw has too few calls for one."""
    known = np.isfinite(scores)
    mean = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, scores - mean, 0.0)


def variance_over_draws(
    deviations: Mapping[str, FloatArray], rows: IntArray, coefficients: Mapping[str, FloatArray]
) -> float:
    """Variance of a statistic that moves by coefficients (P) times the scores; NaN without draws.

    Rows stand for all: what they have in common counts as often as all rows do.
    """
    total: FloatArray | float = np.nan
    for name, c in coefficients.items():
        among_rows = float(np.abs(c[rows]).sum())
        if not (len(deviations[name]) > 1 and among_rows > 0):
            return float("nan")
        part = deviations[name] @ c[rows] * float(np.abs(c).sum()) / among_rows
        total = part if np.ndim(total) == 0 else total + part
    return float(np.var(total, ddof=1))

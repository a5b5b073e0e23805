"""Differential expression from moments: calls of genes, and scores of predicted changes.

All arrays are perturbations × genes. Predicted changes relative to one half of the control are scored against observed
changes relative to the other half, so that they have no control cells in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.de_kernels import score_rows
from scpertbias._core.detection import FDR
from scpertbias._core.z_scores import scaled

LEAST_CALLS = 5
SMALLEST = 1.95
"""If ``|z|`` is at most this value, p is above 0.05, also with rounding errors."""
NO_CHANGE = 1e-12


def p_values(z: FloatArray) -> FloatArray:
    """Two-sided normal p of each z; NaN stay NaN."""
    p: FloatArray = 2 * ndtr(-np.abs(z))
    return p


def q_values(z: FloatArray) -> FloatArray:
    """Two-sided p, adjusted over the genes of each row that have a z (Benjamini-Hochberg); NaN stay NaN."""
    p = p_values(z)
    order = np.argsort(p, axis=1)  # NaN come last
    n = (~np.isnan(p)).sum(axis=1, keepdims=True)
    rising = np.take_along_axis(p, order, axis=1) * n / np.arange(1, p.shape[1] + 1)
    # The smallest of a value and all that follow it, which NaN at the end do not change
    rising = np.minimum(np.fmin.accumulate(rising[:, ::-1], axis=1)[:, ::-1], 1.0)
    q = np.empty_like(p)
    np.put_along_axis(q, order, rising, axis=1)
    q[np.isnan(p)] = np.nan
    return q


def called(z: FloatArray) -> BoolArray:
    """Whether the q of a z is below 0.05, without the q of all others: only a p below 0.05 can be."""
    calls = np.zeros(z.shape, dtype=np.bool_)
    row, gene = np.nonzero(np.abs(z) > SMALLEST)
    p = p_values(z[row, gene])
    order = np.argsort(row + p)  # by row and then by p, which is below 1
    row, gene, p = row[order], gene[order], p[order]
    n_candidates, n = np.bincount(row, minlength=len(z)), (~np.isnan(z)).sum(axis=1)
    rank = np.arange(1, len(p) + 1) - (np.cumsum(n_candidates) - n_candidates)[row]
    limit = np.full(len(z), -1.0)
    passes = p * n[row] / rank < FDR
    np.maximum.at(limit, row[passes], p[passes])
    calls[row, gene] = p <= limit[row]
    return calls


@dataclass(frozen=True)
class ObservedChanges:
    """Observed changes (P, G), their standard errors (NaN in genes that are not judged), and which of them are called."""

    change: FloatArray
    error: FloatArray
    called: BoolArray

    @classmethod
    def of(cls, change: FloatArray, error: FloatArray, targets: BoolArray) -> ObservedChanges:
        """Call changes; a gene without a standard error is not judged, and a row's own targets only take part in the calls.

        Parameters
        ----------
        change, error
            Changes and their standard errors.
        targets
            Which genes are targets of the row.
        """
        calls = called(scaled(change, error)) & ~targets
        return cls(change, np.where(targets | ~(error > 0), np.nan, error), calls)

    @property
    def n_called(self) -> FloatArray:
        """Called genes of each row, own targets left out (P,)."""
        n: FloatArray = self.called.sum(axis=1).astype(np.float64)
        return n

    def rows(self, rows: IntArray) -> ObservedChanges:
        """Keep some rows."""
        return ObservedChanges(self.change[rows], self.error[rows], self.called[rows])


@dataclass(frozen=True)
class DeMetric:
    """Name and direction of a score of differential expression; all have a ceiling and no shared noise."""

    label: str
    best: float
    higher_is_better: bool
    ceiling: bool = True
    scaled: bool = True
    unshared: bool = True


DE_METRICS: Mapping[str, DeMetric] = {
    "de_direction": DeMetric("share of differentially expressed genes with the right predicted direction", 1.0, True),
    "de_auprc": DeMetric("average precision of differentially expressed genes in the right direction", 1.0, True),
    "de_spearman": DeMetric("rank correlation over differentially expressed genes", 1.0, True),
    "de_nmae": DeMetric(
        "absolute error over differentially expressed genes, divided by the error of predicting no effect", 0.0, False
    ),
}


DE_SCORES = tuple(DE_METRICS)


def de_scores(predicted: Sequence[FloatArray], observed: Sequence[ObservedChanges]) -> dict[str, FloatArray]:
    """Score predicted changes in each of several comparisons, and average over those with at least 5 called genes.

    ``de_direction`` is the share of the called genes that are predicted to change in the observed direction; no change counts
    half. ``de_auprc`` is the average precision of predicted changes over standard error: a hit is a called gene in the right
    direction, recall is of all called genes, and a gene that is not predicted to change has no rank. ``de_spearman`` is the
    rank correlation over the called genes, 0 where all are predicted alike, ``de_nmae`` the absolute error over them, relative
    to that of predicting no change.

    Parameters
    ----------
    predicted
        Predicted changes, one array for each comparison; a row with NaN is not a prediction.
    observed
        What each is compared with.

    Returns
    -------
    One value for each row, by score; NaN where no comparison has the calls.
    """
    n_rows = len(observed[0].change)
    total, n = np.zeros((len(DE_SCORES), n_rows)), np.zeros(n_rows)
    for x, judged in zip(predicted, observed, strict=True):
        rows = np.flatnonzero((judged.n_called >= LEAST_CALLS) & np.isfinite(x).all(axis=1))
        n[rows] += 1
        scores, some = np.empty((len(DE_SCORES), len(rows))), judged.rows(rows)
        score_rows(x[rows], some.change, some.error, some.called, scores, NO_CHANGE)
        total[:, rows] += scores
    return dict(zip(DE_SCORES, total / np.where(n > 0, n, np.nan), strict=True))

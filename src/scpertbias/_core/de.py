"""Differential expression from moments: which genes of a perturbation are called, and how predicted changes match them.

All arrays are perturbations × genes. Scores judge predicted changes by observed ones that share no control cell with
them: changes against one half of the control by changes against the other half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.detection import FDR
from scpertbias._core.z_scores import scaled

LEAST_CALLS = 5
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
    """Whether the q of a z is below 0.05, without the q of all others."""
    p = np.where(np.isnan(z), 2.0, p_values(z))  # above any p, and so after all of them
    rising, n = np.sort(p, axis=1), np.maximum((~np.isnan(z)).sum(axis=1, keepdims=True), 1)
    passes = rising * n / np.minimum(np.arange(1, p.shape[1] + 1), n) < FDR
    last = p.shape[1] - 1 - np.argmax(passes[:, ::-1], axis=1)
    limit = np.where(passes.any(axis=1), rising[np.arange(len(p)), last], -1.0)
    return np.asarray(p <= limit[:, None], dtype=np.bool_)


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


def flattened(predicted: FloatArray) -> FloatArray:
    """Predicted changes with those below rounding set to 0."""
    return np.where(np.abs(predicted) < NO_CHANGE, 0.0, predicted)


def de_direction(predicted: FloatArray, observed: ObservedChanges) -> FloatArray:
    """Share of the called genes that are predicted to change in the observed direction; no change counts half."""
    # 1 where the signs agree, 0 where they differ, 1/2 where no change is predicted
    agree = (1 + np.sign(predicted) * np.sign(observed.change)) / 2
    share: FloatArray = np.where(observed.called, agree, 0.0).sum(axis=1) / observed.n_called
    return share


def de_nmae(predicted: FloatArray, observed: ObservedChanges) -> FloatArray:
    """Absolute error over the called genes, relative to that of predicting no change."""
    away, size = (
        np.where(observed.called, np.abs(x), 0.0).sum(axis=1) for x in (predicted - observed.change, observed.change)
    )
    ratio: FloatArray = away / size
    return ratio


def de_spearman(predicted: FloatArray, observed: ObservedChanges) -> FloatArray:
    """Rank correlation of predicted and observed changes over the called genes; 0 where all are predicted alike."""
    correlations = np.empty(len(predicted))
    for i, genes in enumerate(observed.called):
        u, v = _mid_ranks(predicted[i, genes]), _mid_ranks(observed.change[i, genes])
        size = float(np.sqrt((u @ u) * (v @ v)))
        correlations[i] = u @ v / size if size > 0 else 0.0
    return correlations


def de_auprc(predicted: FloatArray, observed: ObservedChanges) -> FloatArray:
    """Average precision of predicted changes over standard error; a hit is a called gene in the right direction.

    Recall is of all called genes. A gene that is not predicted to change has no rank.
    """
    precision = np.empty(len(predicted))
    hits = observed.called & (predicted * observed.change > 0)
    with np.errstate(invalid="ignore"):
        sizes = np.where(predicted != 0, np.abs(predicted) / observed.error, np.nan)
    for i, of_hits in enumerate(hits):
        size = sizes[i]
        genes, found_at = np.sort(size[~np.isnan(size)]), np.sort(size[of_hits])
        # Precision at the threshold of each hit: hits at least as large, of all genes at least as large
        n_hits = len(found_at) - np.searchsorted(found_at, found_at)
        n_genes = len(genes) - np.searchsorted(genes, found_at)
        precision[i] = np.sum(n_hits / n_genes)
    average: FloatArray = precision / observed.n_called
    return average


def _mid_ranks(values: FloatArray) -> FloatArray:
    """Ranks within a vector about their mean, those of equal values averaged."""
    rising = np.sort(values)
    twice = np.searchsorted(rising, values) + np.searchsorted(rising, values, side="right")
    return twice.astype(np.float64) - len(values)


DeScore = Callable[[FloatArray, ObservedChanges], FloatArray]
DE_SCORES: Mapping[str, DeScore] = {f.__name__: f for f in (de_direction, de_auprc, de_spearman, de_nmae)}


def de_scores(predicted: Sequence[FloatArray], observed: Sequence[ObservedChanges]) -> dict[str, FloatArray]:
    """Score predicted changes in each of several comparisons, and average over those with at least 5 called genes.

    Parameters
    ----------
    predicted
        Predicted changes, one array for each comparison; a row with NaN is no prediction.
    observed
        What each is compared with.

    Returns
    -------
    One value for each row, by score; NaN where no comparison has the calls.
    """
    n_rows = len(observed[0].change)
    total, n = {name: np.zeros(n_rows) for name in DE_SCORES}, np.zeros(n_rows)
    for x, judged in zip(predicted, observed, strict=True):
        rows = np.flatnonzero((judged.n_called >= LEAST_CALLS) & np.isfinite(x).all(axis=1))
        n[rows] += 1
        some, x_some = judged.rows(rows), flattened(x[rows])
        for name, score in DE_SCORES.items():
            total[name][rows] += score(x_some, some)
    return {name: values / np.where(n > 0, n, np.nan) for name, values in total.items()}

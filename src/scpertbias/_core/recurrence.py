"""Number of perturbations in which a gene is among the strongest, and the number expected by chance.

For the null distribution, within each bin of expression the strongest genes of a perturbation are assigned to random genes,
independently for each perturbation. A gene's count is then a sum of independent coin flips with the probabilities
(strongest genes of the perturbation in the bin) / (genes in the bin), the same for all genes of a bin, so its
distribution (Poisson-binomial) is computed exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.moments import Moments
from scpertbias._core.ranking import strongest_mask
from scpertbias._core.resampling import CONFIDENCE
from scpertbias._core.z_scores import undetectable, z_errors

BY = ("delta", "z", "centered")
N0_PER_N = 5.0


@dataclass(frozen=True)
class EffectScale:
    """Standard errors (P, G) that make effects of P perturbations comparable over genes.

    ``too_rare`` (P, G) are genes that too few cells express; they cannot be top genes. ``errors`` are NaN there, and where
    they are 0.
    """

    errors: FloatArray
    too_rare: BoolArray

    @classmethod
    def of(cls, moments: Moments, rows: IntArray) -> EffectScale:
        """Return the scale of some rows, in all cells."""
        too_rare = undetectable(moments, rows)
        return cls(_usable(z_errors(moments, rows), too_rare), too_rare)

    def in_half(self, moments: Moments, rows: IntArray, half: int) -> EffectScale:
        """Return the scale of the same rows in one half of their cells."""
        return replace(self, errors=_usable(z_errors(moments, rows, half), self.too_rare))

    def apply(self, by: str, effects: FloatArray) -> FloatArray:
        """Turn effects, in place, into those on the scale ``by``, NaN in genes that cannot be on top; return them."""
        if by == "delta":
            effects[self.too_rare] = np.nan
        else:
            effects /= self.errors
        return effects


def _usable(errors: FloatArray, too_rare: BoolArray) -> FloatArray:
    errors[too_rare | ~(errors > 0)] = np.nan
    return errors


def observed_effects(
    by: str, moments: Moments, rows: IntArray, perturbed: BoolArray, scale: EffectScale
) -> tuple[FloatArray, Iterator[FloatArray]]:
    """Effects of some rows (P, G), and in each half of the cells, with its own half of the control, one after the other.

    ``centered`` is about the mean of the ``perturbed`` rows (R,). ``scale`` is that of all cells; those of the halves are
    computed when they are needed. ``delta`` has no halves.
    """

    def effects_in(mean: FloatArray, scale: EffectScale, centers: BoolArray) -> FloatArray:
        effects = mean[rows]
        effects -= mean[centers].mean(axis=0) if by == "centered" else mean[moments.reference]
        return scale.apply(by, effects)

    halved = perturbed & (moments.n_half > 0).all(axis=0)
    halves = () if by == "delta" else (0, 1)
    return effects_in(moments.mean, scale, perturbed), (
        effects_in(moments.half[half], scale.in_half(moments, rows, half), halved) for half in halves
    )


def z_is_tested(moments: Moments, rows: IntArray) -> bool:
    """Whether there are enough control cells per perturbation to test recurrence by ``z``.

    All effects contain the noise of the same control; with few control cells, the same genes are top genes of many.
    """
    # 1 / n_0e is the median over perturbations of Σ_b w_b² / n_0b
    per_cell = moments.weights[rows] ** 2 @ (1 / np.maximum(moments.n_control, 1))
    return bool(N0_PER_N * np.median(moments.n[rows]) * np.median(per_cell) <= 1) if len(rows) else False


@dataclass(frozen=True)
class Recurrence:
    """How often each gene is among the strongest.

    Parameters
    ----------
    count
        Number of perturbations in which it is.
    expected
        The same by chance.
    p
        Probability of at least this count by chance; NaN if not requested.
    effective
        Effective number of strongest genes: exp of the entropy of the counts; NaN where there is none.
    """

    count: IntArray
    expected: FloatArray
    p: FloatArray
    effective: float


def recurrence(values: FloatArray, repeats: Iterable[FloatArray], bins: IntArray, k: int) -> Recurrence:
    """Count the k genes of largest absolute value in each row.

    Parameters
    ----------
    values
        Effects, perturbations x genes; NaN are never on top, and rows that are the same in all genes have nothing on top.
    repeats
        The same effects from other halves of the data. What counts as improbable must be so in each of them; a control
        that all effects share puts the same genes on top everywhere, its halves do so with different ones. None: no p.
    bins
        Bin of expression of each gene.
    k
        How many genes of each perturbation.
    """
    top = strongest_mask(values, k)
    count = _count(top)
    p = np.full(len(count), np.nan)
    for repeat in repeats:
        p = np.fmax(p, upper_tail(strongest_mask(repeat, k), bins))
    return Recurrence(count, _probabilities(top, bins).sum(axis=0)[bins], p, effective_number(count))


def upper_tail(top: BoolArray, bins: IntArray) -> FloatArray:
    """Chance that a gene of the same bin is marked in as many rows (rows x genes)."""
    count = _count(top)
    tail = poisson_binomial_tail(_probabilities(top, bins).T, int(count.max(initial=0)))
    chance: FloatArray = tail[bins, count]
    return chance


def poisson_binomial_tail(probabilities: FloatArray, most: int) -> FloatArray:
    """Chance of at least j successes, j = 0 ... `most`, in independent trials.

    Parameters
    ----------
    probabilities
        Experiments x trials.
    most
        Largest number of successes.

    Returns
    -------
    Experiments x (most + 1). All terms are sums of products of probabilities, so small tails keep their precision.
    """
    mass = np.zeros((len(probabilities), most + 1))
    mass[:, 0] = 1.0
    # Experiments differ in which trials can succeed at all; a trial that cannot changes nothing.
    for i in np.flatnonzero(probabilities.any(axis=0)):
        success = probabilities[:, i, None]
        moved = mass * success
        mass -= moved
        mass[:, 1:] += moved[:, :-1]
        mass[:, -1] += moved[:, -1]  # the last state holds everything at or beyond it
    tail: FloatArray = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(tail, 1.0)


def excess_interval(count: IntArray, other: IntArray, n: int, n_compared: int = 1) -> tuple[FloatArray, FloatArray]:
    """95% interval of count − other, each of n, with a success and a failure added to both.

    They are taken as independent; two counts over the same perturbations go together, so that it is too wide. With
    ``n_compared`` genes the intervals simultaneously include all true values in 95% of cases (Bonferroni).
    A. Agresti and B. Caffo, The American Statistician 54, 280-288 (2000).
    """
    first, second = (count + 1) / (n + 2), (other + 1) / (n + 2)
    quantile = norm.isf((1 - CONFIDENCE) / 2 / max(n_compared, 1))
    width = quantile * np.sqrt((first * (1 - first) + second * (1 - second)) / (n + 2))
    return np.maximum(n * (first - second - width), -n), np.minimum(n * (first - second + width), n)


def effective_number(count: IntArray) -> float:
    """Exponential of the entropy of the shares of a count; NaN without any."""
    share = count[count > 0] / max(int(count.sum()), 1)
    return float(np.exp(-(share * np.log(share)).sum())) if share.size else float("nan")


def _count(top: BoolArray) -> IntArray:
    """Number of rows in which each gene is marked."""
    return np.bincount(np.nonzero(top)[1], minlength=top.shape[1])


def _probabilities(top: BoolArray, bins: IntArray) -> FloatArray:
    """Share of the genes of each bin that are marked (rows x bins)."""
    sizes = np.bincount(bins)
    row, gene = np.nonzero(top)
    # Marked genes of each row in each bin, over the genes of the bin (rows, bins)
    marked = np.bincount(row * len(sizes) + bins[gene], minlength=len(top) * len(sizes))
    share: FloatArray = marked.reshape(len(top), len(sizes)) / sizes
    return share

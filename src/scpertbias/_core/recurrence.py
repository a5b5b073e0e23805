"""In how many perturbations a gene is among the strongest, and how often it would be by chance.

By chance means: within each bin of expression the strongest genes of a perturbation are assigned to random genes,
independently for each perturbation. A gene's count is then a sum of independent coin flips with the probabilities
(strongest genes of the perturbation in the bin) / (genes in the bin), the same for all genes of a bin, so its
distribution (Poisson-binomial) is computed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.ranking import top_mask

BY = ("delta", "z", "centered")


@dataclass(frozen=True)
class Baselines:
    """What effects are relative to: the control, the mean of the perturbed, and the same two in each half of the cells.

    ``control`` and ``perturbed`` are (G,), their halves (2, G); ``sd`` is that of single cells, by gene.
    """

    control: FloatArray
    control_half: FloatArray
    perturbed: FloatArray
    perturbed_half: FloatArray
    sd: FloatArray

    def z(self, effects: FloatArray) -> FloatArray:
        """Scale effects; the factor of the cells is the same for all genes of a perturbation and is left out."""
        return np.divide(effects, self.sd, out=np.zeros_like(effects), where=self.sd > 0)


def data_effects(by: str, mean: FloatArray, half: FloatArray, base: Baselines) -> tuple[FloatArray, list[FloatArray]]:
    """Effects of perturbations (P x G; halves 2 x P x G), and in each half of the cells with its own half of the control."""
    if by == "delta":
        return mean - base.control, []
    if by == "z":
        return base.z(mean - base.control), [base.z(h - c) for h, c in zip(half, base.control_half, strict=True)]
    repeats = [base.z(h - m) for h, m in zip(half, base.perturbed_half, strict=True)]
    return base.z(mean - base.perturbed), repeats


def predicted_effects(
    by: str, predictions: FloatArray, away: FloatArray, base: Baselines
) -> tuple[FloatArray, list[FloatArray]]:
    """Effects that a model predicts, and what they would be with other halves of the cells.

    A prediction shares with all others of its model the noise of the control that it is compared with and that of the
    mean of the training data; one half of either is put in place of the whole. A gene must be on top by the predictions
    as they are, too.

    Parameters
    ----------
    by
        One of ``delta``, ``z``, ``centered``.
    predictions
        Perturbations x genes.
    away
        The same as differences from the mean of the model's own predictions.
    base
        Control and mean of the perturbed.
    """
    if by == "centered":
        return base.z(away), [base.z(away)]
    effects = predictions - base.control
    if by == "delta":
        return effects, []
    repeats = [
        base.z(predictions + (m - base.perturbed) - c)
        for m, c in zip(base.perturbed_half, base.control_half, strict=True)
    ]
    return base.z(effects), [base.z(effects), *repeats]


@dataclass(frozen=True)
class Recurrence:
    """How often each gene is among the strongest.

    Parameters
    ----------
    count
        Perturbations in which it is.
    expected
        The same by chance.
    p
        Chance of so high a count; NaN where it was not asked for.
    effective
        Effective number of strongest genes: exp of the entropy of the counts; NaN where there is none.
    """

    count: IntArray
    expected: FloatArray
    p: FloatArray
    effective: float


def recurrence(values: FloatArray, repeats: Sequence[FloatArray], bins: IntArray, k: int) -> Recurrence:
    """Count the k genes of largest absolute value in each row.

    Parameters
    ----------
    values
        Effects, perturbations x genes; rows with NaN, or that are the same in all genes, have no strongest genes.
    repeats
        The same effects from other halves of the data. What counts as improbable must be so in each of them; a control
        that all effects share puts the same genes on top everywhere, its halves do so with different ones. None: no p.
    bins
        Bin of expression of each gene.
    k
        How many genes of each perturbation.
    """
    top = top_mask(np.abs(values), k)
    count = top.sum(axis=0)
    p = np.full(len(count), np.nan)
    for repeat in repeats:
        p = np.fmax(p, upper_tail(top_mask(np.abs(repeat), k), bins))
    return Recurrence(count, _probabilities(top, bins).sum(axis=0)[bins], p, effective_number(count))


def upper_tail(top: BoolArray, bins: IntArray) -> FloatArray:
    """Chance that a gene of the same bin is marked in as many rows (rows x genes)."""
    count = top.sum(axis=0)
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
        The highest number of successes asked for.

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


def least_excess(count: IntArray, other: IntArray, n: int) -> FloatArray:
    """Lower end of the 95 % interval of count − other, each of n, with a success and a failure added to both.

    They are taken as independent; two counts over the same perturbations go together, so that it errs to the low side.
    A. Agresti and B. Caffo, The American Statistician 54, 280-288 (2000).
    """
    first, second = (count + 1) / (n + 2), (other + 1) / (n + 2)
    se = np.sqrt((first * (1 - first) + second * (1 - second)) / (n + 2))
    low: FloatArray = n * (first - second - 1.959963984540054 * se)
    return low


def effective_number(count: IntArray) -> float:
    """Exponential of the entropy of the shares of a count; NaN without any."""
    share = count[count > 0] / max(int(count.sum()), 1)
    return float(np.exp(-(share * np.log(share)).sum())) if share.size else float("nan")


def _probabilities(top: BoolArray, bins: IntArray) -> FloatArray:
    """Share of the genes of each bin that are marked (rows x bins)."""
    member = (bins[:, None] == np.arange(bins.max(initial=0) + 1)).astype(np.float64)
    # Marked genes of each row in each bin, over the genes of the bin (rows, bins)
    share: FloatArray = (top @ member) / member.sum(axis=0)
    return share

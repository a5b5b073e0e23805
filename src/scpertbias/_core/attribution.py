"""Agreement of attributions between two models, and detection of uninformative attributions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import rankdata

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

ONE_HOT = 0.999
SHARED = 0.999
CHUNK = 500
TIE = 1e-12


class RankedAttributions(NamedTuple):
    """Attributions of one model, prepared for comparison (perturbations x genes; NaN rows cannot be compared).

    Parameters
    ----------
    ranks
        Mid-ranks over genes, centered and of length 1: their inner product is Spearman's correlation.
    top
        Share of each gene in the top k: 1 inside, 0 outside, what is left divided evenly among ties at the border.
    """

    ranks: FloatArray
    top: FloatArray


class Agreement(NamedTuple):
    """Agreement of two models: for each perturbation, and p-values of the mean over those that both explain."""

    spearman: FloatArray
    overlap: FloatArray
    p: FloatArray
    p_specific: FloatArray
    mean_p: float
    mean_p_specific: float


class Kinds(NamedTuple):
    """Perturbations with attributions, flags of these attributions, and their mean cosine between perturbations."""

    known: BoolArray
    zero: BoolArray
    constant: BoolArray
    one_hot: BoolArray
    exact: BoolArray
    cosine: float


def rank_attributions(attributions: FloatArray, k: int) -> RankedAttributions:
    """Rank the genes of each perturbation (perturbations x genes) by the size of their attribution."""
    n_genes = attributions.shape[1]
    if not 1 <= k <= n_genes:
        msg = f"`k` is {k}; it must be between 1 and the number of genes, {n_genes}."
        raise ValueError(msg)
    size = np.abs(attributions)
    rows = np.flatnonzero(np.isfinite(size).all(axis=1) & (np.ptp(size, axis=1) > 0))
    ranks, top = np.full(size.shape, np.nan), np.full(size.shape, np.nan)
    if rows.size:
        centered = rankdata(size[rows], axis=1) - (n_genes + 1) / 2
        ranks[rows] = centered / np.linalg.norm(centered, axis=1, keepdims=True)
        top[rows] = _top_shares(size[rows], k)
    return RankedAttributions(ranks, top)


def _top_shares(size: FloatArray, k: int) -> FloatArray:
    """Share of each gene in the top k; ties are divided evenly, so the order of columns does not matter."""
    n_genes = size.shape[1]
    kth = np.partition(size, n_genes - k, axis=1)[:, n_genes - k, None]
    above, tied = size > kth, size == kth
    left = (k - above.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
    shares: FloatArray = above + tied * left
    return shares


def gene_permutations(bins: IntArray, n_perm: int, rng: np.random.Generator) -> list[tuple[IntArray, IntArray]]:
    """Draw permutations of the genes within each bin: its genes, and positions among them (n_perm x genes of the bin)."""
    drawn = []
    for b in np.unique(bins):
        genes = np.flatnonzero(bins == b)
        positions = np.tile(np.arange(len(genes)), (n_perm, 1))
        drawn.append((genes, rng.permuted(positions, axis=1)))
    return drawn


def agreement(
    a: RankedAttributions,
    b: RankedAttributions,
    *,
    k: int,
    permutations: list[tuple[IntArray, IntArray]],
    keys: FloatArray,
) -> Agreement:
    """Compare two models for each perturbation, and on the mean over perturbations.

    Parameters
    ----------
    a, b
        From :func:`rank_attributions`, of the same perturbations and genes.
    k
        As it was given there.
    permutations
        From :func:`gene_permutations`: each is shared by all perturbations.
    keys
        Random numbers (permutations x perturbations) whose order within the common perturbations permutes these.
    """
    n = len(a.ranks)
    both = np.flatnonzero(np.isfinite(a.ranks[:, 0]) & np.isfinite(b.ranks[:, 0]))
    spearman, overlap, p, specific = (np.full(n, np.nan) for _ in range(4))
    if not both.size:
        return Agreement(spearman, overlap, p, specific, np.nan, np.nan)
    x, y = a.ranks[both], b.ranks[both]
    # x_p · y_p of centered ranks of length 1: Spearman's correlation (P,)
    observed = np.einsum("pg,pg->p", x, y)
    spearman[both] = observed
    # Genes in the top k of both, as a share of k (P,)
    overlap[both] = np.einsum("pg,pg->p", a.top[both], b.top[both]) / k
    p[both] = _gene_tail(x, y, observed, [genes for genes, _ in permutations])
    specific[both], mean_specific = _specific(x, y, observed, keys[:, both])
    mean_p = _tail_of_mean(x, y, observed, permutations)
    return Agreement(spearman, overlap, p, specific, mean_p, mean_specific)


def _gene_tail(x: FloatArray, y: FloatArray, observed: FloatArray, bins: list[IntArray]) -> FloatArray:
    """Upper normal tail with the exact mean and variance of the product under permutations within bins."""
    mean, variance = np.zeros(len(x)), np.zeros(len(x))
    for genes in bins:
        n, in_x, in_y = len(genes), x[:, genes], y[:, genes]
        mean += in_x.sum(axis=1) * in_y.sum(axis=1) / n
        if n > 1:
            variance += in_x.var(axis=1) * in_y.var(axis=1) * n * n / (n - 1)
    sd = np.sqrt(variance)
    fixed = sd < TIE  # nothing changes under any permutation
    p: FloatArray = np.where(fixed, 1.0, ndtr(-(observed - mean) / np.where(fixed, 1.0, sd)))
    return p


def _tail_of_mean(
    x: FloatArray, y: FloatArray, observed: FloatArray, permutations: list[tuple[IntArray, IntArray]]
) -> float:
    """Share of gene permutations whose mean over perturbations is as high: sums of entries of the product matrix."""
    drawn = np.zeros(len(permutations[0][1]) if permutations else 0)
    for genes, positions in permutations:
        # Σ_p x_pi y_pj of all pairs of genes of the bin: a permutation picks one entry of each column
        product = x[:, genes].T @ y[:, genes]
        drawn += product[positions, np.arange(len(genes))].sum(axis=1)
    return _share_as_high(drawn, float(observed.sum()))


def _specific(x: FloatArray, y: FloatArray, observed: FloatArray, keys: FloatArray) -> tuple[FloatArray, float]:
    """Share of other perturbations of the second model that agree as well with the first; and of permutations."""
    n = len(x)
    if n < 2:
        return np.full(n, np.nan), float("nan")
    order = np.argsort(keys, axis=1)
    drawn, as_high = np.zeros(len(keys)), np.zeros(n)
    for start in range(0, n, CHUNK):
        rows = slice(start, min(start + CHUNK, n))
        # Correlation of each perturbation in x with each one in y
        cross = x[rows] @ y.T
        as_high[rows] = (cross >= observed[rows, None] - TIE).sum(axis=1)  # itself included
        drawn += cross[np.arange(len(cross)), order[:, rows]].sum(axis=1)
    return as_high / n, _share_as_high(drawn, float(observed.sum()))


def _share_as_high(drawn: FloatArray, observed: float) -> float:
    return float((1 + (drawn >= observed - TIE * max(1.0, abs(observed))).sum()) / (1 + len(drawn)))


def one_hot_bound(n_genes: int) -> float:
    """Largest Spearman correlation of a one-hot vector with any vector without ties."""
    return float(np.sqrt(3 / (n_genes + 1)))


def kinds(attributions: FloatArray) -> Kinds:
    """Find uninformative attributions (perturbations x genes): zero, constant, all on one gene, shared by all."""
    size = np.abs(attributions)
    known = np.asarray(np.isfinite(size).all(axis=1), dtype=np.bool_)
    size = np.where(known[:, None], size, 0.0)
    total, largest = size.sum(axis=1), size.max(axis=1)
    zero = known & (total == 0)
    constant = known & ~zero & (size.min(axis=1) == largest)
    one_hot = known & ~zero & ~constant & (largest >= ONE_HOT * total)
    exact = one_hot & ((size > 0).sum(axis=1) == 1)
    direction = size[known & ~zero]
    n = len(direction)
    if n > 1:
        direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        cosine = float((np.square(direction.sum(axis=0)).sum() - n) / (n * (n - 1)))
    else:
        cosine = float("nan")
    return Kinds(known, zero, constant, one_hot, exact, cosine)


def output_gene(shifts: FloatArray, names: npt.NDArray[np.str_]) -> tuple[int, int]:
    """Return the gene whose prediction varies most over perturbations, and how many genes tie for it.

    Ties go to the larger mean absolute change, then to the first name.

    Parameters
    ----------
    shifts
        Predicted changes against control, perturbations x genes.
    names
        Names of the genes.
    """
    variance = shifts.var(axis=0)
    tied = np.flatnonzero(variance == variance.max())
    size = np.abs(shifts[:, tied]).mean(axis=0)
    order = np.lexsort((names[tied], -size))
    return int(tied[order[0]]), len(tied)

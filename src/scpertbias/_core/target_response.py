"""Test whether each perturbed gene changes in its own column or in a neighboring one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray

MIN_TARGETS = 10
N_BLOCKS = 10


class Scan(NamedTuple):
    """Mean percentile of targets by shift: first over all genes, then in blocks of consecutive genes.

    Parameters
    ----------
    shifts
        Position tested, in columns from the column of the target.
    n_targets
        Number of targets (scans x shifts).
    percentile
        Their mean percentile (scans x shifts).
    expected
        The same in a random perturbation of those measured (scans x shifts).
    p
        p for the largest of all shifts (scans x shifts), NaN with fewer than 10 targets.
    best
        Position of the best shift (one for each scan).
    """

    shifts: IntArray
    n_targets: IntArray
    percentile: FloatArray
    expected: FloatArray
    p: FloatArray
    best: IntArray


def scan(
    ranks: FloatArray, rows: IntArray, columns: IntArray, *, max_shift: int, n_perm: int, rng: np.random.Generator
) -> Scan:
    """Find the shift at which perturbed genes change most.

    Perturbations are permuted among targets, which keeps what is high in every perturbation high. Shifts are compared
    in standard deviations above what a random perturbation shows there: next to some targets lie genes that move in
    every perturbation.

    Parameters
    ----------
    ranks
        Percentile of each gene's effect within its perturbation (perturbations x genes); NaN where a gene has none.
    rows, columns
        Perturbation and gene of each target.
    max_shift
        Largest shift to either side.
    n_perm
        Number of permutations.
    rng
        Generator.
    """
    n_genes = ranks.shape[1]
    shifts = np.arange(-max_shift, max_shift + 1)
    member = _members(columns, n_genes)
    permuted = rng.permuted(np.tile(rows[:, None], (1, n_perm)), axis=0)
    by_gene = np.ascontiguousarray(ranks.T)
    n_targets = np.zeros((len(member), len(shifts)), dtype=np.int64)
    percentile, expected = np.full(n_targets.shape, np.nan), np.full(n_targets.shape, np.nan)
    drawn = np.zeros((*n_targets.shape, n_perm))
    at_target = ranks[rows]
    known = ~np.isnan(at_target)
    average = np.where(known, at_target, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    for j, shift in enumerate(shifts):
        inside = np.flatnonzero((columns + shift >= 0) & (columns + shift < n_genes))
        looked_at, weight = columns[inside] + shift, member[:, inside]
        own = by_gene[looked_at, rows[inside]]
        n_targets[:, j] = weight @ ~np.isnan(own)
        # Mean over the targets of each scan: what is seen, and in the average perturbation (scans,)
        percentile[:, j] = _mean_of_known(weight, own[:, None])[:, 0]
        expected[:, j] = _mean_of_known(weight, np.where(np.isnan(own), np.nan, average[looked_at])[:, None])[:, 0]
        # Target by target, so that what is gathered lies together.
        drawn[:, j] = _mean_of_known(weight, np.take_along_axis(by_gene[looked_at], permuted[inside], axis=1))
    drawn = np.where(np.isnan(drawn), np.nan_to_num(expected)[:, :, None], drawn)
    p, best = _maximal(percentile, expected, drawn)
    informative = member.sum(axis=1) >= MIN_TARGETS
    return Scan(shifts, n_targets, percentile, expected, np.where(informative[:, None], p, np.nan), best)


def _mean_of_known(weight: FloatArray, values: FloatArray) -> FloatArray:
    """Mean of values (targets x draws) over the targets of each scan (scans x draws); NaN are left out."""
    known = ~np.isnan(values)
    n = weight @ known
    mean: FloatArray = (weight @ np.where(known, values, 0.0)) / np.where(n > 0, n, np.nan)
    return mean


def _members(columns: IntArray, n_genes: int) -> FloatArray:
    """Targets of each scan: all, then those in each block of consecutive genes (scans x targets)."""
    block = np.empty(n_genes, dtype=np.int64)
    for i, genes in enumerate(np.array_split(np.arange(n_genes), N_BLOCKS)):
        block[genes] = i
    return np.vstack([np.ones((1, len(columns))), block[columns] == np.arange(N_BLOCKS)[:, None]])


def block_bounds(n_genes: int) -> list[tuple[int, int]]:
    """First and last gene of each block."""
    blocks = np.array_split(np.arange(n_genes), N_BLOCKS)
    return [(int(genes[0]), int(genes[-1])) if genes.size else (-1, -1) for genes in blocks]


def _maximal(percentile: FloatArray, expected: FloatArray, drawn: FloatArray) -> tuple[FloatArray, IntArray]:
    """Chance that the highest of all shifts is as high, and which shift is highest."""
    size = drawn.std(axis=2)
    size = np.where(size > 0, size, np.inf)
    height = np.nan_to_num((percentile - expected) / size)
    highest = ((drawn - np.nan_to_num(expected)[:, :, None]) / size[:, :, None]).max(axis=1)
    n_perm = drawn.shape[2]
    p = (1 + (highest[:, None, :] >= height[:, :, None] - 1e-9).sum(axis=2)) / (1 + n_perm)
    return p, height.argmax(axis=1)

"""Expected log-normalized profiles of a negative-binomial screen, by quadrature instead of simulation."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numba
import numpy as np

from ..._core.arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from .sampling import Population

_TARGET_SUM = 1e4
_TAIL = 1e-8


def expected_profiles(population: Population, *, n_jobs: int = 1) -> FloatArray:
    """Expectation of `log1p(1e4 * count / total)`, groups × genes, in a batch without a batch effect.

    Gauss-Hermite quadrature over a cell's depth and its place on the axis; given both, the sum over the
    negative-binomial counts of the gene. The total is that count plus the counts of all other genes, which are
    independent of it given depth and place; they enter by their mean and, to second order, their variance.
    """
    depth_z, depth_weight = _hermite(population.depth_sd)
    axis_z, axis_weight = _hermite(population.cell_axis_sd)
    sd = population.depth_sd
    depths = population.depth * np.exp(sd * depth_z - sd**2 / 2)
    factors = np.exp(population.cell_axis_sd * np.outer(axis_z, population.axis))
    weights = np.outer(depth_weight, axis_weight)

    def profiles_of(rows: IntArray) -> FloatArray:
        out = np.zeros((len(rows), population.rate.shape[1]))
        _expect(population.rate[rows], population.size, depths, factors, weights, out)
        return out

    parts = np.array_split(np.arange(len(population.rate)), max(1, min(len(population.rate), 8 * n_jobs)))
    if n_jobs == 1:
        return np.concatenate([profiles_of(rows) for rows in parts])
    with ThreadPoolExecutor(n_jobs) as pool:
        return np.concatenate(list(pool.map(profiles_of, parts)))


def _hermite(sd: float) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for the expectation over a standard normal variable that enters times `sd`."""
    n_nodes = 3 + math.ceil(6 * sd) if sd > 0 else 1
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    return nodes, weights / weights.sum()


@numba.njit(nogil=True, cache=True)
def _expect(
    rate: FloatArray, size: FloatArray, depths: FloatArray, factors: FloatArray, weights: FloatArray, out: FloatArray
) -> None:
    n_groups, n_genes = rate.shape
    for p in range(n_groups):
        for s in range(len(factors)):
            for d in range(len(depths)):
                total, spread = 0.0, 0.0
                for g in range(n_genes):
                    mean = depths[d] * rate[p, g] * factors[s, g]
                    total += mean
                    spread += mean + mean * mean / size[g]
                for g in range(n_genes):
                    mean = depths[d] * rate[p, g] * factors[s, g]
                    others = max(total - mean, 1e-12)
                    variance = max(spread - mean - mean * mean / size[g], 0.0)
                    out[p, g] += weights[d, s] * _expect_gene(mean, size[g], others, variance)


@numba.njit(nogil=True, cache=True)
def _expect_gene(mean: float, size: float, others: float, variance: float) -> float:
    """Sum over the counts k of P(k) E[log1p(1e4 k / (k + R))], R with mean `others` and `variance`."""
    ratio = mean / (size + mean)
    mass = np.exp(-size * np.log1p(mean / size))
    tail = 1.0 - mass
    result = 0.0
    k = 0
    while tail > _TAIL and (mass > 1e-18 or k < mean):
        mass *= ratio * (k + size) / (k + 1)
        tail -= mass
        k += 1
        above = k * (_TARGET_SUM + 1.0) + others
        below = k + others
        curvature = 1.0 / (below * below) - 1.0 / (above * above)
        result += mass * (np.log(above / below) + 0.5 * variance * curvature)
    return result


def systematic_share(delta: FloatArray) -> float:
    """Share of all squared effects along the summed effect of the other perturbations; NaN without effects."""
    energy = float((delta**2).sum())
    if energy == 0:
        return float("nan")
    others = delta.sum(axis=0) - delta
    size = (others**2).sum(axis=1)
    # (δ_p · u_p)² / (u_p · u_p), u_p the effects of all but p (P,)
    own = np.divide((delta * others).sum(axis=1) ** 2, size, out=np.zeros(len(delta)), where=size > 0)
    return float(own.sum() / energy)


def gene_set_share(delta: FloatArray, members: BoolArray) -> float:
    """Share of all squared effects in the genes of a set; NaN without effects."""
    energy = float((delta**2).sum())
    return float((delta[:, members] ** 2).sum() / energy) if energy else float("nan")

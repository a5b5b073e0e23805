"""Negative-binomial counts, drawn in chunks directly into sparse rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from ..._core.arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

CHUNK = 512
"""Number of cells drawn from one seed. With another value, the same seed gives other counts."""


@dataclass(frozen=True)
class Population:
    """Parameters of the distribution of counts."""

    rate: FloatArray
    """Mean counts at depth 1, groups × genes."""
    batch_factor: FloatArray
    """Factor of the mean, batches × genes."""
    size: FloatArray
    """Negative-binomial size of each gene."""
    axis: FloatArray
    """Direction along which cells differ among themselves."""
    cell_axis_sd: float
    depth: float
    depth_sd: float


@dataclass
class SimulatedCells:
    """Sparse rows (CSR without the row pointer) and totals of some cells."""

    n_stored: IntArray
    indices: npt.NDArray[np.int32]
    counts: npt.NDArray[np.float32]
    totals: FloatArray
    set_totals: FloatArray
    """Counts in each of the requested gene sets, cells × sets."""


@numba.njit(nogil=True, cache=True)
def _draw(
    uniform: FloatArray,
    depth: FloatArray,
    position: FloatArray,
    group: IntArray,
    batch: IntArray,
    rate: FloatArray,
    batch_factor: FloatArray,
    size: FloatArray,
    axis: FloatArray,
    counts: npt.NDArray[np.int32],
) -> None:
    """Invert the negative-binomial distribution function at `uniform`, cell by cell and gene by gene."""
    n_cells, n_genes = uniform.shape
    for i in range(n_cells):
        for g in range(n_genes):
            mean = depth[i] * rate[group[i], g] * batch_factor[batch[i], g]
            if axis[g] != 0.0 and position[i] != 0.0:
                mean *= np.exp(position[i] * axis[g])
            counts[i, g] = 0
            # The probability of zero is at least exp(-mean), and that at least 1 - mean: most draws end here.
            if uniform[i, g] <= 1.0 - mean:
                continue
            r = size[g]
            ratio = mean / (r + mean)
            # Sizes are at most 30, so the probability of zero does not underflow at any count that fits.
            mass = np.exp(-r * np.log1p(mean / r))
            remainder = uniform[i, g] - mass
            k = 0
            # Beyond the last representable mass, the uniform's rounding is all that is left.
            while remainder > 0.0 and (mass > 1e-18 or k < mean):
                mass *= ratio * (k + r) / (k + 1)
                remainder -= mass
                k += 1
            counts[i, g] = k


@numba.njit(nogil=True, cache=True)
def _compress(counts: npt.NDArray[np.int32], indices: npt.NDArray[np.int32], values: npt.NDArray[np.float32]) -> None:
    n_cells, n_genes = counts.shape
    end = 0
    for i in range(n_cells):
        for g in range(n_genes):
            if counts[i, g] > 0:
                indices[end] = g
                values[end] = counts[i, g]
                end += 1


def draw_cells(
    population: Population,
    group: IntArray,
    batch: IntArray,
    *,
    members: Sequence[BoolArray],
    seed: np.random.SeedSequence,
    n_jobs: int,
) -> list[SimulatedCells]:
    """Draw a cell for each entry of `group` and `batch`; the chunks hold `CHUNK` cells each, in order.

    Every chunk has its own child of `seed`: the result does not depend on `n_jobs`.
    """
    starts = range(0, len(group), CHUNK)
    tasks = list(zip(starts, seed.spawn(len(starts)), strict=True))

    def draw_one(task: tuple[int, np.random.SeedSequence]) -> SimulatedCells:
        start, child = task
        rows = slice(start, start + CHUNK)
        return _draw_chunk(population, group[rows], batch[rows], members, np.random.default_rng(child))

    if n_jobs == 1:
        return [draw_one(task) for task in tasks]
    with ThreadPoolExecutor(n_jobs) as pool:
        return list(pool.map(draw_one, tasks))


def _draw_chunk(
    population: Population, group: IntArray, batch: IntArray, members: Sequence[Any], rng: np.random.Generator
) -> SimulatedCells:
    n_cells, n_genes = len(group), population.rate.shape[1]
    sd = population.depth_sd
    depth = population.depth * np.exp(sd * rng.standard_normal(n_cells) - sd**2 / 2)
    position = population.cell_axis_sd * rng.standard_normal(n_cells)
    counts = np.empty((n_cells, n_genes), dtype=np.int32)
    uniform = rng.random((n_cells, n_genes))
    _draw(
        uniform, depth, position, group, batch,
        population.rate, population.batch_factor, population.size, population.axis, counts,
    )  # fmt: skip
    n_stored = np.count_nonzero(counts, axis=1)
    indices = np.empty(n_stored.sum(), dtype=np.int32)
    values = np.empty(len(indices), dtype=np.float32)
    _compress(counts, indices, values)
    set_totals = np.column_stack([counts[:, mask].sum(axis=1) for mask in members]).astype(np.float64)
    return SimulatedCells(n_stored, indices, values, counts.sum(axis=1, dtype=np.float64), set_totals)

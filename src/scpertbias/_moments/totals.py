"""Quantities of all cells that are needed before the pass: totals, sums in gene sets, control mean, and a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.chunks import by_genes
from .._core.sums import column_sums, set_sums
from .._scale import Scale
from .streaming import progress


@dataclass(frozen=True)
class Totals:
    """Each cell's ``totals`` and those ``within`` gene sets, the ``mean`` of the control, and the values of the cells ``at``."""

    totals: FloatArray
    within: dict[str, FloatArray]
    mean: FloatArray
    at: IntArray
    sample: Any


def read_totals(
    x: Any,
    *,
    sets: Mapping[str, BoolArray],
    control: BoolArray,
    sample: IntArray,
    check: Scale,
    chunk_memory: float,
) -> Totals:
    """Read the cells once.

    Parameters
    ----------
    x
        Cells × genes, in memory or not.
    sets
        Genes whose values are summed in each cell, by name.
    control
        Cells whose mean is taken.
    sample
        Positions of cells, ascending, whose values are kept.
    check
        Looks at all values.
    chunk_memory
        Gigabytes of cells that are held at a time where they are not in memory.
    """
    mean, samples = np.zeros(x.shape[1]), []
    members = np.stack([np.ones(x.shape[1], dtype=np.bool_), *sets.values()])
    sums = np.zeros((len(members), x.shape[0]))
    for chunk in progress(x, chunk_memory):
        check.add(chunk.x, whole_cells=not by_genes(x))
        sums[:, chunk.rows] += set_sums(chunk.x, members[:, chunk.genes])
        mean[chunk.genes] += column_sums(chunk.x[np.flatnonzero(control[chunk.rows])])
        mine = sample[(sample >= chunk.rows.start) & (sample < chunk.rows.stop)] - chunk.rows.start
        samples.append(chunk.x[mine])
    check.finish()
    totals, within = sums[0], dict(zip(sets, sums[1:], strict=True))
    return Totals(totals, within, mean / max(int(control.sum()), 1), sample, _together(samples, axis=int(by_genes(x))))


def _together(parts: list[Any], axis: int) -> Any:
    if not any(sparse.issparse(part) for part in parts):
        return np.concatenate(parts, axis=axis)
    stacked = (sparse.hstack if axis else sparse.vstack)([sparse.csr_array(part) for part in parts], format="csr")
    return sparse.csr_matrix(stacked)

"""The pass over the cells: at once in memory, in bounded parts from a file or a lazy array, or on a dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from .._core.arrays import FloatArray, IntArray
from .._core.chunks import Chunk, by_genes, chunks, is_lazy
from .._core.control_sums import ControlSums
from .._core.moments import Moments
from .._core.row_moments import MomentAccumulator
from .._core.sums import row_sums
from .._log import progress as progress_bar
from .._scale import Scale
from . import dask_workers
from .batch import CellBatch, Normalization

BEGINNING = 50e6
"""Bytes of cells that are read first, to check their scale."""
CHUNK_MEMORY = 0.5
"""Memory in gigabytes for cells that are read in parts."""


@dataclass(frozen=True)
class ReadSettings:
    """How the cells are read, in addition to what is known about each.

    ``control`` takes the sums that are of control cells alone; ``normalization`` is for raw counts; ``check`` looks at all
    values; ``chunk_memory`` gigabytes of cells are held at a time where they are not in memory (None: ``CHUNK_MEMORY``);
    ``columns`` is where each gene goes (−1: nowhere).
    """

    control: ControlSums
    normalization: Normalization | None
    check: Scale
    chunk_memory: float | None = None
    columns: IntArray | None = None


def moments(x: Any, accumulator: MomentAccumulator, settings: ReadSettings) -> Moments:
    """Read every cell once, and return the moments of the rows."""
    chunk_memory = CHUNK_MEMORY if settings.chunk_memory is None else settings.chunk_memory
    control, normalization = settings.control, settings.normalization
    if normalization is not None and normalization.size is None and by_genes(x):
        normalization = replace(normalization, size=totals(x, chunk_memory), are_totals=True)
    cells = CellBatch(
        accumulator.assignment.group,
        accumulator.deviations,
        normalization,
        settings.check,
        settings.columns,
    )
    if dask_workers.has_client(x):
        dask_workers.read(x, cells, accumulator.sums, control, n_bytes=chunk_memory * 1e9)
    else:
        for chunk in progress(x, chunk_memory):
            genes = chunk.genes if by_genes(x) else None
            cells[chunk.rows].read(chunk.x, accumulator.sums, control, chunk.rows, genes)
    settings.check.finish()
    moments = accumulator.moments()
    rows = (accumulator.row, accumulator.n_rows, accumulator.reference)
    return replace(moments, levels=control.kept_levels(*rows), quality=control.quality(*rows))


def totals(x: Any, chunk_memory: float) -> FloatArray:
    """Sum the values of each cell, in a separate pass."""
    out = np.zeros(x.shape[0])
    for chunk in progress(x, chunk_memory):
        out[chunk.rows] += row_sums(chunk.x)
    return out


def beginning(x: Any) -> Any:
    """Return the first values, in memory: all where they are there already."""
    return next(chunks(x, n_bytes=BEGINNING)).x


def progress(x: Any, chunk_memory: float) -> Iterator[Chunk]:
    """Read the values in chunks, with a bar where they are not in memory."""
    if not isinstance(chunk_memory, Real) or not chunk_memory > 0:
        msg = f"`chunk_memory` is {chunk_memory!r}; it must be positive (gigabytes)."
        raise ValueError(msg)
    genes = by_genes(x)
    what, total = ("genes", x.shape[1]) if genes else ("cells", x.shape[0])
    with progress_bar(what, total, unit_scale=True) if is_lazy(x) else nullcontext() as bar:
        for chunk in chunks(x, n_bytes=chunk_memory * 1e9):
            yield chunk
            if bar is not None:
                part = chunk.genes if genes else chunk.rows
                bar.update(part.stop - part.start)

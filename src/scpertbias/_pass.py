"""The pass over the cells: at once in memory, in bounded parts from a file or a lazy array, or on a dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _distributed
from ._core.blocks import Leaves
from ._core.chunks import Chunk, by_genes, chunks, is_lazy
from ._core.depth import Depth
from ._core.gather import Gathering
from ._core.moments import Moments
from ._core.sums import row_sums
from ._log import progress as shown
from ._validate import Scale

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BEGINNING = 50e6
"""Bytes of cells that are looked at first."""
CHUNK_MEMORY = 0.5
"""Gigabytes of cells that are held at a time where they are not in memory."""


@dataclass(frozen=True)
class Normalization:
    """Raw counts enter as ``log1p(target_sum * count / size)``; ``size`` None: each cell's total."""

    target_sum: float
    size: FloatArray | None
    named: str

    def of(self, x: Any) -> tuple[FloatArray, FloatArray]:
        """Return the factor and the size of cells."""
        totals = row_sums(x)
        size = totals if self.size is None else self.size
        if n := int(((size < 0) | ((size == 0) & (totals > 0))).sum()):
            msg = f"`size_factors`: {self.named} is not positive in {n} cells that hold counts."
            raise ValueError(msg)
        return np.divide(self.target_sum, size, out=np.zeros_like(size), where=size > 0), size


@dataclass(frozen=True)
class Cells:
    """What is known of some cells before their values are read.

    ``leaf`` (−1: none) is each cell's leaf, ``deviations`` are those of the covariates, ``size`` is the depth (None: that
    of the normalization); ``check`` looks at the values.
    """

    leaf: IntArray
    deviations: FloatArray | None
    normalization: Normalization | None
    size: FloatArray | None
    check: Scale
    columns: IntArray | None = None

    def __getitem__(self, rows: slice) -> Cells:
        """Return some of the cells."""
        n = self.normalization
        return Cells(
            leaf=self.leaf[rows],
            deviations=_some(self.deviations, rows),
            normalization=n if n is None else replace(n, size=_some(n.size, rows)),
            size=_some(self.size, rows),
            check=self.check,
            columns=self.columns,
        )

    def read(self, x: Any, leaves: Leaves, depth: Depth | None, rows: slice, genes: slice | None = None) -> None:
        """Add the values of these cells, which lie at ``rows``, to the leaves; of ``genes`` only where given."""
        self.check.add(x)
        to = self.columns
        if genes is not None and to is not None:
            start, to = int((to[: genes.start] >= 0).sum()), to[genes]
            x, genes = x[:, np.flatnonzero(to >= 0)], slice(start, start + int((to >= 0).sum()))
        scale, size = (None, self.size) if self.normalization is None else self.normalization.of(x)
        _put(leaves, genes, x, self.leaf, scale, self.deviations, to)
        if depth is not None and size is not None:
            code, log_size = depth.sized(rows, size)
            _put(depth.leaves, genes, x, code, scale, log_size, to)


def _some(values: Any, rows: slice) -> Any:
    return None if values is None else values[rows]


def _put(leaves: Leaves, genes: slice | None, x: Any, leaf: IntArray, scale: Any, deviations: Any, to: Any) -> None:
    if genes is None:
        leaves.add(x, leaf, scale=scale, deviations=deviations, columns=to)
    else:
        leaves.add_genes(genes, x, leaf, scale=scale, deviations=deviations)


@dataclass(frozen=True)
class Reading:
    """How the cells are read, beside what is known of each.

    ``depth`` is the control cells' regression on their ``size`` (None: that of the normalization), None for none;
    ``normalization`` is for raw counts; ``check`` looks at all values; ``chunk_memory`` gigabytes of cells are held at a
    time where they are not in memory (None: ``CHUNK_MEMORY``); ``columns`` is where each gene goes (−1: nowhere).
    """

    depth: Depth | None
    size: FloatArray | None
    normalization: Normalization | None
    check: Scale
    chunk_memory: float | None = None
    columns: IntArray | None = None


def moments(x: Any, gathering: Gathering, reading: Reading) -> Moments:
    """Read every cell once, and return the moments of the rows."""
    chunk_memory = CHUNK_MEMORY if reading.chunk_memory is None else reading.chunk_memory
    depth, normalization = reading.depth, reading.normalization
    if normalization is not None and normalization.size is None and by_genes(x):
        normalization = replace(normalization, size=totals(x, chunk_memory))
    cells = Cells(
        gathering.dealt.leaf, gathering.deviations, normalization, reading.size, reading.check, reading.columns
    )
    if _distributed.is_wanted(x):
        _distributed.read(x, cells, gathering.leaves, depth, n_bytes=chunk_memory * 1e9)
    else:
        for chunk in progress(x, chunk_memory):
            genes = chunk.genes if by_genes(x) else None
            cells[chunk.rows].read(chunk.x, gathering.leaves, depth, chunk.rows, genes)
    reading.check.done()
    found = gathering.moments()
    return found if depth is None else replace(found, depth_slopes=depth.slopes())


def totals(x: Any, chunk_memory: float) -> FloatArray:
    """Sum each cell's values in a pass of its own."""
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
    with shown(what, total, unit_scale=True) if is_lazy(x) else nullcontext() as bar:
        for chunk in chunks(x, n_bytes=chunk_memory * 1e9):
            yield chunk
            if bar is not None:
                part = chunk.genes if genes else chunk.rows
                bar.update(part.stop - part.start)

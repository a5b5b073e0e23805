"""The pass over the cells on a dask cluster: every block to its moments where it lies, and these joined in a tree."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._core.blocks import Leaves
from ._core.chunks import by_genes, in_memory
from ._core.depth import Depth

if TYPE_CHECKING:
    from ._pass import Cells
    from ._validate import Scale

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
AT_A_TIME = 16
"""Blocks of genes whose moments are on the cluster before they are fetched."""
ONE = threading.Lock()
"""The kernels use all cores of a worker by themselves, and not every threading layer of numba stands being entered twice."""


@dataclass
class Part:
    """Moments of the leaves ``at`` that some cells lie in, what their depth gave, and what the check saw."""

    at: IntArray
    leaves: Leaves
    depth: Leaves | None
    sized: list[tuple[slice, IntArray, FloatArray]]
    check: Scale


def is_wanted(x: Any) -> bool:
    """Whether the values are a dask array, and a client of a dask cluster is at hand."""
    if not hasattr(x, "to_delayed") or "distributed" not in sys.modules:
        return False
    from distributed import get_client

    try:
        get_client()
    except ValueError:
        return False
    return True


def read(x: Any, cells: Cells, leaves: Leaves, depth: Depth | None, *, n_bytes: float) -> None:
    """Read every block on the cluster, and add its moments to the leaves.

    What a lost worker held is computed again. Each worker holds cells of ``n_bytes`` and a few copies of the moments.
    """
    import dask
    import dask.bag

    _, n_deviations, n_genes = leaves.cross.shape
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # what is known of every cell has to go there
        if by_genes(x):
            _read_genes(x, cells, leaves, depth)
            return
        x = x.rechunk({1: -1})
        parts = []
        for rows, blocks in _groups(x, int(n_bytes / (x.shape[1] * 8))):
            some = None if depth is None else depth.some(rows, n_genes)
            parts.append(dask.delayed(_part)(blocks, cells[rows], rows, some, n_deviations, n_genes))
        # As the reduction of a bag: each part is a partition of one.
        whole = dask.bag.from_delayed(parts).reduction(_joined, _joined, split_every=2).compute()
    leaves.join(whole.leaves, whole.at)
    cells.check.join(whole.check)
    if depth is not None and whole.depth is not None:
        depth.leaves.join(whole.depth, np.arange(len(whole.depth.n)))
        depth.sized_as(whole.sized)


def _groups(x: Any, n_cells: int) -> Iterator[tuple[slice, list[Any]]]:
    """Yield blocks that follow each other, with about so many cells: a part's moments may be larger than one block."""
    blocks: list[Any] = []
    start = end = 0
    for block, length in zip(x.to_delayed()[:, 0], x.chunks[0], strict=True):
        if blocks and end + length - start > n_cells:
            yield slice(start, end), blocks
            blocks, start = [], end
        blocks.append(block)
        end += length
    yield slice(start, end), blocks


def _part(
    blocks: list[Any], cells: Cells, rows: slice, depth: Depth | None, n_deviations: int, n_genes: int
) -> list[Part]:
    """Take the moments of some cells; only leaves that they lie in have a row."""
    at = np.unique(cells.leaf[cells.leaf >= 0])
    leaf = np.where(cells.leaf >= 0, np.searchsorted(at, cells.leaf), -1)
    cells = replace(cells, leaf=leaf, check=cells.check.fresh())
    leaves = Leaves.empty(len(at), n_genes, n_deviations)
    start = 0
    for block in map(in_memory, blocks):
        here = slice(start, start + block.shape[0])
        with ONE:
            cells[here].read(block, leaves, depth, here)
        start = here.stop
    if depth is None:
        return [Part(at, leaves, None, [], cells.check)]
    return [Part(at, leaves, depth.leaves, [(rows, depth.code, depth.log_size)], cells.check)]


def _joined(parts: Iterable[Part]) -> Part:
    """Join the moments of other cells; the parts stay as they are, as another task may need them again."""
    given = list(parts)
    if len(given) == 1:
        return given[0]
    at = np.unique(np.concatenate([part.at for part in given]))
    _, n_deviations, n_genes = given[0].leaves.cross.shape
    leaves, check = Leaves.empty(len(at), n_genes, n_deviations), given[0].check.fresh()
    depth = None if given[0].depth is None else Leaves.empty(len(given[0].depth.n), n_genes, 1)
    for part in given:
        leaves.join(part.leaves, np.searchsorted(at, part.at))
        check.join(part.check)
        if depth is not None and part.depth is not None:
            depth.join(part.depth, np.arange(len(depth.n)))
    return Part(at, leaves, depth, [sized for part in given for sized in part.sized], check)


def _read_genes(x: Any, cells: Cells, leaves: Leaves, depth: Depth | None) -> None:
    """Blocks of whole columns need no joining; some of them are on the cluster at a time."""
    import dask

    edges = np.concatenate([[0], np.cumsum(x.chunks[1])]).tolist()
    blocks, everyone, start = x.to_delayed()[0], slice(0, x.shape[0]), 0
    for first in range(0, len(blocks), AT_A_TIME):
        some = range(first, min(first + AT_A_TIME, len(blocks)))
        tasks = []
        for i in some:
            columns = None if cells.columns is None else _shifted(cells.columns[edges[i] : edges[i + 1]])
            n_genes = edges[i + 1] - edges[i] if columns is None else int((columns >= 0).sum())
            empty = None if depth is None else depth.some(everyone, n_genes)
            block = [blocks[i]], replace(cells, columns=columns), everyone, empty, leaves.cross.shape[1], n_genes
            tasks.append(dask.delayed(_part)(*block))
        for (part,) in dask.compute(*tasks):
            genes = slice(start, start := start + part.leaves.mean.shape[1])
            leaves.put(genes, part.leaves, part.at)
            cells.check.join(part.check)
            if depth is not None and part.depth is not None:
                depth.leaves.put(genes, part.depth, np.arange(len(part.depth.n)))
                depth.sized_as(part.sized)


def _shifted(columns: IntArray) -> IntArray:
    """Number the genes of a block that are kept."""
    return np.where(columns >= 0, np.cumsum(columns >= 0) - 1, -1)

"""The pass over the cells on a dask cluster: every block to its moments where it lies, and these joined in a tree."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from .._core.accumulators import Leaves
from .._core.arrays import FloatArray, IntArray
from .._core.chunks import by_genes, in_memory
from .._core.depth import Depth

if TYPE_CHECKING:
    from .._validate import Scale
    from .batch import Cells


CELLS_PER_LEAF = 20
"""Where there are so many cells, their moments take less than they do."""
SLAB = 2**26
"""Bytes of moments that are joined at a time."""
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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # what is known of every cell has to go there
        if by_genes(x):
            _read_genes(x, cells, leaves, depth)
        else:
            _read_cells(x.rechunk({1: -1}), cells, leaves, depth, n_bytes)


def _read_cells(x: Any, cells: Cells, leaves: Leaves, depth: Depth | None, n_bytes: float) -> None:
    """Take the moments of many cells at a time, and join them in a tree, some leaves at a time."""
    import dask
    import dask.bag

    _, n_deviations, n_genes = leaves.cross.shape
    slabs = _slabs(leaves)
    parts = []
    for rows, groups in _parts(x, int(n_bytes / (x.shape[1] * 8)), _cells_of_a_part(x.shape[0], len(leaves.n))):
        some = None if depth is None else depth.some(rows, n_genes)
        made = dask.delayed(_part, nout=len(slabs))(groups, cells[rows], rows, some, n_deviations, n_genes, slabs)
        parts.append(list(made))
    # As the reduction of a bag: each part is a partition of one.
    wholes = [
        dask.bag.from_delayed(some).reduction(_joined, _joined, split_every=2) for some in zip(*parts, strict=True)
    ]
    for whole in dask.compute(*wholes):
        _take(whole, slice(0, n_genes), cells, leaves, depth)


def _take(part: Part, genes: slice, cells: Cells, leaves: Leaves, depth: Depth | None) -> None:
    leaves.put(genes, part.leaves, part.at)
    cells.check.join(part.check)
    if depth is not None and part.depth is not None:
        depth.leaves.put(genes, part.depth, np.arange(len(part.depth.n)))
        depth.sized_as(part.sized)


def _slabs(leaves: Leaves) -> list[slice]:
    """Cut the leaves so that the moments of each slab are small: joining takes several copies of them."""
    n_leaves = len(leaves.n)
    width = max(1, int(n_leaves * SLAB / max(1, leaves.mean.nbytes + leaves.m2.nbytes + leaves.cross.nbytes)))
    return [slice(start, min(start + width, n_leaves)) for start in range(0, n_leaves, width)]


def _cells_of_a_part(n_cells: int, n_leaves: int) -> int:
    """Return how many cells make moments that are small beside them, but no more than a worker's share."""
    from distributed import get_client

    share = -(-n_cells // max(1, len(get_client().nthreads())))
    return min(CELLS_PER_LEAF * n_leaves, share)


def _parts(x: Any, at_a_time: int, n_cells: int) -> Iterator[tuple[slice, list[Any]]]:
    """Yield groups of blocks that follow each other, with about so many cells; a group is what is read at a time."""
    from distributed import Future

    lies_there = any(isinstance(value, Future) for value in dict(x.__dask_graph__()).values())
    part: list[Any] = []
    start = 0
    for rows, blocks in _groups(x, at_a_time):
        if part and rows.stop - start > n_cells:
            yield slice(start, rows.start), part
            part, start = [], rows.start
        part.append(blocks if lies_there else Later(blocks))
    yield slice(start, x.shape[0]), part


def _groups(x: Any, n_cells: int) -> Iterator[tuple[slice, list[Any]]]:
    """Yield blocks that follow each other, with about so many cells."""
    blocks: list[Any] = []
    start = end = 0
    for block, length in zip(x.to_delayed()[:, 0], x.chunks[0], strict=True):
        if blocks and end + length - start > n_cells:
            yield slice(start, end), blocks
            blocks, start = [], end
        blocks.append(block)
        end += length
    yield slice(start, end), blocks


class Later:
    """Blocks that are read when they are asked for: dask makes all that it finds in an argument before the task."""

    def __init__(self, blocks: list[Any]) -> None:
        import dask

        self._blocks = dask.optimize(*blocks)  # without the graph of all other blocks

    def read(self) -> list[Any]:
        """Read the blocks."""
        import dask

        return list(dask.compute(*self._blocks, scheduler="synchronous"))


def _part(
    groups: list[Any],
    cells: Cells,
    rows: slice,
    depth: Depth | None,
    n_deviations: int,
    n_genes: int,
    slabs: list[slice],
) -> list[list[Part]]:
    """Take the moments of some cells, and cut them by leaves; only leaves that they lie in have a row."""
    at = np.unique(cells.leaf[cells.leaf >= 0])
    leaf = np.where(cells.leaf >= 0, np.searchsorted(at, cells.leaf), -1)
    cells = replace(cells, leaf=leaf, check=cells.check.fresh())
    leaves = Leaves.empty(len(at), n_genes, n_deviations)
    start = 0
    for group in groups:
        blocks = [in_memory(block) for block in (group.read() if isinstance(group, Later) else group)]
        x = blocks[0] if len(blocks) == 1 else _stacked(blocks)
        here = slice(start, start + x.shape[0])
        with ONE:
            cells[here].read(x, leaves, depth, here)
        start = here.stop
    edges = np.searchsorted(at, [slab.start for slab in slabs] + [slabs[-1].stop])
    found: list[list[Part]] = []
    for some in map(slice, edges[:-1], edges[1:]):
        part = Part(at[some], leaves.some(some), None, [], cells.check.fresh())
        if not found:  # what is not of leaves goes with the first
            part.check = cells.check
            if depth is not None:
                part.depth, part.sized = depth.leaves, [(rows, depth.code, depth.log_size)]
        found.append([part])
    return found


def _stacked(blocks: list[Any]) -> Any:
    return sparse.vstack(blocks, format="csr") if sparse.issparse(blocks[0]) else np.concatenate(blocks)


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
            here, whole = replace(cells, columns=columns), [slice(0, len(leaves.n))]
            tasks.append(
                dask.delayed(_part)([[blocks[i]]], here, everyone, empty, leaves.cross.shape[1], n_genes, whole)
            )
        for ((part,),) in dask.compute(*tasks):
            _take(part, slice(start, start := start + part.leaves.mean.shape[1]), cells, leaves, depth)


def _shifted(columns: IntArray) -> IntArray:
    """Number the genes of a block that are kept."""
    return np.where(columns >= 0, np.cumsum(columns >= 0) - 1, -1)

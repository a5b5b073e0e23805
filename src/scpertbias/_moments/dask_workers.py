"""The pass over the cells on a dask cluster: moments of every block on its worker, joined in a tree."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from .._core.accumulators import GroupSums
from .._core.arrays import FloatArray, IntArray
from .._core.chunks import by_genes, in_memory
from .._core.control_sums import ControlSums

if TYPE_CHECKING:
    from .._scale import Scale
    from .batch import CellBatch


CELLS_PER_GROUP = 20
"""With at least this number of cells per group, moments need less memory than the cells."""
SLAB = 2**26
"""Largest size in bytes of the moments that are joined at once."""
AT_A_TIME = 16
"""Number of blocks of genes whose moments are computed on the cluster, and then fetched, together."""
ONE = threading.Lock()
"""Only one task per worker at a time: each uses all cores, and memory for its moments."""


@dataclass
class Partition:
    """Moments of the groups ``at`` of some cells, sums of their control cells, and results of the scale check."""

    at: IntArray
    sums: GroupSums
    control: list[GroupSums]
    quality: list[tuple[slice, FloatArray]]
    check: Scale


def has_client(x: Any) -> bool:
    """Whether the values are a dask array, and a client of a dask cluster is at hand."""
    if not hasattr(x, "to_delayed") or "distributed" not in sys.modules:
        return False
    from distributed import get_client

    try:
        get_client()
    except ValueError:
        return False
    return True


def read(x: Any, cells: CellBatch, sums: GroupSums, control: ControlSums, *, n_bytes: float) -> None:
    """Read every block on the cluster, and add its moments to the sums.

    What a lost worker held is computed again. Each worker holds cells of ``n_bytes`` and a few copies of the moments.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # what is known of every cell has to go there
        if by_genes(x):
            _read_genes(x, cells, sums, control)
        else:
            _read_cells(x.rechunk({1: -1}), cells, sums, control, n_bytes)


def _read_cells(x: Any, cells: CellBatch, sums: GroupSums, control: ControlSums, n_bytes: float) -> None:
    """Compute the moments of large parts of the cells, and join them in a tree, for parts of the groups."""
    import dask
    import dask.bag

    _, n_deviations, n_genes = sums.cross.shape
    slabs = _slabs(sums)
    partitions = []
    for rows, runs in _partitions(x, int(n_bytes / (x.shape[1] * 8)), _cells_per_partition(x.shape[0], len(sums.n))):
        own_control = control.subset(rows, n_genes)
        task = dask.delayed(_partition_moments, nout=len(slabs))
        partitions.append(list(task(runs, cells[rows], rows, own_control, n_deviations, n_genes, slabs)))
    # As the reduction of a bag, each partition of which holds one item.
    wholes = [
        dask.bag.from_delayed(slab).reduction(_join, _join, split_every=2) for slab in zip(*partitions, strict=True)
    ]
    for whole in dask.compute(*wholes):
        _take(whole, slice(0, n_genes), cells, sums, control)


def _take(partition: Partition, genes: slice, cells: CellBatch, sums: GroupSums, control: ControlSums) -> None:
    sums.put(genes, partition.sums, partition.at)
    cells.check.join(partition.check)
    for own, other in zip(control.sums, partition.control, strict=False):  # only the first slab has any
        own.put(genes, other, np.arange(len(other.n)))
    for rows, values in partition.quality:
        control.values[rows] = values


def _slabs(sums: GroupSums) -> list[slice]:
    """Cut the groups so that the moments of each slab are small: joining takes several copies of them."""
    n_groups = len(sums.n)
    width = max(1, int(n_groups * SLAB / max(1, sums.mean.nbytes + sums.m2.nbytes + sums.cross.nbytes)))
    return [slice(start, min(start + width, n_groups)) for start in range(0, n_groups, width)]


def _cells_per_partition(n_cells: int, n_groups: int) -> int:
    """Return a number of cells with comparatively small moments, at most the share of a worker."""
    from distributed import get_client

    share = -(-n_cells // max(1, len(get_client().nthreads())))
    return min(CELLS_PER_GROUP * n_groups, share)


def _partitions(x: Any, at_a_time: int, n_cells: int) -> Iterator[tuple[slice, list[Any]]]:
    """Yield runs of blocks that follow each other, with about this number of cells; a run is read at once."""
    from distributed import Future

    lies_there = any(isinstance(value, Future) for value in dict(x.__dask_graph__()).values())
    partition: list[Any] = []
    start = 0
    for rows, blocks in _block_runs(x, at_a_time):
        if partition and rows.stop - start > n_cells:
            yield slice(start, rows.start), partition
            partition, start = [], rows.start
        partition.append(blocks if lies_there else LazyBlocks(blocks))
    yield slice(start, x.shape[0]), partition


def _block_runs(x: Any, n_cells: int) -> Iterator[tuple[slice, list[Any]]]:
    """Yield consecutive blocks with about this number of cells."""
    blocks: list[Any] = []
    start = end = 0
    for block, length in zip(x.to_delayed()[:, 0], x.chunks[0], strict=True):
        if blocks and end + length - start > n_cells:
            yield slice(start, end), blocks
            blocks, start = [], end
        blocks.append(block)
        end += length
    yield slice(start, end), blocks


class LazyBlocks:
    """Blocks that are read on demand: dask makes all that it finds in an argument before the task."""

    def __init__(self, blocks: list[Any]) -> None:
        import dask

        self._blocks = dask.optimize(*blocks)  # without the graph of all other blocks

    def read(self) -> list[Any]:
        """Read the blocks."""
        import dask

        return list(dask.compute(*self._blocks, scheduler="synchronous"))


def _partition_moments(
    runs: list[Any],
    cells: CellBatch,
    rows: slice,
    control: ControlSums,
    n_deviations: int,
    n_genes: int,
    slabs: list[slice],
) -> list[list[Partition]]:
    """Compute the moments of some cells, divided by groups; only groups with cells have a row."""
    at = np.unique(cells.group[cells.group >= 0])
    group = np.where(cells.group >= 0, np.searchsorted(at, cells.group), -1)
    cells = replace(cells, group=group, check=cells.check.fresh())
    sums = GroupSums.empty(len(at), n_genes, n_deviations)
    start = 0
    for run in runs:
        blocks = [in_memory(block) for block in (run.read() if isinstance(run, LazyBlocks) else run)]
        x = blocks[0] if len(blocks) == 1 else _stacked(blocks)
        here = slice(start, start + x.shape[0])
        with ONE:
            cells[here].read(x, sums, control, here)
        start = here.stop
    edges = np.searchsorted(at, [slab.start for slab in slabs] + [slabs[-1].stop])
    by_slab: list[list[Partition]] = []
    for groups in map(slice, edges[:-1], edges[1:]):
        partition = Partition(at[groups], sums.subset(groups), [], [], cells.check.fresh())
        if not by_slab:  # what is not of groups goes with the first
            partition.check = cells.check
            partition.control, partition.quality = control.sums, [(rows, control.values)]
        by_slab.append([partition])
    return by_slab


def _stacked(blocks: list[Any]) -> Any:
    return sparse.vstack(blocks, format="csr") if sparse.issparse(blocks[0]) else np.concatenate(blocks)


def _join(partitions: Iterable[Partition]) -> Partition:
    """Join the moments of other cells; the partitions are not changed, because another task may need them."""
    partitions = list(partitions)
    if len(partitions) == 1:
        return partitions[0]
    at = np.unique(np.concatenate([partition.at for partition in partitions]))
    _, n_deviations, n_genes = partitions[0].sums.cross.shape
    sums, check = GroupSums.empty(len(at), n_genes, n_deviations), partitions[0].check.fresh()
    control = [GroupSums.empty(len(one.n), n_genes, one.cross.shape[1]) for one in partitions[0].control]
    for partition in partitions:
        sums.join(partition.sums, np.searchsorted(at, partition.at))
        check.join(partition.check)
        for own, other in zip(control, partition.control, strict=True):
            own.join(other, np.arange(len(own.n)))
    quality = [values for partition in partitions for values in partition.quality]
    return Partition(at, sums, control, quality, check)


def _read_genes(x: Any, cells: CellBatch, sums: GroupSums, control: ControlSums) -> None:
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
            empty = control.subset(everyone, n_genes)
            here, whole = replace(cells, columns=columns, whole_cells=False), [slice(0, len(sums.n))]
            tasks.append(
                dask.delayed(_partition_moments)(
                    [[blocks[i]]], here, everyone, empty, sums.cross.shape[1], n_genes, whole
                )
            )
        for ((partition,),) in dask.compute(*tasks):
            _take(partition, slice(start, start := start + partition.sums.mean.shape[1]), cells, sums, control)


def _shifted(columns: IntArray) -> IntArray:
    """Number the genes of a block that are kept."""
    return np.where(columns >= 0, np.cumsum(columns >= 0) - 1, -1)

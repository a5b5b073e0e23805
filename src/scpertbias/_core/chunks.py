"""Read cells from memory, a file or a lazy array in parts of bounded size, with the next part in advance.

Inputs are recognized by their attributes, so that anndata, h5py, zarr and dask are not imported here: sparse
datasets of anndata (``format``, ``group``), dask arrays (``to_delayed``), and any object that returns rows by slicing
(h5py, zarr, views).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core.arrays import IntArray

FIRST = 256
"""Number of cells (or genes) in the first part, if their size is unknown before reading."""


@dataclass(frozen=True)
class Chunk:
    """Values of some cells and some genes: of all genes, or (CSC) of all cells."""

    rows: slice
    genes: slice
    x: Any


class SomeColumns:
    """Some columns of values that are not in memory: they are cut from the rows that were read."""

    def __init__(self, x: Any, columns: IntArray) -> None:
        self._x, self._columns = x, columns
        self.shape, self.dtype = (x.shape[0], len(columns)), x.dtype

    def __getitem__(self, rows: slice) -> Any:
        return in_memory(self._x[rows])[:, self._columns]


def some_columns(x: Any, columns: IntArray) -> Any:
    """Return some columns, in memory where ``x`` is."""
    return x[:, columns] if not is_lazy(x) or hasattr(x, "to_delayed") else SomeColumns(x, columns)


def is_lazy(x: Any) -> bool:
    """Whether the values are not in memory."""
    return not (isinstance(x, np.ndarray) or sparse.issparse(x))


def by_genes(x: Any) -> bool:
    """Whether the values are read gene by gene: CSC in a file, or a dask array in blocks of whole columns."""
    if hasattr(x, "to_delayed"):
        return bool(x.numblocks[0] == 1 and x.numblocks[1] > 1)
    return is_lazy(x) and getattr(x, "format", None) == "csc"


def chunks(x: Any, *, n_bytes: float) -> Iterator[Chunk]:
    """Read the values in chunks; the next chunk is read while one is processed.

    Parameters
    ----------
    x
        Cells × genes.
    n_bytes
        Memory of the chunks that exist at a time. A single cell (or gene, in CSC) is read whole in any case.
    """
    everything = slice(0, x.shape[0]), slice(0, x.shape[1])
    if not is_lazy(x):
        yield Chunk(*everything, x)
        return
    axis = 1 if by_genes(x) else 0

    def read(part: slice) -> Chunk:
        values = in_memory(_taken(x, part, axis))
        return Chunk(everything[0], part, values) if axis else Chunk(part, everything[1], values)

    yield from _ahead(_read_all(read, x, axis, n_bytes / 2))


def _taken(x: Any, part: slice, axis: int) -> Any:
    return x[:, part] if axis else x[part]


def _read_all(read: Callable[[slice], Chunk], x: Any, axis: int, n_bytes: float) -> Iterator[Chunk]:
    """Read parts that fit in memory; unknown sizes are estimated from the parts before."""
    n, sizes, edges = x.shape[axis], _sizes(x, axis), _edges(x, axis, n_bytes)
    start, rate = 0, 0.0
    while start < n:
        if sizes is not None:
            fits = int(np.searchsorted(sizes, sizes[start] + n_bytes, side="right")) - 1
        else:
            fits = start + (int(n_bytes / rate) if rate else FIRST)
        end = int(edges[np.searchsorted(edges, fits, side="right") - 1])
        if end <= start:  # not even one fits
            end = int(edges[np.searchsorted(edges, start, side="right")])
        chunk = read(slice(start, end))
        rate = max(rate, _n_bytes(chunk.x) / (end - start), 1.0)
        yield chunk
        start = end


def _sizes(x: Any, axis: int) -> IntArray | None:
    """Return the bytes up to each cell (or gene), if they are known without reading the values."""
    if getattr(x, "format", None) in ("csr", "csc") and hasattr(x, "group"):
        group = x.group
        width = group["data"].dtype.itemsize + group["indices"].dtype.itemsize
        ends: IntArray = np.asarray(group["indptr"][:], dtype=np.int64) * width
        return ends
    if hasattr(x, "dtype") and hasattr(x, "ndim") and not hasattr(x, "to_delayed"):
        ends = np.arange(x.shape[axis] + 1, dtype=np.int64) * (x.shape[1 - axis] * x.dtype.itemsize)
        return ends
    return None


def _edges(x: Any, axis: int, n_bytes: float) -> IntArray:
    """Return the positions where values can be cut: between blocks of dask, which are computed as a whole, or of a dense file."""
    n, stored = x.shape[axis], getattr(x, "chunks", None)
    if hasattr(x, "to_delayed"):
        return np.concatenate([[0], np.cumsum(x.chunks[axis])]).astype(np.int64)
    grain = int(stored[axis]) if stored else 1
    grain = grain if grain * x.shape[1 - axis] * x.dtype.itemsize <= n_bytes else 1
    return np.append(np.arange(0, n, grain), n).astype(np.int64)


def in_memory(block: Any) -> Any:
    """Convert a block to a format of the kernels: dense, CSR or CSC."""
    block = block.compute() if hasattr(block, "compute") else block
    if sparse.issparse(block):
        return block if block.format in ("csr", "csc") else block.tocsr()
    return np.asarray(block)


def _n_bytes(block: Any) -> int:
    if sparse.issparse(block):
        return int(block.data.nbytes + block.indices.nbytes + block.indptr.nbytes)
    return int(block.nbytes)


def _ahead(items: Iterator[Chunk]) -> Iterator[Chunk]:
    """Get the next item while the one before is processed."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
            del item

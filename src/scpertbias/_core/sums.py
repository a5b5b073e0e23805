"""Sums over cells or genes, in float64 and without densifying."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy import sparse

from scpertbias._core import threads
from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

PARTS = 64
"""Number of parts into which the values are divided; the parts run in parallel."""


def row_sums(x: Any) -> FloatArray:
    """Sum each cell's values in float64 without densifying (scipy sums float32 in float32, for any dtype argument)."""
    return _sums(x, axis=1)


def column_sums(x: Any) -> FloatArray:
    """Sum each gene's values in float64 without densifying."""
    return _sums(x, axis=0)


def set_sums(x: Any, members: BoolArray) -> FloatArray:
    """Sum each cell's values over some sets of genes (sets × genes) in float64 without densifying (sets × cells)."""
    if not (sparse.issparse(x) and x.format == "csr"):
        return np.stack([row_sums(x if genes.all() else x[:, np.flatnonzero(genes)]) for genes in members])
    # Genes that are in the same sets are summed together; most are in the same.
    kinds, kind, sizes = np.unique(members, axis=1, return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    sums = np.empty((x.shape[0], len(order)))
    kind = np.argsort(order)[kind.ravel()]
    threads.run(_sums_of_kinds, len(sums), native(x.data), x.indices, x.indptr, kind, sums, n_values=x.nnz)
    return kinds[:, order].astype(np.float64) @ sums.T


@nb.njit(cache=True, nogil=True)
def _sums_of_kinds(
    start: Any, stop: Any, data: Any, indices: Any, indptr: Any, kind: Any, sums: Any
) -> None:  # pragma: no cover - compiled
    for i in range(start, stop):
        of_first, others = 0.0, np.zeros(sums.shape[1])
        for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            v, k = np.float64(data[j]), kind[np.uint64(indices[j])]
            if k == 0:
                of_first += v
            else:
                others[k] += v
        others[0] = of_first
        sums[i] = others


def _sums(x: Any, axis: int) -> FloatArray:
    if not sparse.issparse(x):
        return np.asarray(np.asarray(x).sum(axis=axis, dtype=np.float64))
    n = x.shape[1 - axis]
    data = native(x.data)
    if (x.format == "csr") != (axis == 1):
        return np.bincount(x.indices, weights=data, minlength=n).astype(np.float64, copy=False)
    out = np.empty(n)
    threads.run(_sums_of_slices, n, data, x.indptr, out, n_values=data.size)
    return out


@nb.njit(cache=True, nogil=True)
def _sums_of_slices(start: Any, stop: Any, data: Any, indptr: Any, out: Any) -> None:  # pragma: no cover - compiled
    # Four sums at a time: one alone waits for each addition before the next.
    for i in range(start, stop):
        at, end = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
        a = b = c = d = 0.0
        while at + np.uint64(4) <= end:
            a += np.float64(data[at])
            b += np.float64(data[at + np.uint64(1)])
            c += np.float64(data[at + np.uint64(2)])
            d += np.float64(data[at + np.uint64(3)])
            at += np.uint64(4)
        while at < end:
            a += np.float64(data[at])
            at += np.uint64(1)
        out[i] = (a + b) + (c + d)


def extremes(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest of some values, both NaN where one is NaN; several threads look at parts."""
    flat = values.ravel(order="K")
    kind, size = flat.dtype.kind, flat.dtype.itemsize
    if flat.size < threads.FEW or kind not in "iuf" or size > 8 or not flat.dtype.isnative:
        return float(flat.min()), float(flat.max())
    bits: npt.NDArray[Any] = flat.view(f"i{size}") if kind == "f" else flat
    whole = bits.dtype.type
    rest = whole(np.iinfo(whole).max if kind == "f" else 0)
    keys = np.empty((PARTS, 2), dtype=whole)
    ends = np.linspace(0, flat.size, PARTS + 1).astype(np.int64)
    threads.run(_extreme_keys, PARTS, bits, whole(8 * size - 1), rest, ends, keys, n_values=flat.size)
    both = [key ^ rest if key < 0 else key for key in (keys.min(), keys.max())]
    low, high = np.array(both, dtype=whole).view(flat.dtype).tolist()
    return (float(low), float(high)) if low <= high else (np.nan, np.nan)


@nb.njit(cache=True, nogil=True)
def _extreme_keys(
    start: Any, stop: Any, bits: Any, shift: Any, rest: Any, ends: Any, keys: Any
) -> None:  # pragma: no cover - compiled
    for part in range(start, stop):
        keys[part, 0], keys[part, 1] = _extreme_key(bits[ends[part] : ends[part + 1]], shift, rest)


@nb.njit(cache=True, nogil=True)
def _extreme_key(bits: Any, shift: Any, rest: Any) -> Any:  # pragma: no cover - compiled
    # As whole numbers, floats have the order of their values (those below 0 once turned), with NaN at the ends: unlike
    # comparisons of floats, where NaN is an exception, the compiler vectorizes those of whole numbers.
    low = high = bits[0] ^ ((bits[0] >> shift) & rest)
    for i in range(bits.size):
        key = bits[i] ^ ((bits[i] >> shift) & rest)
        low, high = min(low, key), max(high, key)
    return low, high


def spread(values: npt.NDArray[np.floating], rows: IntArray) -> npt.NDArray[np.floating]:
    """Return a row of some values for each cell; −1 is the last. Several threads write: a layer on cells is large."""
    out = np.empty((len(rows), values.shape[1]), dtype=values.dtype)
    threads.run(_spread, len(rows), values, rows, out, n_values=out.size)
    return out


@nb.njit(cache=True, nogil=True)
def _spread(start: Any, stop: Any, values: Any, rows: Any, out: Any) -> None:  # pragma: no cover - compiled
    for i in range(start, stop):
        out[i] = values[rows[i]]


def native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Leave the dtypes that the kernels read, make float64 of the rest (bool, half and extended precision)."""
    plain = values.dtype.kind in "iuf" and values.dtype.isnative and values.dtype.itemsize in (1, 2, 4, 8)
    return values if plain and values.dtype != np.float16 else values.astype(np.float64)

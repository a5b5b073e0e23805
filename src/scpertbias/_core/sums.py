"""Sums over cells or genes, in float64 and without densifying."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy import sparse

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

CHUNK = 1 << 20
"""Values that are looked at together."""


def row_sums(x: Any) -> FloatArray:
    """Sum each cell's values in float64 without densifying (scipy sums float32 in float32, for any dtype argument)."""
    return _sums(x, axis=1)


def column_sums(x: Any) -> FloatArray:
    """Sum each gene's values in float64 without densifying."""
    return _sums(x, axis=0)


def set_sums(x: Any, members: BoolArray) -> FloatArray:
    """Sum each cell's values over some sets of genes (sets × genes) in float64 without densifying (sets × cells)."""
    if not (sparse.issparse(x) and x.format == "csr"):
        return np.stack([row_sums(x[:, np.flatnonzero(genes)]) for genes in members])
    out = np.empty((len(members), x.shape[0]))
    _set_sums(native(x.data), x.indices, x.indptr, np.ascontiguousarray(members.T, dtype=np.float64), out)
    return out


@nb.njit(parallel=True, cache=True, nogil=True)
def _set_sums(data: Any, indices: Any, indptr: Any, members: Any, out: Any) -> None:  # pragma: no cover - compiled
    for i in nb.prange(out.shape[1]):
        sums = np.zeros(out.shape[0])
        for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            v, gene = np.float64(data[j]), np.uint64(indices[j])
            for k in range(sums.size):
                sums[k] += v * members[gene, k]
        out[:, i] = sums


def _sums(x: Any, axis: int) -> FloatArray:
    if not sparse.issparse(x):
        return np.asarray(np.asarray(x).sum(axis=axis, dtype=np.float64))
    n = x.shape[1 - axis]
    data = native(x.data)
    if (x.format == "csr") != (axis == 1):
        return np.bincount(x.indices, weights=data, minlength=n).astype(np.float64, copy=False)
    out = np.zeros(n)
    stored = np.flatnonzero(np.diff(x.indptr))
    if len(stored):
        out[stored] = np.add.reduceat(data, x.indptr[stored], dtype=np.float64)
    return out


def extremes(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest of some values, NaN where one is NaN; NumPy looks at parts on several threads."""
    step = max(1, CHUNK // max(1, values[:1].size))  # the second look at a part finds it in cache
    parts = [values[start : start + step] for start in range(0, len(values), step)]
    with ThreadPoolExecutor(min(len(parts), nb.get_num_threads())) as pool:
        both = np.array([*pool.map(lambda part: (part.min(), part.max()), parts)], dtype=np.float64)
    return float(both[:, 0].min()), float(both[:, 1].max())


def spread(values: npt.NDArray[np.floating], rows: IntArray) -> npt.NDArray[np.floating]:
    """Return a row of some values for each cell; −1 is the last. Several threads write: a layer on cells is large."""
    out = np.empty((len(rows), values.shape[1]), dtype=values.dtype)
    _spread(values, rows, out)
    return out


@nb.njit(parallel=True, cache=True, nogil=True)
def _spread(values: Any, rows: Any, out: Any) -> None:  # pragma: no cover - compiled
    for i in nb.prange(out.shape[0]):
        out[i] = values[rows[i]]


def native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Leave the dtypes that the kernels read, make float64 of the rest (bool, half and extended precision)."""
    plain = values.dtype.kind in "iuf" and values.dtype.isnative and values.dtype.itemsize in (1, 2, 4, 8)
    return values if plain and values.dtype != np.float16 else values.astype(np.float64)

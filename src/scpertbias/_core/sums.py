"""Sums over cells or genes, in float64 and without densifying."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from scpertbias._core.arrays import FloatArray


def row_sums(x: Any) -> FloatArray:
    """Sum each cell's values in float64 without densifying (scipy sums float32 in float32, for any dtype argument)."""
    return _sums(x, axis=1)


def column_sums(x: Any) -> FloatArray:
    """Sum each gene's values in float64 without densifying."""
    return _sums(x, axis=0)


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


def native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Leave the dtypes that the kernels read, make float64 of the rest (bool, half and extended precision)."""
    plain = values.dtype.kind in "iuf" and values.dtype.isnative and values.dtype.itemsize in (1, 2, 4, 8)
    return values if plain and values.dtype != np.float16 else values.astype(np.float64)

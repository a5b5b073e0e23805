"""One pass over cells: sums, centered squares and cross-products of every leaf.

A *leaf* is the finest group of cells that the pass keeps apart (a half of a perturbation, a stratum of a control
block). Rows are visited leaf by leaf, so a leaf's accumulators stay in cache, leaves run in parallel, and no result
depends on the number of threads.

Values are accumulated about one of the leaf's own values, its shift K: with D = Σ(x−K), mean = K + D/n and
Σ(x−mean)² = Σ(x−K)² − D²/n. As K is itself among the x, (mean−K)² ≤ Σ(x−mean)², so the subtraction can cost no more
than a factor n in precision, whatever the offset of a gene; Σx² − n·mean² has no such bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from numba.core import cgutils
from numba.extending import intrinsic
from scipy import sparse

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LINE = 16
"""Values of four bytes in a cache line."""


@dataclass(frozen=True)
class Leaves:
    """Moments of the leaves: cells ``n`` (L,), ``mean`` and ``m2`` (L, G), ``cross`` (L, k, G)."""

    n: FloatArray
    mean: FloatArray
    m2: FloatArray
    cross: FloatArray


def leaf_moments(
    x: Any,
    leaf: IntArray,
    n_leaves: int,
    *,
    scale: FloatArray | None = None,
    deviations: FloatArray | None = None,
) -> Leaves:
    """Gather the moments of every leaf in one pass over the cells.

    Parameters
    ----------
    x
        Cells × genes: a dense array, or a CSR or CSC matrix or array.
    leaf
        The leaf of each cell; −1 leaves a cell out.
    n_leaves
        Number of leaves.
    scale
        If given, a value ``v`` of cell ``i`` enters as ``log1p(v * scale[i])``.
    deviations
        Cells × covariates, each already centered within its row of the result: ``cross`` is Σ x·deviation.

    Returns
    -------
    The moments; ``m2`` is the sum of squares about the leaf's own mean, never Σx² − n·mean².
    """
    n_cells, n_genes = x.shape
    deviations = None if deviations is None else np.ascontiguousarray(deviations)
    n = np.bincount(leaf[leaf >= 0], minlength=n_leaves)
    starts = np.concatenate([[0], np.cumsum(n)])
    mean = np.zeros((n_leaves, n_genes))
    m2 = np.zeros((n_leaves, n_genes))
    cross = np.zeros((n_leaves, 0 if deviations is None else deviations.shape[1], n_genes))
    if sparse.issparse(x) and x.format in {"csr", "csc"}:
        if not x.has_canonical_format:  # a value stored in parts would count twice
            x = x.copy()
            x.sum_duplicates()
        data = native(x.data)
        if x.format == "csr":
            order = stable_order(leaf, n_leaves)[n_cells - starts[-1] :]
            _csr(data, x.indices, x.indptr, order, starts, scale, deviations, mean, m2, cross)
        else:
            _csc(data, x.indices, x.indptr, leaf, n.astype(np.float64), scale, deviations, mean, m2, cross)
    elif isinstance(x, np.ndarray) and x.ndim == 2:
        order = stable_order(leaf, n_leaves)[n_cells - starts[-1] :]
        _dense(native(np.asarray(x)), order, starts, scale, deviations, mean, m2, cross)
    else:
        msg = f"`x` is a {type(x).__name__}; dense, CSR and CSC arrays are read."
        raise TypeError(msg)
    return Leaves(n=n.astype(np.float64), mean=mean, m2=m2, cross=cross)


def row_sums(x: Any) -> FloatArray:
    """Sum each cell's values in float64 without densifying (scipy sums float32 in float32, whatever dtype it is given)."""
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


def stable_order(codes: IntArray, n_codes: int) -> IntArray:
    """Order of the codes (−1 first), equal ones as they come; 16 bits, where they suffice, sort by radix."""
    small = codes.astype(np.int16) if n_codes <= np.iinfo(np.int16).max else codes
    return np.argsort(small, kind="stable")


def native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Leave the dtypes that the kernels read, make float64 of the rest (bool, half and extended precision)."""
    plain = values.dtype.kind in "iuf" and values.dtype.isnative and values.dtype.itemsize in (1, 2, 4, 8)
    return values if plain and values.dtype != np.float16 else values.astype(np.float64)


def _emit_prefetch(typing: Any, array: Any, position: Any) -> Any:  # pragma: no cover - compiled
    """Ask for a part of an array that is read soon: rows of a leaf lie anywhere, and waiting for them is half the work."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), cgutils.voidptr_t)
        flag = cgutils.int32_t
        kind = cgutils.ir.FunctionType(cgutils.ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
        builder.call(
            builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind),
            [place, flag(0), flag(2), flag(1)],  # to read, to keep in the second cache, data
        )
        return context.get_dummy_value()

    return nb.void(array, nb.intp), emit


_prefetch: Any = intrinsic(_emit_prefetch)


# `scale` and `deviations` may be None: numba then compiles the kernel without them, which is shorter and faster.


@nb.njit(parallel=True, cache=True)
def _csr(
    data: Any,
    indices: Any,
    indptr: Any,
    order: Any,
    starts: Any,
    scale: Any,
    deviations: Any,
    mean: Any,
    m2: Any,
    cross: Any,
) -> None:  # pragma: no cover - compiled
    n_genes = mean.shape[1]
    for k in nb.prange(mean.shape[0]):
        n = starts[k + 1] - starts[k]
        if n == 0:
            continue
        # Beside each other in memory: the shift, Σ(x−K), Σ(x−K)² and the number of stored values. Positions are
        # unsigned, which spares a test for negative ones.
        sums = np.zeros((n_genes, 4))
        first = order[starts[k]]
        for j in range(indptr[first], indptr[first + 1]):
            v = np.float64(data[j])
            if scale is not None:
                v = np.log1p(v * scale[first])
            sums[np.uint64(indices[j]), 0] = v
        for position in range(starts[k], starts[k + 1]):
            i = order[position]
            if position + 1 < order.size:
                following = order[position + 1]
                for j in range(indptr[following], indptr[following + 1], LINE):
                    _prefetch(indices, j)
                    _prefetch(data, j)
            for j in range(indptr[i], indptr[i + 1]):
                g = np.uint64(indices[j])
                v = np.float64(data[j])
                if scale is not None:
                    v = np.log1p(v * scale[i])
                d = v - sums[g, 0]
                sums[g, 1] += d
                sums[g, 2] += d * d
                sums[g, 3] += 1.0
                if deviations is not None:
                    for c in range(deviations.shape[1]):
                        cross[k, c, g] += v * deviations[i, c]
        for gene in range(n_genes):
            shift, absent = sums[gene, 0], n - sums[gene, 3]
            away = sums[gene, 1] - absent * shift
            mean[k, gene] = shift + away / n
            m2[k, gene] = max(sums[gene, 2] + absent * shift * shift - away * away / n, 0.0)


@nb.njit(parallel=True, cache=True)
def _csc(
    data: Any,
    indices: Any,
    indptr: Any,
    leaf: Any,
    n: Any,
    scale: Any,
    deviations: Any,
    mean: Any,
    m2: Any,
    cross: Any,
) -> None:  # pragma: no cover - compiled
    n_leaves = mean.shape[0]
    for g in nb.prange(mean.shape[1]):
        sums = np.zeros((n_leaves, 4))
        for j in range(indptr[g], indptr[g + 1]):
            i = indices[j]
            k = leaf[i]
            if k < 0:
                continue
            v = np.float64(data[j])
            if scale is not None:
                v = np.log1p(v * scale[i])
            if sums[k, 3] == 0.0:
                sums[k, 0] = v
            d = v - sums[k, 0]
            sums[k, 1] += d
            sums[k, 2] += d * d
            sums[k, 3] += 1.0
            if deviations is not None:
                for c in range(deviations.shape[1]):
                    cross[k, c, g] += v * deviations[i, c]
        for k in range(n_leaves):
            if n[k] == 0:
                continue
            shift, absent = sums[k, 0], n[k] - sums[k, 3]
            away = sums[k, 1] - absent * shift
            mean[k, g] = shift + away / n[k]
            m2[k, g] = max(sums[k, 2] + absent * shift * shift - away * away / n[k], 0.0)


@nb.njit(parallel=True, cache=True)
def _dense(
    x: Any, order: Any, starts: Any, scale: Any, deviations: Any, mean: Any, m2: Any, cross: Any
) -> None:  # pragma: no cover - compiled
    n_genes = mean.shape[1]
    for k in nb.prange(mean.shape[0]):
        n = starts[k + 1] - starts[k]
        if n == 0:
            continue
        shift = np.zeros(n_genes)
        away = np.zeros(n_genes)
        squares = np.zeros(n_genes)
        for position in range(starts[k], starts[k + 1]):
            i = order[position]
            for g in range(n_genes):
                v = np.float64(x[i, g])
                if scale is not None:
                    v = np.log1p(v * scale[i])
                if position == starts[k]:
                    shift[g] = v
                d = v - shift[g]
                away[g] += d
                squares[g] += d * d
                if deviations is not None:
                    for c in range(deviations.shape[1]):
                        cross[k, c, g] += v * deviations[i, c]
        for g in range(n_genes):
            mean[k, g] = shift[g] + away[g] / n
            m2[k, g] = max(squares[g] - away[g] * away[g] / n, 0.0)

"""Weighted sums of cells, and values less their linear part, written once."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from scipy import sparse

from scpertbias._core import threads
from scpertbias._core.arrays import Float32Array, FloatArray, IntArray

from .sums import native

PARTS = 64
"""Number of parts of the cells. The parts run in parallel, but their sums are added in a fixed order."""


def products(x: Any, weights: FloatArray, cells: IntArray | None = None) -> FloatArray:
    """Return Σ weight·x (k, G) over some cells (None: all), in one pass for every two weights.

    Parameters
    ----------
    x
        Cells × genes, dense or sparse.
    weights
        The weights of each of these cells (cells, k).
    cells
        Their positions.
    """
    k = weights.shape[1]
    pairs = np.zeros((len(weights), k + k % 2))
    pairs[:, :k] = weights
    x = x if not sparse.issparse(x) or x.format == "csc" else x.tocsr()
    # The two weights of a pass are one complex number.
    sums = [_weighted_sums(x, pairs[:, j : j + 2].copy().view(np.complex128)[:, 0], cells) for j in range(0, k, 2)]
    return np.stack([part for both in sums for part in (both.real, both.imag)])[:k]


def _weighted_sums(x: Any, weights: Any, cells: IntArray | None) -> Any:
    """Return Σ weight·x of each gene, complex."""
    edges = np.linspace(0, len(weights), PARTS + 1).astype(np.int64)
    if not sparse.issparse(x):
        parts = [slice(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
        both = weights.view(np.float64).reshape(-1, 2)
        values = (np.asarray(x[part if cells is None else cells[part]], dtype=np.float64) for part in parts)
        by_gene = np.sum([v.T @ both[part] for v, part in zip(values, parts, strict=True)], axis=0)
        return by_gene.view(np.complex128)[:, 0]
    if x.format == "csc":
        of_all = weights if cells is None else np.zeros(x.shape[0], dtype=np.complex128)
        if cells is not None:
            of_all[cells] = weights
        by_gene = np.zeros(x.shape[1], dtype=np.complex128)
        threads.run(_sums_by_gene, x.shape[1], native(x.data), x.indices, x.indptr, of_all, by_gene, n_values=x.nnz)
        return by_gene
    cells = np.arange(x.shape[0]) if cells is None else cells
    sums = np.zeros((PARTS, x.shape[1]), dtype=np.complex128)
    arrays = (native(x.data), x.indices, x.indptr, cells, weights, edges, sums)
    threads.run(_sums_by_part, PARTS, *arrays, n_values=x.nnz)
    return sums.sum(axis=0)


def residuals(x: Any, covariates: FloatArray, slopes: FloatArray) -> Float32Array:
    """Return x − covariates · slopes as one dense array; cells run in parallel, nothing else is made.

    Parameters
    ----------
    x
        Cells × genes, dense or sparse.
    covariates
        Cells × covariates, centered.
    slopes
        Covariates × genes.
    """
    out = np.empty(x.shape, dtype=np.float32)
    n_pairs = (len(out) + 1) // 2
    if sparse.issparse(x):
        rows = x.tocsr()
        stored = (native(rows.data), rows.indices, rows.indptr)
        threads.run(_sparse, n_pairs, *stored, covariates, slopes, out, n_values=out.size)
    else:
        threads.run(_dense, n_pairs, native(np.asarray(x)), covariates, slopes, out, n_values=out.size)
    return out


@nb.njit(cache=True, nogil=True)
def _sums_by_part(
    start: Any, stop: Any, data: Any, indices: Any, indptr: Any, cells: Any, weights: Any, edges: Any, sums: Any
) -> None:  # pragma: no cover - compiled
    for part in range(start, stop):
        own = sums[part]
        for c in range(edges[part], edges[part + 1]):
            i, a, b = cells[c], weights[c].real, weights[c].imag
            for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                v = np.float64(data[j])
                own[np.uint64(indices[j])] += complex(v * a, v * b)


@nb.njit(cache=True, nogil=True)
def _sums_by_gene(
    start: Any, stop: Any, data: Any, indices: Any, indptr: Any, weights: Any, sums: Any
) -> None:  # pragma: no cover - compiled
    for g in range(start, stop):
        for j in range(np.uint64(indptr[g]), np.uint64(indptr[g + 1])):
            w, v = weights[np.uint64(indices[j])], np.float64(data[j])
            sums[g] += complex(v * w.real, v * w.imag)


@nb.njit(cache=True, nogil=True)
def _sparse(
    start: Any, stop: Any, data: Any, indices: Any, indptr: Any, covariates: Any, slopes: Any, out: Any
) -> None:  # pragma: no cover - compiled
    for pair in range(start, stop):
        first, last = 2 * pair, min(2 * pair + 1, out.shape[0] - 1)
        _begin_two(out[first], out[last], covariates[first], covariates[last], slopes)
        for i in range(first, last + 1):
            line = out[i]
            _further(line, covariates[i], slopes)
            for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                line[np.uint64(indices[j])] += data[j]


@nb.njit(cache=True, nogil=True)
def _dense(
    start: Any, stop: Any, x: Any, covariates: Any, slopes: Any, out: Any
) -> None:  # pragma: no cover - compiled
    for pair in range(start, stop):
        first, last = 2 * pair, min(2 * pair + 1, out.shape[0] - 1)
        _begin_two(out[first], out[last], covariates[first], covariates[last], slopes)
        for i in range(first, last + 1):
            _further(out[i], covariates[i], slopes)
            for g in range(out.shape[1]):
                out[i, g] += x[i, g]


@nb.njit(cache=True, nogil=True, fastmath={"contract"})
def _begin_two(one: Any, other: Any, z: Any, w: Any, slopes: Any) -> None:  # pragma: no cover - compiled
    # Less the first two covariates, the usual case: two cells share what is read of the slopes. Loops over genes inside:
    # these the compiler vectorizes.
    second = min(1, z.size - 1)
    z0, w0 = -z[0], -w[0]
    z1, w1 = (-z[second], -w[second]) if second else (0.0, 0.0)
    for g in range(one.size):
        a, b = slopes[0, g], slopes[second, g]
        one[g] = z0 * a + z1 * b
        other[g] = w0 * a + w1 * b


@nb.njit(cache=True, nogil=True)
def _further(line: Any, z: Any, slopes: Any) -> None:  # pragma: no cover - compiled
    for c in range(2, z.size):
        for g in range(line.size):
            line[g] -= z[c] * slopes[c, g]

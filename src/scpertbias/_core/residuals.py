"""Products of values with covariates, and values less their linear part, written once."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from scipy import sparse

from scpertbias._core.arrays import Float32Array, FloatArray, IntArray

from .sums import native

PARTS = 64
"""Parts of the cells that run in parallel; their sums are added up in their order."""
WIDTH = 3
"""Sums that lie together in memory: of a gene, and of its products with two covariates."""


def products(x: Any, covariates: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of each gene (G,) and Σ covariate·x (k, G) over all cells, in one pass for every two covariates.

    Parameters
    ----------
    x
        Cells × genes, dense or sparse.
    covariates
        Cells × covariates.
    """
    n, k = covariates.shape
    out = np.empty((1 + k, x.shape[1]))
    for start in range(0, k, WIDTH - 1):
        some = covariates[:, start : start + WIDTH - 1]
        weights = np.zeros((n, WIDTH))
        weights[:, 0], weights[:, 1 : 1 + some.shape[1]] = 1.0, some
        sums = _weighted_sums(x, weights)
        out[0], out[1 + start : 1 + start + some.shape[1]] = sums[:, 0] / n, sums[:, 1 : 1 + some.shape[1]].T
    return out[0], out[1:]


def _weighted_sums(x: Any, weights: FloatArray) -> FloatArray:
    """Return xᵀ · weights (G, WIDTH)."""
    edges = _edges(x.shape[0])
    if not sparse.issparse(x):
        parts = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        dense = np.sum([np.asarray(x[a:b], dtype=np.float64).T @ weights[a:b] for a, b in parts], axis=0)
        return np.asarray(dense)
    if x.format == "csc":
        by_gene = np.zeros((x.shape[1], WIDTH))
        _sums_by_gene(native(x.data), x.indices, x.indptr, weights, by_gene)
        return by_gene
    rows = x.tocsr()
    sums = np.zeros((len(edges) - 1, x.shape[1], WIDTH))
    _sums_by_part(native(rows.data), rows.indices, rows.indptr, weights, edges, sums)
    return np.asarray(sums.sum(axis=0))


def residuals(x: Any, covariates: FloatArray, slopes: FloatArray, shift: FloatArray) -> Float32Array:
    """Return x − covariates · slopes − shift as one dense array; cells run in parallel, nothing else is made.

    Parameters
    ----------
    x
        Cells × genes, dense or sparse.
    covariates
        Cells × covariates, centered.
    slopes
        Covariates × genes.
    shift
        One value a gene.
    """
    out = np.empty(x.shape, dtype=np.float32)
    if sparse.issparse(x):
        rows = x.tocsr()
        _sparse(native(rows.data), rows.indices, rows.indptr, covariates, slopes, shift, out)
    else:
        _dense(native(np.asarray(x)), covariates, slopes, shift, out)
    return out


def _edges(n: int) -> IntArray:
    return np.linspace(0, n, PARTS + 1).astype(np.int64)


@nb.njit(parallel=True, cache=True, nogil=True)
def _sums_by_part(
    data: Any, indices: Any, indptr: Any, weights: Any, edges: Any, sums: Any
) -> None:  # pragma: no cover - compiled
    for part in nb.prange(edges.size - 1):
        own = sums[part]
        for i in range(edges[part], edges[part + 1]):
            a, b = weights[i, 1], weights[i, 2]
            for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                g, v = np.uint64(indices[j]), np.float64(data[j])
                own[g, 0] += v
                own[g, 1] += v * a
                own[g, 2] += v * b


@nb.njit(parallel=True, cache=True, nogil=True)
def _sums_by_gene(data: Any, indices: Any, indptr: Any, weights: Any, sums: Any) -> None:  # pragma: no cover - compiled
    for g in nb.prange(sums.shape[0]):
        for j in range(np.uint64(indptr[g]), np.uint64(indptr[g + 1])):
            i, v = np.uint64(indices[j]), np.float64(data[j])
            for c in range(WIDTH):
                sums[g, c] += v * weights[i, c]


@nb.njit(parallel=True, cache=True, nogil=True)
def _sparse(
    data: Any, indices: Any, indptr: Any, covariates: Any, slopes: Any, shift: Any, out: Any
) -> None:  # pragma: no cover - compiled
    for i in nb.prange(out.shape[0]):
        _linear_part(out[i], covariates[i], slopes, shift)
        for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            out[i, np.uint64(indices[j])] += data[j]


@nb.njit(parallel=True, cache=True, nogil=True)
def _dense(x: Any, covariates: Any, slopes: Any, shift: Any, out: Any) -> None:  # pragma: no cover - compiled
    for i in nb.prange(out.shape[0]):
        _linear_part(out[i], covariates[i], slopes, shift)
        for g in range(out.shape[1]):
            out[i, g] += x[i, g]


@nb.njit(cache=True, nogil=True)
def _linear_part(line: Any, covariates: Any, slopes: Any, shift: Any) -> None:  # pragma: no cover - compiled
    # Loops over genes inside: these the compiler vectorizes. Two covariates in one are the usual case.
    second = min(1, covariates.size - 1)
    a, b = covariates[0], covariates[second] if second else 0.0
    for g in range(line.size):
        line[g] = -shift[g] - a * slopes[0, g] - b * slopes[second, g]
    for c in range(2, covariates.size):
        value = covariates[c]
        for g in range(line.size):
            line[g] -= value * slopes[c, g]

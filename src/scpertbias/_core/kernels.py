"""The compiled loops of the pass over the cells: cells of some groups in, moments of those groups updated in place.

Σ(x−mean)² = Σx² − (Σx)²/n loses digits where a gene varies little about a large mean. So values are accumulated about one of
the group's own values, its shift K: with D = Σ(x−K), mean = K + D/n and Σ(x−mean)² = Σ(x−K)² − D²/n. As K is itself
among the x, (mean−K)² ≤ Σ(x−mean)², so the subtraction can cost no more than a factor n in precision, for any offset of
a gene. In sparse groups of many cells K = 0 does as well for nearly all genes, and needs half the memory: these are read
about K only where a gene has lost digits. What earlier cells of a group have given is joined to it by their means (Chan,
Golub and LeVeque), which loses nothing either.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 16  # values of four bytes in a cache line
MANY = 16  # cells of a group from which on zero is tried as the shift
LOST = 1e-3
"""Smallest ratio of Σ(x−mean)² to Σx² at which the one-pass sums lose few digits."""
SMALL = 32
"""Logarithms of smaller counts are read from a table, because they are frequent and computing them is slow."""


def _emit_prefetch(typing: Any, array: Any, position: Any) -> Any:  # pragma: no cover - compiled
    """Ask for a part of an array that is read soon: rows of a group lie anywhere, and waiting for them is half the work."""

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


# `scale`, `columns` and `deviations` may be None: numba then compiles the kernel without them, which is shorter and
# faster. Of `csr` and `dense`, `groups` are those that have cells here (`order[starts[k]:starts[k + 1]]` those of the
# k-th), `edges` cuts them into parts of as many cells, and `before` says how many cells each has had. `columns` says where a
# gene goes; −1 leaves it out. Positions are unsigned, which spares a test for negative ones at every value.


@nb.njit(cache=True, nogil=True)
def _join(
    mean: Any, m2: Any, group: Any, before: Any, n: Any, mean_here: Any, m2_here: Any
) -> None:  # pragma: no cover - compiled
    if before == 0.0:
        for gene in range(mean.shape[1]):
            mean[group, gene] = mean_here[gene]
            m2[group, gene] = m2_here[gene]
    else:
        total = before + n
        for gene in range(mean.shape[1]):
            away = mean_here[gene] - mean[group, gene]
            mean[group, gene] += away * n / total
            m2[group, gene] += m2_here[gene] + away * away * before * n / total


@nb.njit(cache=True, nogil=True)
def _fetch(data: Any, indices: Any, indptr: Any, order: Any, position: Any) -> None:  # pragma: no cover - compiled
    if position < order.size:
        i = order[position]
        for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1]), np.uint64(LINE)):
            _prefetch(indices, j)
            _prefetch(data, j)


@nb.njit(cache=True, nogil=True)
def _log_small(logs: Any, factor: Any) -> None:  # pragma: no cover - compiled
    for count in range(SMALL):
        logs[count] = np.log1p(np.float64(count) * factor)


@nb.njit(cache=True, nogil=True)
def _log(v: Any, factor: Any, logs: Any) -> Any:  # pragma: no cover - compiled
    small = 0.0 <= v < SMALL and v == np.float64(np.int64(v))
    return logs[np.int64(v)] if small else np.log1p(v * factor)


@nb.njit(cache=True, nogil=True)
def _add_row(
    data: Any,
    indices: Any,
    indptr: Any,
    i: Any,
    columns: Any,
    scale: Any,
    logs: Any,
    deviations: Any,
    sums: Any,
    products: Any,
) -> None:  # pragma: no cover - compiled
    if scale is not None:
        _log_small(logs, scale[i])
    for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
        at = np.int64(indices[j])
        if columns is not None:
            at = columns[at]
            if at < 0:
                continue
        g = np.uint64(at)
        v = np.float64(data[j]) if scale is None else _log(np.float64(data[j]), scale[i], logs)
        sums[g, 0] += v
        sums[g, 1] += v * v
        if deviations is not None:
            for c in range(deviations.shape[1]):
                products[g, c] += v * deviations[i, c]


@nb.njit(cache=True, nogil=True)
def _add_row_about(
    data: Any,
    indices: Any,
    indptr: Any,
    i: Any,
    columns: Any,
    scale: Any,
    logs: Any,
    deviations: Any,
    about: Any,
    products: Any,
) -> None:  # pragma: no cover - compiled
    if scale is not None:
        _log_small(logs, scale[i])
    for j in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
        at = np.int64(indices[j])
        if columns is not None:
            at = columns[at]
            if at < 0:
                continue
        g = np.uint64(at)
        v = np.float64(data[j]) if scale is None else _log(np.float64(data[j]), scale[i], logs)
        d = v - about[g, 0]
        about[g, 1] += d
        about[g, 2] += d * d
        about[g, 3] += 1.0
        if deviations is not None:
            for c in range(deviations.shape[1]):
                products[g, c] += v * deviations[i, c]


@nb.njit(cache=True, nogil=True)
def csr(
    start: Any,
    stop: Any,
    data: Any,
    indices: Any,
    indptr: Any,
    order: Any,
    groups: Any,
    starts: Any,
    edges: Any,
    before: Any,
    columns: Any,
    scale: Any,
    deviations: Any,
    mean: Any,
    m2: Any,
    cross: Any,
) -> None:  # pragma: no cover - compiled
    n_genes, n_deviations = mean.shape[1], cross.shape[1]
    for part in range(start, stop):
        # What belongs to a gene is together in memory: Σx, Σx²; the shift, Σ(x−K), Σ(x−K)² and the number of values.
        sums, about = np.zeros((n_genes, 2)), np.zeros((n_genes, 4))
        products, logs = np.zeros((n_genes, n_deviations)), np.empty(SMALL)
        for k in range(edges[part], edges[part + 1]):
            n, exact = starts[k + 1] - starts[k], False
            if n >= MANY:
                sums[:], products[:], exact = 0.0, 0.0, True
                for position in range(starts[k], starts[k + 1]):
                    _fetch(data, indices, indptr, order, position + 1)
                    _add_row(data, indices, indptr, order[position], columns, scale, logs, deviations, sums, products)
                for gene in range(n_genes):
                    total, squares = sums[gene, 0], sums[gene, 1]
                    sums[gene, 0] = total / n
                    sums[gene, 1] = squares - total * sums[gene, 0]
                    exact &= sums[gene, 1] >= LOST * squares
            if not exact:
                about[:], products[:] = 0.0, 0.0
                first = order[starts[k]]
                _add_row_about(data, indices, indptr, first, columns, scale, logs, None, about, products)
                for gene in range(n_genes):
                    about[gene, 0] = about[gene, 1]
                    about[gene, 1:] = 0.0
                for position in range(starts[k], starts[k + 1]):
                    _fetch(data, indices, indptr, order, position + 1)
                    _add_row_about(
                        data, indices, indptr, order[position], columns, scale, logs, deviations, about, products
                    )
                for gene in range(n_genes):
                    shift, absent = about[gene, 0], n - about[gene, 3]
                    away = about[gene, 1] - absent * shift
                    sums[gene, 0] = shift + away / n
                    sums[gene, 1] = max(about[gene, 2] + absent * shift * shift - away * away / n, 0.0)
            _join(mean, m2, groups[k], before[k], n, sums[:, 0], sums[:, 1])
            for gene in range(n_genes):
                for c in range(n_deviations):
                    cross[groups[k], c, gene] += products[gene, c]


@nb.njit(cache=True, nogil=True)
def csc(
    start: Any,
    stop: Any,
    data: Any,
    indices: Any,
    indptr: Any,
    group: Any,
    n: Any,
    scale: Any,
    deviations: Any,
    mean: Any,
    m2: Any,
    cross: Any,
) -> None:  # pragma: no cover - compiled
    n_groups = mean.shape[0]
    for g in range(start, stop):
        sums = np.zeros((n_groups, 4))
        for j in range(np.uint64(indptr[g]), np.uint64(indptr[g + 1])):
            i = indices[j]
            k = group[i]
            if k < 0:
                continue
            v = np.float64(data[j]) if scale is None else np.log1p(np.float64(data[j]) * scale[i])
            if sums[k, 3] == 0.0:
                sums[k, 0] = v
            d = v - sums[k, 0]
            sums[k, 1] += d
            sums[k, 2] += d * d
            sums[k, 3] += 1.0
            if deviations is not None:
                for c in range(deviations.shape[1]):
                    cross[k, c, g] += v * deviations[i, c]
        for k in range(n_groups):
            if n[k] == 0:
                continue
            shift, absent = sums[k, 0], n[k] - sums[k, 3]
            away = sums[k, 1] - absent * shift
            mean[k, g] = shift + away / n[k]
            m2[k, g] = max(sums[k, 2] + absent * shift * shift - away * away / n[k], 0.0)


@nb.njit(cache=True, nogil=True)
def dense(
    start: Any,
    stop: Any,
    x: Any,
    order: Any,
    groups: Any,
    starts: Any,
    edges: Any,
    before: Any,
    columns: Any,
    scale: Any,
    deviations: Any,
    mean: Any,
    m2: Any,
    cross: Any,
) -> None:  # pragma: no cover - compiled
    for part in range(start, stop):
        sums = np.empty((3, mean.shape[1]))  # the shift, Σ(x−K), Σ(x−K)²
        for k in range(edges[part], edges[part + 1]):
            sums[:] = 0.0
            group, n = groups[k], starts[k + 1] - starts[k]
            for position in range(starts[k], starts[k + 1]):
                i = order[position]
                for column in range(x.shape[1]):
                    g = column
                    if columns is not None:
                        g = columns[column]
                        if g < 0:
                            continue
                    v = np.float64(x[i, column])
                    if scale is not None:
                        v = np.log1p(v * scale[i])
                    if position == starts[k]:
                        sums[0, g] = v
                    d = v - sums[0, g]
                    sums[1, g] += d
                    sums[2, g] += d * d
                    if deviations is not None:
                        for c in range(deviations.shape[1]):
                            cross[group, c, g] += v * deviations[i, c]
            for g in range(mean.shape[1]):
                away = sums[1, g]
                sums[1, g] = sums[0, g] + away / n
                sums[2, g] = max(sums[2, g] - away * away / n, 0.0)
            _join(mean, m2, group, before[k], n, sums[1], sums[2])

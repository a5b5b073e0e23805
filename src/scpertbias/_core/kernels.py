"""The compiled loops of the pass over the cells: cells of some groups in, moments of those groups updated in place.

Values are accumulated about one of the group's own values, its shift K: with D = Σ(x−K), mean = K + D/n and
Σ(x−mean)² = Σ(x−K)² − D²/n. As K is itself among the x, (mean−K)² ≤ Σ(x−mean)², so the subtraction can cost no more
than a factor n in precision, for any offset of a gene; Σx² − n·mean² has no such bound. What earlier cells of a group
have given is joined to it by their means (Chan, Golub and LeVeque), which loses nothing either.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 16
"""Values of four bytes in a cache line."""


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
# k-th), and `before` says how many cells each has had. `columns` says where a gene goes; −1 leaves it out.


@nb.njit(cache=True, nogil=True)
def _join(
    mean: Any, m2: Any, group: Any, gene: Any, before: Any, n: Any, mean_here: Any, m2_here: Any
) -> None:  # pragma: no cover - compiled
    if before == 0.0:
        mean[group, gene] = mean_here
        m2[group, gene] = m2_here
    else:
        away = mean_here - mean[group, gene]
        total = before + n
        mean[group, gene] += away * n / total
        m2[group, gene] += m2_here + away * away * before * n / total


@nb.njit(parallel=True, cache=True, nogil=True)
def csr(
    data: Any,
    indices: Any,
    indptr: Any,
    order: Any,
    groups: Any,
    starts: Any,
    before: Any,
    columns: Any,
    scale: Any,
    deviations: Any,
    mean: Any,
    m2: Any,
    cross: Any,
) -> None:  # pragma: no cover - compiled
    n_genes = mean.shape[1]
    for k in nb.prange(groups.size):
        group = groups[k]
        n = starts[k + 1] - starts[k]
        # Beside each other in memory: the shift, Σ(x−K), Σ(x−K)² and the number of stored values. Positions are
        # unsigned, which spares a test for negative ones.
        sums = np.zeros((n_genes, 4))
        first = order[starts[k]]
        for j in range(indptr[first], indptr[first + 1]):
            at = np.int64(indices[j])
            if columns is not None:
                at = columns[at]
                if at < 0:
                    continue
            v = np.float64(data[j])
            if scale is not None:
                v = np.log1p(v * scale[first])
            sums[np.uint64(at), 0] = v
        for position in range(starts[k], starts[k + 1]):
            i = order[position]
            if position + 1 < order.size:
                following = order[position + 1]
                for j in range(indptr[following], indptr[following + 1], LINE):
                    _prefetch(indices, j)
                    _prefetch(data, j)
            for j in range(indptr[i], indptr[i + 1]):
                at = np.int64(indices[j])
                if columns is not None:
                    at = columns[at]
                    if at < 0:
                        continue
                g = np.uint64(at)
                v = np.float64(data[j])
                if scale is not None:
                    v = np.log1p(v * scale[i])
                d = v - sums[g, 0]
                sums[g, 1] += d
                sums[g, 2] += d * d
                sums[g, 3] += 1.0
                if deviations is not None:
                    for c in range(deviations.shape[1]):
                        cross[group, c, g] += v * deviations[i, c]
        for gene in range(n_genes):
            shift, absent = sums[gene, 0], n - sums[gene, 3]
            away = sums[gene, 1] - absent * shift
            squares = max(sums[gene, 2] + absent * shift * shift - away * away / n, 0.0)
            _join(mean, m2, group, gene, before[k], n, shift + away / n, squares)


@nb.njit(parallel=True, cache=True, nogil=True)
def csc(
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
    for g in nb.prange(mean.shape[1]):
        sums = np.zeros((n_groups, 4))
        for j in range(indptr[g], indptr[g + 1]):
            i = indices[j]
            k = group[i]
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
        for k in range(n_groups):
            if n[k] == 0:
                continue
            shift, absent = sums[k, 0], n[k] - sums[k, 3]
            away = sums[k, 1] - absent * shift
            mean[k, g] = shift + away / n[k]
            m2[k, g] = max(sums[k, 2] + absent * shift * shift - away * away / n[k], 0.0)


@nb.njit(parallel=True, cache=True, nogil=True)
def dense(
    x: Any,
    order: Any,
    groups: Any,
    starts: Any,
    before: Any,
    columns: Any,
    scale: Any,
    deviations: Any,
    mean: Any,
    m2: Any,
    cross: Any,
) -> None:  # pragma: no cover - compiled
    for k in nb.prange(groups.size):
        group = groups[k]
        n = starts[k + 1] - starts[k]
        shift = np.zeros(mean.shape[1])
        away = np.zeros(mean.shape[1])
        squares = np.zeros(mean.shape[1])
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
                    shift[g] = v
                d = v - shift[g]
                away[g] += d
                squares[g] += d * d
                if deviations is not None:
                    for c in range(deviations.shape[1]):
                        cross[group, c, g] += v * deviations[i, c]
        for g in range(mean.shape[1]):
            around = max(squares[g] - away[g] * away[g] / n, 0.0)
            _join(mean, m2, group, g, before[k], n, shift[g] + away[g] / n, around)

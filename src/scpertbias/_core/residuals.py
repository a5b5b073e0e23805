"""Values less their linear part, written once."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from scipy import sparse

from scpertbias._core.arrays import Float32Array, FloatArray

from .sums import native


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


@nb.njit(parallel=True, cache=True, nogil=True)
def _sparse(
    data: Any, indices: Any, indptr: Any, covariates: Any, slopes: Any, shift: Any, out: Any
) -> None:  # pragma: no cover - compiled
    for i in nb.prange(out.shape[0]):
        _linear_part(out[i], covariates[i], slopes, shift)
        for j in range(indptr[i], indptr[i + 1]):
            out[i, np.uint64(indices[j])] += data[j]


@nb.njit(parallel=True, cache=True, nogil=True)
def _dense(x: Any, covariates: Any, slopes: Any, shift: Any, out: Any) -> None:  # pragma: no cover - compiled
    for i in nb.prange(out.shape[0]):
        _linear_part(out[i], covariates[i], slopes, shift)
        for g in range(out.shape[1]):
            out[i, g] += x[i, g]


@nb.njit(cache=True, nogil=True)
def _linear_part(line: Any, covariates: Any, slopes: Any, shift: Any) -> None:  # pragma: no cover - compiled
    # Loops over genes inside: these the compiler vectorizes.
    for g in range(line.size):
        line[g] = -shift[g]
    for c in range(covariates.size):
        value = covariates[c]
        for g in range(line.size):
            line[g] -= value * slopes[c, g]

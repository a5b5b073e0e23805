"""Best approximations of low rank, from the Gram matrix of the shorter side."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackError, eigsh

from scpertbias._core.arrays import FloatArray

_LARGE = 200  # from this size on, a few leading eigenvectors are found faster by Lanczos than by a full solver


def low_rank(matrix: FloatArray, rank: int, products: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Best approximation of `matrix` (m, n) by rank r: scores (m, r) and loadings (n, r), scores @ loadings.T.

    Found from the smaller Gram matrix, many times faster than a full SVD; the product is a projection of `matrix`, so
    singular values lost in rounding do no harm. A rank above min(m, n) is cut to it.

    Parameters
    ----------
    matrix
        What is approximated (m, n).
    rank
        Rank r.
    products
        Products of the rows (m, m), if they are known already.
    """
    if matrix.shape[0] > matrix.shape[1]:
        # Leading eigenvectors of XᵀX, the right singular vectors (n, r)
        loadings = leading(matrix.T @ matrix, rank)[1]
        return matrix @ loadings, loadings
    # Leading eigenvectors of XXᵀ, the left singular vectors U (m, r); XᵀU = V S
    left = leading(matrix @ matrix.T if products is None else products, rank)[1]
    loadings = matrix.T @ left
    size: FloatArray = np.linalg.norm(loadings, axis=0)
    return left * size, loadings / np.where(size > 0, size, 1.0)


def centered_products(products: FloatArray) -> FloatArray:
    """Products of rows about their mean (m, m), from the products of the rows."""
    by_row = products.mean(axis=0)
    centered: FloatArray = products - by_row - by_row[:, None]
    centered += by_row.mean()
    return centered


def leading(gram: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """Largest eigenvalues (r,) of a symmetric matrix (m, m), in falling order, and their eigenvectors (m, r)."""
    size = gram.shape[0]
    if size >= _LARGE and 4 * rank < size and gram.any():
        start = np.random.default_rng(0).standard_normal(size)  # fixed, and not orthogonal to what is sought
        try:
            values, vectors = eigsh(gram, k=rank, which="LA", v0=start, tol=0)
        except ArpackError:
            pass
        else:
            return values[::-1], np.ascontiguousarray(vectors[:, ::-1])
    values, vectors = eigh(gram, subset_by_index=(max(size - rank, 0), size - 1))
    return values[::-1], vectors[:, ::-1]

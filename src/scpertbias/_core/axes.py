"""Directions in the space of genes: how alike two are, and those in which perturbations differ most."""

from __future__ import annotations

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.low_rank import centered_products, leading


def cosine(axis_1: FloatArray, axis_2: FloatArray) -> float:
    """Cosine of the two half estimates of a direction; 0 where one vanishes."""
    size = float(np.linalg.norm(axis_1) * np.linalg.norm(axis_2))
    return float(axis_1 @ axis_2) / size if size > 0 else 0.0


def leading_axes(means: FloatArray, fold: IntArray, n_axes: int) -> tuple[FloatArray, FloatArray]:
    """Directions in which perturbations differ most.

    They are the right singular vectors of the centered means; the sign is that of the largest entry. Where perturbations
    span fewer directions the rest are NaN.

    Returns
    -------
    Those of each fold, from all other folds (F x n_axes x G), and those of all perturbations (n_axes x G).
    """
    products = means @ means.T
    n_folds = int(fold.max(initial=-1)) + 1
    every = np.ones(len(means), dtype=np.bool_)
    axes = [_top_directions(means, products, fold != f, n_axes) for f in range(n_folds)]
    of_folds = np.stack(axes) if axes else np.empty((0, n_axes, means.shape[1]))
    return of_folds, _top_directions(means, products, every, n_axes)


def _top_directions(means: FloatArray, products: FloatArray, rows: BoolArray, n_axes: int) -> FloatArray:
    """Right singular vectors of some rows about their mean (n_axes x G); NaN where they span fewer directions."""
    directions = np.full((n_axes, means.shape[1]), np.nan)
    n = min(n_axes, int(rows.sum()) - 1, means.shape[1])
    if n < 1:
        return directions
    # Eigenvectors of the products of the centered rows are their left singular vectors
    values, vectors = leading(centered_products(products[np.ix_(rows, rows)]), n)
    known = values > 1e-12 * max(float(values[0]), 0.0)
    # Uᵀ X = S Vᵀ: right singular vectors, before they are scaled to length 1 (n, G)
    axes = (vectors - vectors.mean(axis=0)).T @ means[rows]
    axes[known] /= np.linalg.norm(axes[known], axis=1, keepdims=True)
    axes[~known] = np.nan
    largest = np.abs(np.nan_to_num(axes)).argmax(axis=1)
    directions[:n] = axes * np.where(axes[np.arange(n), largest] < 0, -1.0, 1.0)[:, None]
    return directions

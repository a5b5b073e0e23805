"""Directions in the space of genes: how alike two are, and those in which perturbations differ most."""

from __future__ import annotations

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray


def cosine(axis_1: FloatArray, axis_2: FloatArray) -> float:
    """Cosine of the two half estimates of a direction; 0 where one vanishes."""
    size = float(np.linalg.norm(axis_1) * np.linalg.norm(axis_2))
    return float(axis_1 @ axis_2) / size if size > 0 else 0.0


def leading_axes(means: FloatArray, fold: IntArray, n_axes: int) -> FloatArray:
    """Directions in which perturbations differ most, for each fold from all other folds (F x n_axes x G).

    They are the right singular vectors of the centered means; the sign is that of the largest entry. Where other folds
    span fewer directions the rest are NaN.
    """
    n_folds = int(fold.max(initial=-1)) + 1
    axes = np.full((n_folds, n_axes, means.shape[1]), np.nan)
    for f in range(n_folds):
        axes[f] = top_directions(means[fold != f], n_axes)
    return axes


def top_directions(means: FloatArray, n_axes: int) -> FloatArray:
    """Right singular vectors of the centered rows (n_axes x G); NaN where they span fewer directions."""
    directions = np.full((n_axes, means.shape[1]), np.nan)
    centered = means - means.mean(axis=0) if len(means) else means
    n = min(n_axes, len(centered) - 1, means.shape[1])
    if n < 1:
        return directions
    # Gram matrix of the rows: its eigenvectors are their left singular vectors
    values, vectors = np.linalg.eigh(centered @ centered.T)
    known = values[::-1][:n] > 1e-12 * max(float(values[-1]), 0.0)
    # Uᵀ X = S Vᵀ: right singular vectors, before they are scaled to length 1 (n, G)
    axes = vectors[:, ::-1][:, :n].T @ centered
    axes[known] /= np.linalg.norm(axes[known], axis=1, keepdims=True)
    axes[~known] = np.nan
    largest = np.abs(np.nan_to_num(axes)).argmax(axis=1)
    directions[:n] = axes * np.where(axes[np.arange(n), largest] < 0, -1.0, 1.0)[:, None]
    return directions

"""Compiled loop over perturbations for all scores of differential expression."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True, nogil=True)
def score_rows(
    predicted: Any, change: Any, error: Any, called: Any, out: Any, no_change: Any
) -> None:  # pragma: no cover - compiled
    """Score predicted changes (P, G) by observed ones: direction, average precision, rank correlation, error (4, P)."""
    for i in range(predicted.shape[0]):
        n = np.sum(called[i])
        x, d, hits = np.empty(n), np.empty(n), np.empty(n)
        k, n_hits, agree, away, size = 0, 0, 0.0, 0.0, 0.0
        for g in range(predicted.shape[1]):
            if called[i, g]:
                value = predicted[i, g] if abs(predicted[i, g]) >= no_change else 0.0
                x[k], d[k] = value, change[i, g]
                if value * d[k] > 0:
                    hits[n_hits] = abs(value) / error[i, g]
                    n_hits += 1
                    agree += 1.0
                elif value * d[k] == 0:
                    agree += 0.5
                away += abs(value - d[k])
                size += abs(d[k])
                k += 1
        out[0, i] = agree / n
        out[1, i] = _precision(np.sort(hits[:n_hits]), predicted[i], error[i], no_change) / n
        out[2, i] = _rank_correlation(x, d)
        out[3, i] = away / size


@nb.njit(cache=True, nogil=True)
def _precision(hits: Any, predicted: Any, error: Any, no_change: Any) -> Any:  # pragma: no cover - compiled
    """Sum, over the sorted sizes of hits, of the share of hits among all genes that are at least as large."""
    n_hits = hits.size
    if n_hits == 0:
        return 0.0
    # How many genes are at least as large as so many hits, and no more
    n_genes = np.zeros(n_hits + 1)
    for g in range(predicted.size):
        if abs(predicted[g]) >= no_change and error[g] > 0:
            size = abs(predicted[g]) / error[g]
            if size >= hits[0]:  # smaller ones reach no hit
                n_genes[np.searchsorted(hits, size, side="right")] += 1
    total, above = 0.0, 0.0
    j = n_hits - 1
    while j >= 0:
        first = j  # of equal hits: genes that reach one of them reach all
        above += n_genes[j + 1]
        while first > 0 and hits[first - 1] == hits[j]:
            first -= 1
            above += n_genes[first + 1]
        total += (j - first + 1) * (n_hits - first) / above
        j = first - 1
    return total


@nb.njit(cache=True, nogil=True)
def _rank_correlation(x: Any, d: Any) -> Any:  # pragma: no cover - compiled
    """Correlation of the ranks of two vectors, those of equal values averaged; 0 where one is constant."""
    n = x.size
    rising_x, rising_d = np.sort(x), np.sort(d)
    product, square_x, square_d = 0.0, 0.0, 0.0
    for k in range(n):
        u = np.searchsorted(rising_x, x[k]) + np.searchsorted(rising_x, x[k], side="right") - n
        v = np.searchsorted(rising_d, d[k]) + np.searchsorted(rising_d, d[k], side="right") - n
        product += u * v
        square_x += u * u
        square_d += v * v
    size = np.sqrt(square_x) * np.sqrt(square_d)
    return product / size if size > 0 else 0.0

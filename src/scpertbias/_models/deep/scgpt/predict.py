"""Predictions of scGPT: the average over control cells, and its standard error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...._core.arrays import Float32Array, FloatArray, IntArray
from .model import evaluating, forward
from .tokens import Tokens, whole_cells


def choose_controls(stratum: IntArray, n: int) -> IntArray:
    """Choose the first n control cells, in proportion from each stratum.

    Parameters
    ----------
    stratum
        Stratum of each control cell.
    n
        How many; all of them if there are fewer.
    """
    if n >= len(stratum):
        return np.arange(len(stratum))
    order = np.argsort(stratum, kind="stable")
    _, sizes = np.unique(stratum, return_counts=True)
    share = n * sizes / len(stratum)
    quota = share.astype(np.int64)
    quota[np.argsort(quota - share, kind="stable")[: n - quota.sum()]] += 1  # largest remainders
    first = np.cumsum(sizes) - sizes
    return np.concatenate([order[start : start + k] for start, k in zip(first, quota, strict=True)])


@dataclass(frozen=True)
class Average:
    """Average of each gene over all control cells, estimated from some of them, and its standard error."""

    mean: FloatArray
    error: FloatArray


def control_variate(output: Float32Array, inputs: Float32Array, mean: FloatArray, n_all: int) -> Average:
    """Estimate the mean output over all control cells from some of them, knowing the mean of what goes in.

    Per gene: output regressed on input among the n cells, read at the input's mean over all ``n_all`` cells. The error
    is that of a regression estimate, with the finite-population correction.

    Parameters
    ----------
    output
        Predicted expression, n × G.
    inputs
        Expression that went in, n × G.
    mean
        Mean expression of all control cells (G).
    n_all
        How many there are.
    """
    n = len(output)
    y, x = output.astype(np.float64), inputs.astype(np.float64)
    level, start = y.mean(axis=0), x.mean(axis=0)
    y -= level
    x -= start
    spread = (x**2).sum(axis=0)
    slope = np.divide((x * y).sum(axis=0), spread, out=np.zeros_like(spread), where=spread > 0)
    if n < 3 or n >= n_all:  # too few for a line; or nothing is left to estimate
        slope[:] = 0.0
    residual = ((y - slope * x) ** 2).sum(axis=0)
    freedom = n - 2 if n >= 3 else n - 1
    error = np.sqrt(residual / freedom / n * (1 - n / n_all)) if freedom > 0 else np.full_like(residual, np.nan)
    return Average(level - slope * (start - mean), error if n < n_all else np.zeros_like(residual))


def outputs(
    model: Any, tokens: Tokens, perturbation: int, expression: Float32Array, *, micro_batch: int
) -> Float32Array:
    """Return the predicted expression of some control cells (n × G) under a perturbation, all genes in one sequence."""
    import torch

    rows = []
    with evaluating(model), torch.no_grad():
        for part in batches(len(expression), micro_batch):
            batch = whole_cells(tokens, perturbation, expression[part])
            rows.append(forward(model, batch, expression.shape[1]).float().cpu().numpy())
    return np.concatenate(rows)


def batches(n: int, size: int) -> Iterator[slice]:
    """Cut n rows into slices of at most ``size``."""
    yield from (slice(start, start + size) for start in range(0, n, size))

"""Linear models of levels with an unpenalized intercept: what ridge and the smoothing over a net share.

Tables of levels × genes are large: no second one is made, rows are weighted some at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.graph import Spectrum

Counts = FloatArray | IntArray
Rows = IntArray | slice
ALL = slice(None)
AT_ONCE = 64


@dataclass(frozen=True)
class Linear:
    """A fitted linear model: `fitted` = `intercept` + `coef`, one row for each level to predict."""

    intercept: FloatArray
    coef: FloatArray
    fitted: FloatArray


def checked_counts(n_cells: Counts, alpha: float, gamma: float) -> FloatArray:
    """Counts in float64; penalties that are negative, and counts without training cells, are errors."""
    for name, value in (("alpha", alpha), ("gamma", gamma)):
        if not value >= 0:
            msg = f"`{name}` is {value}; it must be 0 or more"
            raise ValueError(msg)
    cells = np.asarray(n_cells, dtype=np.float64)
    if not (cells > 0).any():
        msg = "`n_cells` has no group with training cells; at least one is needed"
        raise ValueError(msg)
    return cells


def in_parts(rows: IntArray) -> Iterator[IntArray]:
    """Rows, some at a time."""
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


def weighted_sum(weights: FloatArray, means: FloatArray) -> FloatArray:
    """Sum of the rows times their weights (G,); those without weight are not looked at."""
    total = np.zeros(means.shape[1])
    for some in in_parts(np.flatnonzero(weights)):
        total += (weights[some, None] * np.ascontiguousarray(means[some])).sum(axis=0)
    return total


def shrunk(
    means: FloatArray, cells: FloatArray, penalty: FloatArray, rows: Rows, genes: Spectrum | None = None
) -> Linear:
    """One-hot ridge, each column with a penalty of its own (G,), or all with one (1,); in the eigenbasis of ``genes`` if given.

    A column's result depends on that column alone, bit by bit: no matrix product, no sum along genes. (Only a table of
    a single column differs in the last digits, because numpy sums that pairwise.)
    """

    def shrinkage(some: IntArray) -> FloatArray:
        """What the penalty leaves, n / (n + penalty), of each level's deviation."""
        left: FloatArray = cells[some, None] / (cells[some, None] + penalty)
        return left

    total, size = np.zeros(means.shape[1]), np.zeros(penalty.size)
    for some in in_parts(np.flatnonzero(cells > 0)):
        values, left = np.ascontiguousarray(means[some]), shrinkage(some)
        total += (left * (values if genes is None else genes.forward(values))).sum(axis=0)
        size += left.sum(axis=0)
    return of_trained_levels(means, cells, total / size, shrinkage, rows, genes)


def of_trained_levels(
    means: FloatArray,
    cells: FloatArray,
    intercept: FloatArray,
    shrinkage: Callable[[IntArray], FloatArray],
    rows: Rows,
    genes: Spectrum | None = None,
) -> Linear:
    """Coefficients of the levels to predict: what is left of the deviation of those with training cells, else 0."""
    codes = np.arange(cells.size)[rows]
    coef = np.zeros((len(codes), means.shape[1]))
    for at in in_parts(np.flatnonzero(cells[codes] > 0)):
        values = np.ascontiguousarray(means[codes[at]])
        left = shrinkage(codes[at]) * ((values if genes is None else genes.forward(values)) - intercept)
        coef[at] = left if genes is None else genes.back(left)
    return assembled(intercept if genes is None else genes.back(intercept[None])[0], coef)


def assembled(intercept: FloatArray, coef: FloatArray) -> Linear:
    return Linear(intercept=intercept, coef=coef, fitted=intercept + coef)

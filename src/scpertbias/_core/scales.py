"""What scale values are on: counts, normalized counts, or their logarithms, told from the values of single cells.

Counts k of a cell, normalized by a factor f of that cell and taken to a scale by a function g, are g(f k). The inverse of
g therefore makes whole multiples of one number of them, whatever f is, and the same total in every cell where f is a
target sum divided by the cell's total. No other inverse does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core.arrays import BoolArray, FloatArray

COUNTS, LINEAR, LN, LOG2, LOG10, TWICE = "counts", "linear", "ln", "log2", "log10", "twice"
INVERSES: dict[str, Callable[[FloatArray], FloatArray]] = {
    LINEAR: lambda x: x,
    LN: np.expm1,
    LOG2: lambda x: np.exp2(x) - 1,
    LOG10: lambda x: np.power(10.0, x) - 1,
    TWICE: lambda x: np.expm1(np.expm1(x)),
}
BASES = {LN: np.e, LOG2: 2.0, LOG10: 10.0}
LARGEST_LOG = 14.0
"""No log1p value of cells scaled to a million counts is above this."""
N_SAMPLED = 1_000_000
"""Values of the rows of one part that are looked at closely."""
MIN_DISTINCT = 5
MIN_ROWS = 10
LARGEST_MULTIPLE = 64
EXACT = 0.01
MOST = 0.9
NEARLY_LINEAR = 0.5


@dataclass
class RowScales:
    """What the rows looked at so far say: how many are on each scale, and the totals that each inverse gives them.

    ``rest`` is the largest value in rows that are not counts; ``unit`` counts the rows whose smallest value stands for a
    whole count, as in logarithms of counts that were not normalized.
    """

    n: int = 0
    on: dict[str, int] = field(default_factory=dict)
    totals: dict[str, tuple[float, float]] = field(default_factory=dict)
    rest: float = -np.inf
    unit: int = 0

    def add(self, x: Any, *, whole_cells: bool = True) -> None:
        """Look at some rows of cells × genes; ``whole_cells`` says whether all their genes are there."""
        rows = np.sort(_sample(x), axis=1)
        whole = np.all(rows == np.round(rows), axis=1)
        # Rows of few values, or of zeros and ones, could be anything.
        rows = rows[((rows > 0).sum(axis=1) >= MIN_DISTINCT) & ~(whole & (rows[:, -1] < 2))]
        if not len(rows):
            return
        self.n += len(rows)
        unknown = ~np.all(rows == np.round(rows), axis=1)
        self._count(COUNTS, ~unknown)
        rows, unknown = rows[unknown], unknown[unknown]
        if not len(rows):
            return
        self.rest = max(self.rest, float(rows.max()))
        new = np.diff(rows, axis=1, prepend=0.0) > 0
        for name, inverse in INVERSES.items():
            with np.errstate(over="ignore", invalid="ignore"):
                linear = inverse(rows)
            if not np.isfinite(linear).all():
                continue
            multiples, units = _are_multiples(linear, new)
            self._count(name, multiples & unknown)
            self.unit += int((units & unknown).sum()) if name == LN else 0
            unknown = unknown & ~multiples  # where values are small, every scale is nearly linear
            if whole_cells:
                total = linear.sum(axis=1)
                low, high = self.totals.get(name, (np.inf, -np.inf))
                self.totals[name] = min(low, float(total.min())), max(high, float(total.max()))

    def join(self, other: RowScales) -> None:
        """Take over what another one saw."""
        self.n, self.rest, self.unit = self.n + other.n, max(self.rest, other.rest), self.unit + other.unit
        for name, n in other.on.items():
            self.on[name] = self.on.get(name, 0) + n
        for name, (low, high) in other.totals.items():
            mine = self.totals.get(name, (np.inf, -np.inf))
            self.totals[name] = min(low, mine[0]), max(high, mine[1])

    def _count(self, name: str, rows: BoolArray) -> None:
        self.on[name] = self.on.get(name, 0) + int(rows.sum())

    @property
    def scales(self) -> dict[str, float]:
        """Share of the rows on each scale that more than a stray row is on, the most frequent first."""
        seen = {name: n / self.n for name, n in self.on.items() if n > max(1, 0.005 * self.n)}
        return dict(sorted(seen.items(), key=lambda item: -item[1]))

    @property
    def scale(self) -> str | None:
        """The one scale that nearly all rows are on, None where that is not known."""
        if self.n < MIN_ROWS:
            return None
        first = next(iter(self.scales.items()), ("", 0.0))
        if first[1] >= MOST:
            return first[0]
        constant = [name for name in self.totals if self.target_sum(name) is not None]
        if self.on.get(COUNTS) or not constant or (len(constant) > 1 and self.rest > NEARLY_LINEAR):
            return None
        return constant[0]

    @property
    def not_normalized(self) -> bool:
        """Whether these are logarithms of counts as they were."""
        return self.scale == LN and self.unit >= MOST * self.n and self.target_sum(LN) is None

    def target_sum(self, name: str) -> float | None:
        """Return the total that all cells have under the inverse of a scale, None where they differ."""
        low, high = self.totals.get(name, (np.nan, np.nan))
        return (low + high) / 2 if 0 < high <= low * (1 + EXACT) else None


def _sample(x: Any) -> FloatArray:
    """Return some rows, dense and in float64; which ones depends on nothing but their number."""
    n = int(np.clip(N_SAMPLED // max(1, x.shape[1]), 32, 256))
    at = np.arange(x.shape[0])
    if len(at) > n:
        at = np.sort(np.random.default_rng(0).choice(len(at), n, replace=False))
    rows = x[at]
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype=np.float64)


def _are_multiples(values: FloatArray, new: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Return which ascending rows hold whole multiples of one number, and in which of them that number is whole too.

    ``new`` marks the values above 0 that are not those before them. The smallest one may be once, twice or three times the
    number; only small multiples are exact enough, and a few of them could be whole by chance.
    """
    smallest = np.where(new, values, np.inf).min(axis=1, keepdims=True)
    ratio = values / np.where(np.isfinite(smallest) & (smallest > 0), smallest, 1.0)
    small = new & (ratio <= LARGEST_MULTIPLE)
    whole = np.zeros(len(values), dtype=bool)
    for k in (1, 2, 3):
        multiple = np.where(small, ratio * k, 0.0)
        whole |= np.all(np.abs(multiple - np.round(multiple)) <= EXACT, axis=1)
    whole &= small.sum(axis=1) >= MIN_DISTINCT
    unit = smallest[:, 0]
    return whole, whole & (np.abs(unit - np.round(unit)) <= EXACT) & (unit > 0.5)

"""What scale values are on: counts, normalized counts, or their logarithms, recognized by the values of single cells.

Counts k of a cell, normalized by a factor f of that cell and taken to a scale by a function g, are g(f k). The inverse of
g therefore makes whole multiples of one number of them, for any f, and the same total in every cell where f is a
target sum divided by the cell's total. No other inverse does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

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
"""After cells are scaled to a million counts, no log1p value is above this limit."""
N_SAMPLED, FEWEST, MOST_ROWS = 2_000_000, 64, 256
"""Approximate number of values that are examined in each part, and the smallest and largest number of rows for this."""
MIN_DISTINCT = 5
MIN_FACTOR, MIN_VALUES = 5, 8
MIN_ROWS = 10
LARGEST_MULTIPLE = 64
EXACT = 0.01
MOST = 0.9
ROUNDED = 1000
MAX_SUMS = 4
PEAK = 0.5
NEARLY_LINEAR = 0.5


@dataclass
class RowScales:
    """What the rows looked at so far say: how many are on each scale, and the totals that each inverse gives them.

    ``rest`` is the largest value in rows that are not counts; ``unit`` counts the rows whose smallest value stands for a
    whole count, as in logarithms of counts that were not normalized; ``sums`` counts rows by the logarithm of their total,
    ``peaked`` names the inverses under which one gene is most of a row.
    """

    n: int = 0
    on: dict[str, int] = field(default_factory=dict)
    totals: dict[str, tuple[float, float]] = field(default_factory=dict)
    rest: float = -np.inf
    unit: int = 0
    peaked: set[str] = field(default_factory=set)
    sums: Counter[int] = field(default_factory=Counter)

    def add(self, x: Any, *, whole_cells: bool = True) -> None:
        """Look at some rows of cells × genes; ``whole_cells`` says whether all their genes are there."""
        n = int(np.clip(N_SAMPLED // max(1, x.shape[1]), FEWEST, MOST_ROWS))
        rows = _sample(x, n if self.n < 4 * MOST_ROWS else FEWEST)
        if not rows.size:
            return
        whole = np.all(rows == np.round(rows), axis=1)
        smallest = np.where(rows > 0, rows, np.inf).min(axis=1)
        # Rows of few values, of zeros and ones, or of one value throughout could be anything.
        n_filled = (rows > 0).sum(axis=1)
        telling = (n_filled >= MIN_DISTINCT) & ~(whole & ((rows[:, -1] < 2) | (rows[:, -1] == smallest)))
        rows, whole, n_filled = rows[telling], whole[telling], n_filled[telling]
        if not len(rows):
            return
        self.n += len(rows)
        # Counts are not multiples of a whole number, as they are once divided by a total such as 100.
        factor = np.zeros(len(rows), dtype=np.int64)
        factor[whole] = np.gcd.reduce(rows[whole].astype(np.int64), axis=1)
        # Of few values any number may be a factor, and of few cells.
        scaled = whole & (factor >= MIN_FACTOR) & (n_filled >= MIN_VALUES)
        scaled &= scaled.sum() > PEAK * whole.sum()
        unknown = ~whole | scaled
        self._count(COUNTS, ~unknown)
        rows, scaled, unknown = rows[unknown], scaled[unknown], unknown[unknown]
        if not len(rows):
            return
        self.rest = max(self.rest, float(rows.max()))
        filled = rows > 0
        new = np.diff(rows, axis=1, prepend=0.0) > 0
        # What was rounded to a few digits lies on a grid of its own.
        unknown &= scaled | ~np.all(np.abs(rows * ROUNDED - np.round(rows * ROUNDED)) < 1e-3, axis=1)
        for name, inverse in INVERSES.items():
            linear = np.zeros_like(rows)
            with np.errstate(over="ignore", invalid="ignore"):
                linear[filled] = inverse(rows[filled])  # all inverses of 0 are 0
            if not np.isfinite(linear[:, -1]).all():  # rows ascend
                continue
            if unknown.any():
                multiples, units = _are_multiples(linear, new)
                self._count(name, multiples & unknown)
                self.unit += int((units & unknown).sum()) if name == LN else 0
                unknown = unknown & ~multiples  # where values are small, every scale is nearly linear
            if whole_cells:
                total = linear.sum(axis=1)
                if (linear[:, -1] > PEAK * total).any():
                    self.peaked.add(name)
                if name == LN:
                    self.sums.update(np.round(np.log(total) / EXACT).astype(int).tolist())
                low, high = self.totals.get(name, (np.inf, -np.inf))
                self.totals[name] = min(low, float(total.min())), max(high, float(total.max()))

    def join(self, other: RowScales) -> None:
        """Take over what another one saw."""
        self.n, self.rest, self.unit = self.n + other.n, max(self.rest, other.rest), self.unit + other.unit
        self.sums.update(other.sums)
        self.peaked |= other.peaked
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
        # A total that one gene makes is constant where that gene is.
        constant = [name for name in self.totals if self.target_sum(name) is not None and name not in self.peaked]
        if self.on.get(COUNTS) or not constant or (len(constant) > 1 and self.rest > NEARLY_LINEAR):
            return None
        return constant[0]

    @property
    def not_normalized(self) -> bool:
        """Whether these are logarithms of counts as they were."""
        return self.scale == LN and self.unit >= MOST * self.n and self.target_sum(LN) is None

    @property
    def target_sums(self) -> list[float]:
        """The few totals that all cells have under natural logarithms, one or several; none where they are many."""
        clusters: list[list[int]] = []
        for key in sorted(self.sums):
            if clusters and key - clusters[-1][-1] <= 2:
                clusters[-1].append(key)
            else:
                clusters.append([key])
        sizes = [sum(self.sums[key] for key in cluster) for cluster in clusters]
        few = 0 < len(clusters) <= MAX_SUMS and min(sizes) > 0.01 * self.n and self.sums.total() >= MIN_ROWS
        narrow = all(cluster[-1] - cluster[0] <= 2 for cluster in clusters)
        return [float(np.exp(np.mean(cluster) * EXACT)) for cluster in clusters] if few and narrow else []

    def target_sum(self, name: str) -> float | None:
        """Return the total that all cells have under the inverse of a scale, None where they differ."""
        low, high = self.totals.get(name, (np.nan, np.nan))
        return (low + high) / 2 if 0 < high <= low * (1 + EXACT) else None


def _sample(x: Any, n: int) -> FloatArray:
    """Return some rows, dense, in float64 and ascending; which ones depends on nothing but their number."""
    at = np.arange(x.shape[0])
    if len(at) > n:
        at = np.sort(np.random.default_rng(0).choice(len(at), n, replace=False))
    rows = np.sort(_of_columns(x, at) if sparse.issparse(x) else x[at], axis=1).astype(np.float64)
    filled = (rows > 0).any(axis=0)
    return rows[:, int(np.argmax(filled)) :]  # zeros come first, and say nothing


def _of_columns(x: Any, at: IntArray) -> FloatArray:
    """Return some rows of a sparse array; of CSC without a search for each."""
    if x.format != "csc":
        return np.asarray(x[at].toarray())
    place = np.full(x.shape[0], -1)
    place[at] = np.arange(len(at))
    row, column = place[x.indices], np.repeat(np.arange(x.shape[1]), np.diff(x.indptr))
    here = row >= 0
    shape = (len(at), x.shape[1])
    return np.asarray(sparse.coo_array((x.data[here], (row[here], column[here])), shape=shape).toarray())


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
        rest = np.flatnonzero(~whole)
        multiple = np.where(small[rest], ratio[rest] * k, 0.0)
        whole[rest] = np.all(np.abs(multiple - np.round(multiple)) <= EXACT, axis=1)
    whole &= small.sum(axis=1) >= MIN_DISTINCT
    unit = smallest[:, 0]
    return whole, whole & (np.abs(unit - np.round(unit)) <= EXACT) & (unit > 0.5)

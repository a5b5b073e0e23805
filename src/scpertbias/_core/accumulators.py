"""One pass over cells: means, centered squares and cross-products of every group.

A *group* is the finest set of cells that the pass keeps apart (a half of a perturbation, a batch of a control
block). Rows are visited group by group, so a group's accumulators stay in cache, groups run in parallel, and no result
depends on the number of threads. Cells may come all at once, some at a time, or gene by gene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from scpertbias._core import kernels, threads
from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.sums import native

PARTS = 64
"""Number of parts into which the cells are divided; the parts run in parallel."""


@dataclass(frozen=True)
class GroupSums:
    """Moments of the groups: cells ``n`` (L,), ``mean`` and ``m2`` (L, G), ``cross`` (L, k, G).

    ``m2`` is the sum of squares about the group's own mean, never Σx² − n·mean²; ``cross`` is Σ x·deviation.
    """

    n: FloatArray
    mean: FloatArray
    m2: FloatArray
    cross: FloatArray

    @classmethod
    def empty(cls, n_groups: int, n_genes: int, n_deviations: int = 0) -> GroupSums:
        """Return the sums of groups without a cell."""
        return cls(
            n=np.zeros(n_groups),
            mean=np.zeros((n_groups, n_genes)),
            m2=np.zeros((n_groups, n_genes)),
            cross=np.zeros((n_groups, n_deviations, n_genes)),
        )

    def genes(self, genes: slice) -> GroupSums:
        """Return some genes of all groups; nothing is copied."""
        return GroupSums(self.n, self.mean[:, genes], self.m2[:, genes], self.cross[:, :, genes])

    def subset(self, groups: slice) -> GroupSums:
        """Return some groups; nothing is copied."""
        return GroupSums(self.n[groups], self.mean[groups], self.m2[groups], self.cross[groups])

    def add(
        self,
        x: Any,
        group: IntArray,
        *,
        scale: FloatArray | None = None,
        deviations: FloatArray | None = None,
        columns: IntArray | None = None,
    ) -> None:
        """Add some cells, with all their genes.

        Parameters
        ----------
        x
            Cells × genes: a dense array, or a CSR or CSC matrix or array.
        group
            The group of each cell; −1 leaves a cell out.
        scale
            If given, a value ``v`` of cell ``i`` enters as ``log1p(v * scale[i])``.
        deviations
            Cells × covariates, for ``cross``.
        columns
            Where each gene of ``x`` goes; −1 leaves it out. By default all as they come.
        """
        _check(x)
        deviations = None if deviations is None else np.ascontiguousarray(deviations)
        x = _canonical(x)
        if isinstance(x, np.ndarray) or x.format == "csr" or self.n.any():
            n = np.bincount(group[group >= 0], minlength=len(self.n))
            here = np.flatnonzero(n)
            starts = np.concatenate([[0], np.cumsum(n[here])])
            order = stable_order(group, len(self.n))[len(group) - starts[-1] :]
            edges = np.searchsorted(starts, np.linspace(0, starts[-1], PARTS + 1))
            to = (columns, scale, deviations, self.mean, self.m2, self.cross)
            which = (order, here, starts, edges, self.n[here], *to)
            if isinstance(x, np.ndarray):
                threads.run(kernels.dense, PARTS, native(x), *which, n_values=x.size)
            else:
                x = x if x.format == "csr" else x.tocsr()
                stored = (native(x.data), x.indices, x.indptr)
                threads.run(kernels.csr, PARTS, *stored, *which, n_values=max(x.nnz, len(here) * x.shape[1]))
            self.n[:] += n
        else:
            x = x if columns is None else x[:, np.argsort(columns, kind="stable")[(columns < 0).sum() :]]
            n = np.bincount(group[group >= 0], minlength=len(self.n)).astype(np.float64)
            into = (self.mean, self.m2, self.cross)
            stored = (native(x.data), x.indices, x.indptr)
            cells, n_values = (group, n, scale, deviations), max(x.nnz, self.mean.size)
            threads.run(kernels.csc, x.shape[1], *stored, *cells, *into, n_values=n_values)
            self.n[:] = n

    def add_genes(
        self,
        genes: slice,
        x: Any,
        group: IntArray,
        *,
        scale: FloatArray | None = None,
        deviations: FloatArray | None = None,
    ) -> None:
        """Fill in some genes from all cells at once; see :meth:`add`."""
        sums = GroupSums.empty(len(self.n), x.shape[1], self.cross.shape[1])
        sums.add(x, group, scale=scale, deviations=deviations)
        self.put(genes, sums, np.arange(len(self.n)))

    def put(self, genes: slice, other: GroupSums, at: IntArray) -> None:
        """Take over some genes from groups of the same cells: group ``i`` of ``other`` is group ``at[i]`` here."""
        self.mean[at, genes], self.m2[at, genes], self.cross[at, :, genes] = other.mean, other.m2, other.cross
        self.n[at] = other.n

    def join(self, other: GroupSums, at: IntArray) -> None:
        """Add the groups of other cells: group ``i`` of ``other`` is group ``at[i]`` here."""
        before = self.n[at]
        total = before + other.n
        share = np.divide(other.n, total, out=np.zeros_like(total), where=total > 0)[:, None]
        away = other.mean - self.mean[at]
        self.mean[at] += away * share
        away *= away
        away *= before[:, None] * share
        away += other.m2
        self.m2[at] += away
        self.cross[at] += other.cross
        self.n[at] = total


def _check(x: Any) -> None:
    if not ((sparse.issparse(x) and x.format in {"csr", "csc"}) or (isinstance(x, np.ndarray) and x.ndim == 2)):
        msg = f"`x` is a {type(x).__name__}; dense, CSR and CSC arrays are read."
        raise TypeError(msg)


def _canonical(x: Any) -> Any:
    """Join values that are stored in parts, which would count twice."""
    if sparse.issparse(x) and not x.has_canonical_format:
        x = x.copy()
        x.sum_duplicates()
    return x


def stable_order(codes: IntArray, n_codes: int) -> IntArray:
    """Order of the codes (−1 first), equal ones as they come; 16 bits, where they suffice, sort by radix."""
    small = codes.astype(np.int16) if n_codes <= np.iinfo(np.int16).max else codes
    return np.argsort(small, kind="stable")

"""Writing of cells to several files in parts, each with some of the genes and cells, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.chunks import by_genes, chunks, in_memory, is_lazy
from .._core.residuals import residuals
from .._moments.batch import Normalization

COUNTS = "counts"
CHUNK = 1 << 18
"""Number of values of a sparse matrix that are written at once."""


@dataclass(frozen=True)
class CellValues:
    """The values of cells, in memory or not.

    ``normalization`` is for raw counts, which are also the counts to write; otherwise ``counts`` contains the counts, if
    there are any. ``genes`` are the columns that are genes; ``chunk_memory`` is the memory for cells in gigabytes.
    """

    x: Any
    genes: IntArray
    normalization: Normalization | None
    counts: Any = None
    chunk_memory: float = 0.5

    @property
    def has_counts(self) -> bool:
        """Whether counts are written together with the log-normalized values."""
        return self.normalization is not None or self.counts is not None

    def parts(self) -> Iterator[tuple[slice, sparse.csr_matrix, sparse.csr_matrix | None]]:
        """Yield rows, their log-normalized values, and their counts."""
        if by_genes(self.x):
            msg = "The matrix of `adata` is stored in a file in CSC format, but cells are written in CSR format. Convert it to CSR first."
            raise ValueError(msg)
        all_genes = len(self.genes) == self.x.shape[1]
        for rows, values in _row_parts(
            self.x, self.chunk_memory * 1e9 / 4
        ):  # its normalized copy and files come on top
            x = _rows(values if all_genes else values[:, self.genes])
            if self.normalization is None:
                counts = None if self.counts is None else _rows(in_memory(self.counts[rows]))
                yield rows, x, counts if counts is None or all_genes else _rows(counts[:, self.genes])
                continue
            size = self.normalization.size
            factor, _ = replace(self.normalization, size=None if size is None else size[rows]).of(x)
            logged = x.copy()
            logged.data = np.log1p(x.data * np.repeat(factor, np.diff(x.indptr))).astype(np.float32)
            yield rows, logged, x


def _row_parts(x: Any, n_bytes: float) -> Iterator[tuple[slice, Any]]:
    """Yield rows and their values, in parts of the same size for data in memory and on disk."""
    if is_lazy(x):
        for chunk in chunks(x, n_bytes=n_bytes):
            yield chunk.rows, chunk.x
        return
    x = x.tocsr() if sparse.issparse(x) else x
    per_row = (x.data.nbytes * 2 if sparse.issparse(x) else x.nbytes) / max(x.shape[0], 1)
    step = max(1, int(n_bytes / max(per_row, 1)))
    for start in range(0, x.shape[0], step):
        rows = slice(start, min(start + step, x.shape[0]))
        yield rows, x[rows]


def _rows(x: Any) -> sparse.csr_matrix:
    return sparse.csr_matrix(x)


@dataclass(frozen=True)
class Residual:
    """The part to subtract from each cell: covariates (cells × k, centered) times slopes (k × genes)."""

    covariates: FloatArray
    slopes: FloatArray


@dataclass(frozen=True)
class CellFile:
    """A file to write, with some cells and genes; with covariates regressed out, it is dense and without counts."""

    path: Path
    obs: pd.DataFrame
    var: pd.DataFrame
    rows: BoolArray
    genes: IntArray
    residual: Residual | None = None
    notes: Mapping[str, Any] | None = None

    @property
    def dense_bytes(self) -> int:
        """Size of the values if they are dense."""
        return 0 if self.residual is None else int(self.rows.sum()) * len(self.genes) * 4


def write_cell_files(values: CellValues, files: Sequence[CellFile]) -> None:
    """Write the files in one pass over the cells."""
    with ExitStack() as stack:
        writers = [stack.enter_context(_FileWriter(file, with_counts=values.has_counts)) for file in files]
        for rows, x, counts in values.parts():
            for writer in writers:
                writer.append(rows, x, counts)


class _FileWriter:
    """Writer of one file, to which rows are appended."""

    def __init__(self, file: CellFile, *, with_counts: bool) -> None:
        self._file, self._with_counts = file, with_counts and file.residual is None
        self._all_genes = np.array_equal(file.genes, np.arange(len(file.genes)))

    def __enter__(self) -> _FileWriter:
        file = self._file
        tables = AnnData(obs=file.obs[file.rows], var=file.var.iloc[file.genes], uns=dict(file.notes or {}))
        tables.write_h5ad(file.path)
        self._h5 = h5py.File(file.path, "a")
        if "X" in self._h5:
            del self._h5["X"]
        shape = (int(file.rows.sum()), len(file.genes))
        self._n = 0
        if file.residual is not None:
            self._dense = self._h5.create_dataset("X", shape=shape, dtype=np.float32)
            self._dense.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        else:
            self._x = _SparseWriter(self._h5, "X", shape)
            self._counts = _SparseWriter(self._h5, f"layers/{COUNTS}", shape) if self._with_counts else None
        return self

    def append(self, rows: slice, x: sparse.csr_matrix, counts: sparse.csr_matrix | None) -> None:
        """Append those of the given rows that belong to this file."""
        file, here = self._file, np.flatnonzero(self._file.rows[rows])
        if not len(here):
            return
        x = self._some(x, here)
        if file.residual is not None:
            covariates = file.residual.covariates[rows][here]
            out = residuals(x, covariates, file.residual.slopes)
            self._dense[self._n : self._n + len(here)] = out
        else:
            self._x.append(x.astype(np.float32))
            if self._counts is not None and counts is not None:
                self._counts.append(self._some(counts, here))
        self._n += len(here)

    def _some(self, x: sparse.csr_matrix, here: IntArray) -> sparse.csr_matrix:
        part = x if len(here) == x.shape[0] else x[here]
        return part if self._all_genes and len(self._file.genes) == x.shape[1] else part[:, self._file.genes]

    def __exit__(self, *error: object) -> None:
        self._h5.close()


class _SparseWriter:
    """Writer of a CSR matrix in the format of anndata, to which rows are appended."""

    def __init__(self, h5: h5py.File, key: str, shape: tuple[int, int]) -> None:
        group = h5.create_group(key)
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.array(shape, dtype=np.int64)
        growing = {"shape": (0,), "maxshape": (None,), "chunks": (CHUNK,)}
        self._data = group.create_dataset("data", dtype=np.float32, **growing)
        self._indices = group.create_dataset("indices", dtype=np.int32, **growing)
        self._indptr = group.create_dataset("indptr", shape=(shape[0] + 1,), dtype=np.int64)
        self._n = 0

    def append(self, x: sparse.csr_matrix) -> None:
        """Append rows."""
        start = self._data.shape[0]
        for dataset, values in ((self._data, x.data), (self._indices, x.indices)):
            dataset.resize((start + len(values),))
            dataset[start:] = values
        self._indptr[self._n + 1 : self._n + 1 + x.shape[0]] = start + x.indptr[1:].astype(np.int64)
        self._n += x.shape[0]

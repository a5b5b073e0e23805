"""Predictions in files, for an audit that stores only its tables."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..._core.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class SpilledSolution:
    """A solution whose predictions are in a file, which exists as long as any solution of its folder."""

    path: Path
    spill: Spill = field(repr=False)
    note: str = ""
    chosen: dict[str, Any] = field(default_factory=dict)
    constant: bool = False
    noise_weights: FloatArray | None = None
    coef: None = None
    genes: IntArray | None = None

    @property
    def predictions(self) -> FloatArray:
        """Predictions for all perturbations; what is written to them does not reach the file."""
        table = np.asarray(np.load(self.path, mmap_mode="c"))
        return table if self.genes is None else np.take(table, self.genes, axis=1)

    def on_genes(self, genes: IntArray) -> SpilledSolution:
        """Return the solution on some genes, of a model that fits each gene separately."""
        return replace(self, genes=genes)


class Spill:
    """A temporary folder of tables that are filled row by row; it is removed when it is no longer referenced."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="scpertbias_"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._paths: dict[tuple[str, str], Path] = {}

    def fill(self, name: tuple[str, str], empty: Callable[[], FloatArray], rows: BoolArray, values: Any) -> None:
        """Fill some rows of a table, which is ``empty()`` before."""
        if name not in self._paths:
            self._paths[name] = self._folder / f"{len(self._paths)}.npy"
            np.save(self._paths[name], empty())
        table = np.lib.format.open_memmap(self._paths[name], mode="r+")
        table[rows] = values

    def solution(self, name: tuple[str, str], **facts: Any) -> SpilledSolution:
        """Return a table that is full, with the other facts of its solution."""
        return SpilledSolution(self._paths[name], self, **facts)

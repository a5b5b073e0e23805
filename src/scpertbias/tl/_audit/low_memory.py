"""Predictions in files, for an audit that stores only its tables."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..._core.arrays import BoolArray, FloatArray


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

    @property
    def predictions(self) -> FloatArray:
        """Predictions for all perturbations."""
        return np.load(self.path)


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
        table.flush()

    def solution(self, name: tuple[str, str], **facts: Any) -> SpilledSolution:
        """Return a table that is full, with the other facts of its solution."""
        return SpilledSolution(self._paths[name], self, **facts)

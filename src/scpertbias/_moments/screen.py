"""Moments with their names and settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd

from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.detection import Detection, detect
from .._core.moments import Moments
from .._core.noise import NoiseShape, counted_rows, noise_shape


@dataclass(frozen=True)
class Screen:
    """Moments with the words that go with them; one row for each perturbation and split.

    ``perturbation`` indexes ``names`` for each row; the reference is ``names[0]``. ``codes`` says which name each
    row of the AnnData belongs to (−1: none). ``record`` says how the moments were made, ``labels`` what each label was understood to mean.
    """

    moments: Moments
    names: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]
    perturbation: IntArray
    split: npt.NDArray[np.str_]
    genes: pd.Index
    symbols: npt.NDArray[np.str_]
    used: BoolArray
    reason: npt.NDArray[np.str_]
    codes: IntArray
    record: dict[str, Any]
    labels: pd.DataFrame | None = None
    facts: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Small results that take long to compute. A screen that is created again can reuse those of the earlier screen."""

    @property
    def reference(self) -> str:
        """The control's name."""
        return self.names[0]

    def column_of(self) -> dict[str, int]:
        """Column of each gene symbol."""
        return {symbol: i for i, symbol in enumerate(self.symbols.tolist())}

    def target_genes(self, rows: IntArray) -> BoolArray:
        """Whether each gene is a target of each of some rows (rows × genes)."""
        column, marked = self.column_of(), np.zeros((len(rows), len(self.genes)), dtype=np.bool_)
        for i, p in enumerate(self.perturbation[rows].tolist()):
            marked[i, [column[gene] for gene in self.targets[p] if gene in column]] = True
        return marked

    def digest(self) -> str:
        """Digest of all that a fit on these moments depends on."""
        m = self.moments
        arrays = (m.mean, m.n, self.perturbation, self.used, self.symbols)
        values = [m.reference, *map(np.ascontiguousarray, arrays)]
        words = [list(self.names), ["+".join(t) for t in self.targets]]
        return str(joblib.hash([values, words], hash_name="sha1"))

    @cached_property
    def merged(self) -> Screen:
        """One row per perturbation, summed over splits, in the order of ``names``."""
        _, first = np.unique(self.perturbation, return_index=True)
        return replace(
            self,
            facts={},
            moments=self.moments.merge(self.perturbation, len(self.names)),
            perturbation=np.arange(len(self.names)),
            split=self.split[first],
            used=self.used[first],
            reason=self.reason[first],
        )

    @cached_property
    def total_var(self) -> FloatArray:
        """Variance of the cells of each row, summed over genes; the pooled one where a row has none of its own."""
        var = self.moments.var
        total: FloatArray = np.where(np.isfinite(var), var, self.moments.pooled_var).sum(axis=1)
        return total

    @cached_property
    def noise_shape(self) -> NoiseShape:
        """Distribution of sampling noise over genes; all splits of a perturbation are combined."""
        merged = self.merged
        return noise_shape(merged.moments, counted_rows(merged.moments, merged.used))

    @cached_property
    def detection(self) -> Detection:
        """Detection for each perturbation, in the order of ``names``; its splits are combined."""
        if "detection" not in self.facts:
            self.facts["detection"] = self._detect()
        detection: Detection = self.facts["detection"]
        return detection

    @property
    def noise_size(self) -> NoiseShape:
        """The noise shape without its vectors."""
        if "noise_size" not in self.facts:
            self.facts["noise_size"] = self.noise_shape.alone
        size: NoiseShape = self.facts["noise_size"]
        return size

    def _detect(self) -> Detection:
        merged, column = self.merged, self.column_of()
        targets = [np.array([column[g] for g in genes if g in column], dtype=np.int64) for genes in self.targets]
        return detect(merged.moments, merged.used, targets, self.noise_shape)

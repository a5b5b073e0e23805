"""The cross-fitted models of each regime, put together from the fits of the folds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..._core.arrays import BoolArray, FloatArray, IntArray
from ..._log import info
from ..._models._base import Solution
from ..._moments import Screen
from .jobs import Arrays, JobKey
from .low_memory import Spill, SpilledSolution

ALL_PERTURBATIONS = "all"
"""Number of the fit on all perturbations, which is not scored."""


@dataclass(frozen=True)
class Fits:
    """The cross-fitted models of one regime, and reasons for models left out.

    ``in_sample`` contains the predictions of fits on all perturbations, which are not scored.
    """

    solutions: dict[str, Solution | SpilledSolution] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    in_sample: dict[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Rows and columns of the predictions of a regime.

    The first of the perturbations ``names`` is the control, of which ``control`` (G) is the mean. ``genes`` (G) are the
    columns in the full regime.
    """

    names: tuple[str, ...]
    control: FloatArray
    genes: IntArray
    n_batches: int

    @classmethod
    def of(cls, screen: Screen, full: Screen) -> Layout:
        """Return the layout of a regime, which does not refer to its moments."""
        genes = full.genes.get_indexer(screen.genes).astype(np.int64)
        return cls(screen.names, screen.moments.control.copy(), genes, len(screen.moments.n_control))

    def before_any_fit(self) -> FloatArray:
        """Return predictions before any fit: the control's, and NaN."""
        predictions = np.full((len(self.names), len(self.control)), np.nan)
        predictions[0] = self.control
        return predictions


def rows_of_folds(names: Sequence[str], folds: Mapping[str, int]) -> dict[str, BoolArray]:
    """Return the perturbations that each fold predicts: those that it does not see."""
    fold = np.array([folds.get(name, -1) for name in names])
    return {str(number): fold == number for number in sorted(set(folds.values()))}


@dataclass(frozen=True)
class Assembly:
    """The results of the jobs of a regime, from which its fits are taken."""

    regime: str
    layout: Layout
    folds: Mapping[str, int]
    results: dict[JobKey, Arrays | str]
    spill: Spill | None

    def fits(self, models: Sequence[str], full: Fits | None, slices: Collection[str]) -> Fits:
        """Put the results together (they are taken out); a failure leaves its model out.

        Of the ``slices`` those with all genes are taken, on the genes of the regime.
        """
        fits, layout = Fits(), self.layout
        numbers = rows_of_folds(layout.names, self.folds)
        for name in models:
            on_all = self.results.pop((self.regime, name, ALL_PERTURBATIONS), {})
            by_fold = {fold: self.results.pop((self.regime, name, fold)) for fold in numbers}
            reasons = [result for result in (*by_fold.values(), on_all) if isinstance(result, str)]
            if reasons or isinstance(on_all, str):
                fits.left_out[name] = reasons[0]
                info(f"{name} is left out: {reasons[0]}")
                continue
            arrays = [result for result in by_fold.values() if not isinstance(result, str)]
            held = np.full((len(layout.names), layout.n_batches + 1), np.nan)
            held = self._filled(held, "noise_weights", arrays)
            if full is not None and name in slices:
                fits.solutions[name] = replace(full.solutions[name].on_genes(layout.genes), noise_weights=held)
                if name in full.in_sample:
                    fits.in_sample[name] = np.take(full.in_sample[name], layout.genes, axis=1)
                continue
            fits.solutions[name] = self._solution(name, arrays, on_all, held)
            if "predictions" in on_all:
                fits.in_sample[name] = on_all["predictions"]
        return fits

    def _solution(
        self, name: str, arrays: Sequence[Arrays], on_all: Arrays, held: FloatArray
    ) -> Solution | SpilledSolution:
        notes = {str(of_fold["note"]) for of_fold in arrays}
        facts: dict[str, Any] = {
            "note": notes.pop() if len(notes) == 1 else "",
            "chosen": {k.removeprefix("chosen/"): a.item() for k, a in on_all.items() if k.startswith("chosen/")},
            "constant": all(bool(of_fold["constant"]) for of_fold in arrays),
            "noise_weights": held,
        }
        if self.spill is not None:
            return self.spill.solution((self.regime, name), **facts)
        predictions = self._filled(self.layout.before_any_fit(), "predictions", arrays)
        return Solution(predictions, on_all.get("coef"), **facts)

    def _filled(self, table: FloatArray, name: str, arrays: Sequence[Arrays]) -> FloatArray:
        """Fill the rows of each fold with the predictions of its fit."""
        for rows, of_fold in zip(rows_of_folds(self.layout.names, self.folds).values(), arrays, strict=True):
            table[rows] = of_fold[name]
        return table

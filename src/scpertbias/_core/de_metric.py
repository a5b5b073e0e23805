"""Scores of differential expression as metric functions, with ceiling, null distribution and interval."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scpertbias._core.any_metric import PER, MetricFunction
from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.de import DE_METRICS, ObservedChanges, de_scores
from scpertbias._core.moments import Moments
from scpertbias._core.z_scores import undetectable, z_errors

MOST_CALLS = 4
"""Observations whose calls are remembered."""


@dataclass(eq=False)
class DeFunction(MetricFunction):
    """One score of differential expression of P perturbations; genes are called from what is observed.

    ``error`` (P, G) are the standard errors of changes against half of the control (NaN in genes that are not judged),
    ``half_error`` those of changes in half of the cells. ``targets`` (P, G) are the own targets.
    """

    name: str
    error: FloatArray
    half_error: FloatArray
    targets: BoolArray
    calls: dict[bytes, ObservedChanges] = field(default_factory=dict)
    per = PER[0]

    @classmethod
    def of(cls, name: str, moments: Moments, rows: IntArray, genes: IntArray, targets: BoolArray) -> DeFunction:
        """Return the function for some rows and genes; standard errors of the two halves are averaged."""
        judged = ~undetectable(moments, rows)[:, genes]
        moments = moments.genes(genes)
        squares = [[z_errors(moments, rows, control_half=a) ** 2, z_errors(moments, rows, a) ** 2] for a in (0, 1)]
        error, half_error = (
            np.where(judged, np.sqrt((first + second) / 2), np.nan) for first, second in zip(*squares, strict=True)
        )
        return cls(name, error, half_error, targets)

    @property
    def higher_is_better(self) -> bool:
        """Whether larger scores are better."""
        return DE_METRICS[self.name].higher_is_better

    def __call__(self, predicted: FloatArray, observed: FloatArray, control: FloatArray) -> FloatArray:
        """Return one score for each row; NaN with too few calls."""
        key = (observed - control).tobytes()
        if key not in self.calls:  # permuted predictions meet the same observations
            if len(self.calls) >= MOST_CALLS:
                self.calls.clear()
            self.calls[key] = ObservedChanges.of(observed - control, self.error, self.targets)
        return de_scores([predicted - control], [self.calls[key]])[self.name]

    def of_halves(self) -> DeFunction:
        """Return the score that judges one half of the cells."""
        return DeFunction(self.name, self.half_error, self.half_error, self.targets)

    def compares_rows(self, predicted: FloatArray, observed: FloatArray, control: FloatArray) -> bool:
        """Return False, because the score of a perturbation does not depend on others."""
        return False

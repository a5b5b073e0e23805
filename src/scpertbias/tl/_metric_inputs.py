"""Inputs of a user-defined function: held-out perturbations, observed effects, and predictions with their control."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from .._core.any_metric import Observations, Prediction, snapped
from .._core.arrays import FloatArray, IntArray
from .._core.ceilings import ROUNDING, row_norm
from .._core.control_variance import ControlBlocks
from .._core.de_metric import DeFunction
from .._core.noise import noise_parts, response_known
from .._moments import Screen
from ._compared import HeldOut, common
from ._reference import score_genes

N_TOP_GENES = 1000


@dataclass(frozen=True)
class MetricInputs:
    """Held-out perturbations that a model predicts, with cells in both halves: rows, genes and observed effects."""

    rows: IntArray
    genes: IntArray
    fit: IntArray
    groups: IntArray
    data: Observations
    control: FloatArray
    known: bool

    @property
    def key(self) -> tuple[bytes, ...]:
        """Key that is equal for models with the same predicted and training perturbations."""
        return self.rows.tobytes(), self.groups.tobytes(), self.data.mean.effect.tobytes()

    def prediction(self, table: FloatArray, held: FloatArray | None) -> Prediction:
        """Return a model's predictions as effects; ``held`` is how much noise of the data they hold.

        That is a table of :func:`scpertbias._results.noise_weights`; None: as much as the mean of what the model was trained
        on, and the control itself no other noise than its own.
        """
        predicted = table[self.rows][:, self.genes]
        effect = predicted - self.control
        rounding = ROUNDING * row_norm(predicted)
        weights = self.data.mean.weights if held is None else held[self.rows, :-1]
        prediction = snapped(Prediction(effect, weights), self.data.mean, rounding)
        if held is None:
            moves = np.asarray(prediction.effect.any(axis=1))
            prediction = Prediction(prediction.effect, np.where(moves[:, None], weights, 0.0))
        return prediction

    def de_function(self, screen: Screen, name: str) -> DeFunction:
        """Return a score of differential expression of these perturbations on these genes."""
        merged = screen.merged
        return DeFunction.of(name, merged.moments, self.rows, self.genes, merged.target_genes(self.rows)[:, self.genes])

    def shared(self, shares: FloatArray | None) -> FloatArray:
        """Return the control weights of the truth as a prediction of that kind (rows × batches)."""
        if shares is None:
            return np.broadcast_to(self.data.shares, self.data.weights.shape)
        return shares[self.rows]


def metric_inputs(
    screen: Screen,
    table: FloatArray,
    *,
    name: str,
    folds: Mapping[str, int] | None,
    test: Collection[str] | None,
) -> MetricInputs | None:
    """Return the data for scoring the predictions of a model (perturbations × genes, NaN for seen perturbations)."""
    held_out = common(screen, {name: table}, folds, test=test)
    if name not in held_out.predictions:
        return None
    return inputs_of(screen, held_out)


def inputs_of(screen: Screen, held_out: HeldOut) -> MetricInputs:
    """Return the observed effects of some held-out perturbations."""
    m, genes = screen.merged.moments, score_genes(screen, N_TOP_GENES)
    has_halves = np.asarray(np.isfinite(m.half[:, held_out.rows]).all(axis=(0, 2)), dtype=np.bool_)
    rows, trained = held_out.rows[has_halves], held_out.training
    control = m.control[genes]
    mean = Prediction(
        held_out.means[:, genes][trained.fit[has_halves]] - control,
        trained.mean(trained.screen.moments.weights)[has_halves],
    )
    data = Observations(
        effect=m.mean[rows][:, genes] - control,
        half=m.half[:, rows[:, None], genes] - m.half[:, [m.reference]][:, :, genes],
        weights=m.weights[rows],
        half_weights=m.half_weights[:, rows],
        noise=noise_parts(m, rows, genes).total,
        control_half=m.control_half[:, :, genes],
        n_control_half=m.counts[:, m.reference],
        mean=mean,
        blocks=ControlBlocks.of(m, genes),
    )
    return MetricInputs(
        rows=rows,
        genes=genes,
        fit=trained.fit[has_halves],
        groups=held_out.groups[has_halves],
        data=data,
        control=control,
        known=response_known(m, rows, screen.noise_shape),
    )

"""Reference for predictions: held-out rows, score genes, baseline and ceiling."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.ceilings import Truth
from .._core.control_derivatives import Derivative, ceiling_derivatives, score_derivatives
from .._core.control_variance import ControlBlocks
from .._core.correlations import NoiseWeights
from .._core.de_draws import DeDraws
from .._core.de_truth import DeTruth
from .._core.detection import reproducibility
from .._core.noise import NoiseShape, noise_parts, squared_effects
from .._models import additive
from .._models._base import Problem, problem, training_noise
from .._moments import Screen
from ._control_noise import ControlNoise


@dataclass(frozen=True)
class Reference:
    """The observed effects on some rows and genes, with the baseline.

    ``rows`` are rows of ``screen``, ``genes`` columns. ``baseline`` is the mean of the training perturbations; for
    combinations, it is the additive prediction if available. ``held_by_baseline`` is the amount of noise of the screen in
    the baseline, ``blocks`` are the control blocks on these genes, and ``vectors`` some noise vectors.
    """

    truth: Truth
    baseline: FloatArray
    held_by_baseline: NoiseWeights
    blocks: ControlBlocks
    shape: NoiseShape
    vectors: FloatArray
    rows: IntArray
    genes: IntArray
    perturbation: IntArray
    split: npt.NDArray[np.str_]
    fold: IntArray
    reproducibility: FloatArray
    detected: BoolArray
    screen: Screen

    @cached_property
    def changes(self) -> DeTruth:
        """Observed changes, for scoring predicted changes."""
        targets = self.screen.target_genes(self.rows)[:, self.genes]
        return DeTruth.of(self.screen.moments, self.rows, self.genes, self.truth.z, targets)

    @cached_property
    def draws(self) -> DeDraws:
        """The changes of some held-out perturbations with other control means."""
        return DeDraws.of(self.changes, self.blocks, self.split == "test")

    @cached_property
    def baseline_draws(self) -> dict[str, FloatArray]:
        """Variation of the baseline scores of differential expression with the control; ceilings do not vary."""
        baseline = self.draws.deviations(self.baseline, self.held_by_baseline.control)
        named = {f"{name}_baseline": values for name, values in baseline.items()}
        return named | {f"{name}_ceiling": np.zeros_like(values) for name, values in baseline.items()}

    @cached_property
    def baseline_derivatives(self) -> dict[str, Derivative]:
        """Derivatives of the baseline scores with respect to the control, by column."""
        derivatives = score_derivatives(self.baseline, self.truth, self.held_by_baseline, self.blocks, self.vectors)
        return {f"{name}_baseline": derivative for name, derivative in derivatives.items()}

    def control_noise(self, predictions: FloatArray, held: NoiseWeights, shares: FloatArray) -> ControlNoise:
        """Return the derivatives of the scores of predictions (R × G) with respect to the control.

        ``shares`` (S, or R × S) are the control weights of the truth in their place.
        """
        truth = self.truth
        ceilings = ceiling_derivatives(truth, shares, self.blocks, self.vectors)
        derivatives = score_derivatives(predictions, truth, held, self.blocks, self.vectors) | self.baseline_derivatives
        derivatives |= {f"{name}_ceiling": derivative for name, derivative in ceilings.items()}
        draws = self.draws.deviations(predictions, held.control) | self.baseline_draws
        by_batch: FloatArray = truth.control_noise.sum(axis=1)
        n_rows = len(truth.observed)
        return ControlNoise(by_batch, n_rows, self.blocks, self.shape, derivatives, draws, self.draws.rows)


def score_genes(screen: Screen, n_top: int) -> IntArray:
    """Return the genes with the highest mean in control (ties by name), in the order of the columns."""
    order = np.lexsort((screen.genes.to_numpy(str), -screen.moments.control))
    return np.sort(order[:n_top])


def reference(
    screen: Screen,
    *,
    n_top_genes: int,
    folds: Mapping[str, int] | None,
    genes: IntArray | None = None,
    unseen: Collection[str] | None = None,
    with_z: bool = True,
) -> Reference:
    """Return the reference of a screen: rows of its splits, or with ``folds`` every perturbation, held out once.

    The baseline of a row is the mean of the training perturbations of its fold. For a model with one split, ``unseen``
    contains the perturbations that it has not seen; its baseline excludes these, too. Without z there are no strongest genes.
    """
    genes = score_genes(screen, n_top_genes) if genes is None else genes
    has_several_rows = len(np.unique(screen.perturbation)) < len(screen.perturbation)
    scored = screen.merged if folds is not None and has_several_rows else screen
    m = scored.moments
    rows = np.flatnonzero(scored.used & (scored.perturbation > 0) & (m.n > 0))
    perturbation = scored.perturbation[rows]
    fold = np.array([-1 if folds is None else folds.get(screen.names[p], -1) for p in perturbation], dtype=np.int64)
    split = scored.split[rows] if folds is None else np.where(fold >= 0, "test", "train")
    means = _baselines(screen, perturbation, folds, unseen, genes)
    groups = np.unique(split, return_inverse=True)[1] if folds is None else fold
    targets = {gene for p in perturbation for gene in screen.targets[p]}
    truth = Truth.of(
        m,
        rows,
        genes,
        screen.noise_shape,
        centroid=means.centroid,
        centroid_weights=means.weights,
        centroid_noise=means.noise,
        groups=groups.astype(np.int64),
        target_columns=np.isin(screen.symbols[genes], list(targets)),
        with_z=with_z,
    )
    return Reference(
        truth=truth,
        baseline=means.baseline,
        held_by_baseline=NoiseWeights(means.baseline_weights, means.baseline_training),
        blocks=ControlBlocks.of(m, genes),
        shape=screen.noise_size,
        vectors=screen.noise_shape.some(genes),
        rows=rows.astype(np.int64),
        genes=genes,
        perturbation=perturbation,
        split=split,
        fold=fold,
        reproducibility=reproducibility(squared_effects(m, rows), noise_parts(m, rows).total),
        detected=screen.detection.detected[perturbation],
        screen=scored,
    )


@dataclass(frozen=True)
class _TrainingMeans:
    """Mean of the training perturbations of the models for R rows, and the baseline (R × genes).

    ``weights`` (R × batches) are the mean shares of the batches in these perturbations. ``noise`` (R,) is the sampling
    variance of the mean of their own cells, summed over genes. ``baseline_weights`` and ``baseline_training`` are the
    amounts of this noise in the baseline.
    """

    centroid: FloatArray
    baseline: FloatArray
    weights: FloatArray
    baseline_weights: FloatArray
    baseline_training: FloatArray
    noise: FloatArray


def _baselines(
    screen: Screen,
    perturbation: IntArray,
    folds: Mapping[str, int] | None,
    unseen: Collection[str] | None,
    genes: IntArray,
) -> _TrainingMeans:
    """Return the training means of the models of each row."""
    n, fold = len(perturbation), np.array([-1 if folds is None else folds.get(name, -1) for name in screen.names])
    by_row = np.full(n, -1) if unseen is not None else fold[perturbation]
    shape, of_batches = (n, len(genes)), (n, len(screen.moments.n_control))
    centroid = np.empty(shape)
    has_combinations = any(len(screen.targets[p]) > 1 for p in perturbation)
    means = _TrainingMeans(
        centroid=centroid,
        baseline=np.empty(shape) if has_combinations else centroid,  # without combinations, the mean is the baseline
        weights=np.empty(of_batches),
        baseline_weights=np.empty(of_batches),
        baseline_training=np.empty(n),
        noise=np.empty(n),
    )
    for r in np.unique(by_row):
        if unseen is not None:
            train = ~np.isin(screen.names, list(unseen))[screen.perturbation] & (screen.split != "val")
        elif folds is None:
            train = screen.split == "train"
        else:
            train = np.ones(len(screen.perturbation), dtype=bool) if r < 0 else fold[screen.perturbation] != r
        rows, trained = by_row == r, problem(screen, train, keep=genes)
        means.centroid[rows], means.baseline[rows] = _baseline(trained, perturbation[rows])
        noise = training_noise(screen, train, genes)
        # The baseline is linear in the means, so the sources of their noise can replace the means.
        sources = replace(
            trained, means=np.column_stack([noise.weights, noise.own]), control=np.zeros(of_batches[1] + 1)
        )
        of_mean, of_baseline = _baseline(sources, perturbation[rows])
        means.weights[rows], means.baseline_weights[rows] = of_mean[:, :-1], of_baseline[:, :-1]
        means.noise[rows] = of_mean[:, -1] / trained.perturbed.sum()
        no_noise = of_mean[:, -1] == 0
        means.baseline_training[rows] = np.where(
            no_noise, 1.0, of_baseline[:, -1] / np.where(no_noise, 1, of_mean[:, -1])
        )
    return means


def _baseline(trained: Problem, perturbation: IntArray) -> tuple[FloatArray, FloatArray]:
    mean = np.tile(trained.means[trained.perturbed].mean(axis=0), (len(perturbation), 1))
    combination = np.array([len(trained.targets[p]) > 1 for p in perturbation], dtype=bool)
    if not combination.any():
        return mean, mean
    sums = additive.solve(replace(trained, rows=perturbation)).predictions
    usable = combination & np.isfinite(sums).all(axis=1)
    return mean, np.where(usable[:, None], sums, mean)

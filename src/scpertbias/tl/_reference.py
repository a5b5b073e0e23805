"""What predictions are compared with: held-out rows, score genes, baseline and ceiling."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._core.arrays import FloatArray, IntArray
from .._core.ceilings import Truth
from .._core.detection import reproducibility
from .._core.noise import noise_parts, squared_effects
from .._models import additive
from .._models._base import Problem, problem
from .._moments import Screen


@dataclass(frozen=True)
class Reference:
    """The truth on some rows and genes, with the baseline that a model must beat there.

    ``rows`` are rows of the screen, ``genes`` columns; ``baseline`` is the mean of the training perturbations, for
    combinations the additive prediction where there is one.
    """

    truth: Truth
    baseline: FloatArray
    rows: IntArray
    genes: IntArray
    perturbation: IntArray
    split: npt.NDArray[np.str_]
    fold: IntArray
    reproducibility: FloatArray


def score_genes(screen: Screen, n_top: int) -> IntArray:
    """Return the genes of highest mean in control, ties by name, in the order of the columns."""
    order = np.lexsort((screen.genes.to_numpy(str), -screen.moments.control))
    return np.sort(order[:n_top])


def reference(
    screen: Screen,
    *,
    n_top_genes: int,
    folds: Mapping[str, int] | None,
    genes: IntArray | None = None,
    unseen: Collection[str] | None = None,
) -> Reference:
    """Make the truth of a screen: rows of its own splits, or with ``folds`` every perturbation, held out once.

    The baseline of a row is that of what the models of its fold were trained on. For a model that keeps one split,
    beside cross-fitted ones, ``unseen`` names what it has not seen: its baseline has not seen that either.
    """
    genes = score_genes(screen, n_top_genes) if genes is None else genes
    has_several_rows = len(np.unique(screen.perturbation)) < len(screen.perturbation)
    scored = screen.merged if folds is not None and has_several_rows else screen
    m = scored.moments
    rows = np.flatnonzero(scored.used & (scored.perturbation > 0) & (m.n > 0))
    perturbation = scored.perturbation[rows]
    fold = np.array([-1 if folds is None else folds.get(screen.names[p], -1) for p in perturbation], dtype=np.int64)
    split = scored.split[rows] if folds is None else np.where(fold >= 0, "test", "train")
    centroid, baseline = _baselines(screen, perturbation, folds, unseen)
    groups = np.unique(split, return_inverse=True)[1] if folds is None else fold
    pooled = m.pooled_var[genes]
    var = m.var[np.ix_(rows, genes)]
    control = scored.moments.reference
    targets = {gene for p in perturbation for gene in screen.targets[p]}
    truth = Truth(
        observed=m.mean[np.ix_(rows, genes)],
        half_1=m.half[0][np.ix_(rows, genes)],
        half_2=m.half[1][np.ix_(rows, genes)],
        var=np.where(np.isfinite(var), var, pooled),
        n_cells=m.n[rows],
        control=m.control[genes],
        control_var=m.var[control, genes],
        n_control=float(m.n[control]),
        centroid=centroid[:, genes],
        groups=groups.astype(np.int64),
        target_columns=np.isin(screen.symbols[genes], list(targets)),
        pooled_var=pooled,
    )
    return Reference(
        truth=truth,
        baseline=baseline[:, genes],
        rows=rows.astype(np.int64),
        genes=genes,
        perturbation=perturbation,
        split=split,
        fold=fold,
        reproducibility=reproducibility(squared_effects(m, rows), noise_parts(m, rows).total),
    )


def _baselines(
    screen: Screen, perturbation: IntArray, folds: Mapping[str, int] | None, unseen: Collection[str] | None
) -> tuple[FloatArray, FloatArray]:
    """Return for each row the mean of the perturbations that its models were trained on, and the baseline."""
    if unseen is not None:
        train_rows = ~np.isin(screen.names, list(unseen))[screen.perturbation] & (screen.split != "val")
        return _baseline(problem(screen, train_rows), perturbation)
    if folds is None:
        return _baseline(problem(screen, screen.split == "train"), perturbation)
    fold = np.array([folds.get(name, -1) for name in screen.names])
    centroid = np.empty((len(perturbation), len(screen.genes)))
    baseline = np.empty_like(centroid)
    for r in np.unique(fold[perturbation]):
        held_out = fold[perturbation] == r
        train = np.ones(len(screen.perturbation), dtype=bool) if r < 0 else fold[screen.perturbation] != r
        centroid[held_out], baseline[held_out] = _baseline(problem(screen, train), perturbation[held_out])
    return centroid, baseline


def _baseline(trained: Problem, perturbation: IntArray) -> tuple[FloatArray, FloatArray]:
    mean = np.tile(trained.means[trained.perturbed].mean(axis=0), (len(perturbation), 1))
    combination = np.array([len(trained.targets[p]) > 1 for p in perturbation], dtype=bool)
    if not combination.any():
        return mean, mean
    sums = additive.solve(trained).predictions[perturbation]
    usable = combination & np.isfinite(sums).all(axis=1)
    return mean, np.where(usable[:, None], sums, mean)

"""Both halves of the cells of a screen, for computing probes and for scoring them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._core.any_metric import noise_free
from .._core.arrays import FloatArray, IntArray
from .._core.noise import counted_rows, noise_parts, response_known
from .._core.probe_scores import JudgedHalf, ProbeData
from .._core.probes import SpeakingHalf, has_axis
from .._core.ranking import expression_bins
from .._core.z_scores import undetectable, z_errors
from .._moments import Screen
from ._compared import Training, training
from ._reference import score_genes

N_TOP_GENES = 1000
LEAST = 3
MAX_PERTURBATIONS = 150
"""With more perturbations than this, probes use a random sample, because the time for ranks grows quadratically."""


def can_probe(screen: Screen, folds: Mapping[str, int]) -> bool:
    """Whether there are enough perturbations, and training perturbations for each of them."""
    rows = _rows(screen, folds)
    return len(rows) >= LEAST and len({folds[screen.names[p]] for p in rows}) > 1


def _rows(screen: Screen, folds: Mapping[str, int]) -> IntArray:
    """Return the perturbations of any fold with cells in both halves."""
    rows = counted_rows(screen.merged.moments, screen.merged.used)
    return np.array([p for p in rows if folds.get(screen.names[p], -1) >= 0], dtype=np.int64)


def probe_data(screen: Screen, folds: Mapping[str, int], rng: np.random.Generator) -> ProbeData:
    """Return both halves of the cells of a screen; training perturbations are those of other folds."""
    merged = screen.merged
    m, genes, rows = merged.moments, score_genes(screen, N_TOP_GENES), _rows(screen, folds)
    if not can_probe(screen, folds):
        msg = f"Probes need at least {LEAST} perturbations with cells in both halves, in two folds; these data have {len(rows)}."
        raise ValueError(msg)
    judged = np.sort(rng.choice(rows, MAX_PERTURBATIONS, replace=False)) if len(rows) > MAX_PERTURBATIONS else rows
    trained = training(screen, judged, folds)
    speaking = tuple(_speaking(screen, judged, genes, trained, half) for half in (0, 1))
    target_columns = np.asarray(merged.target_genes(rows)[:, genes].any(axis=0))
    judging = tuple(
        JudgedHalf(
            effect=speaking[half].effect,
            control=m.half[half, m.reference][genes],
            error=speaking[half].error,
            mean=speaking[1 - half].mean,
            targets=speaking[half].targets,
            target_columns=target_columns,
        )
        for half in (0, 1)
    )
    both = m.half[:, rows[:, None], genes] - m.half[:, [m.reference]][:, :, genes]
    return ProbeData(
        speaking=(speaking[0], speaking[1]),
        judging=(judging[0], judging[1]),
        matched=noise_free(m.mean[judged][:, genes] - m.control[genes], noise_parts(m, judged, genes).total),
        errors=(speaking[0].effect - speaking[1].effect) / np.sqrt(2.0),
        axis=has_axis(both[0], both[1]),
        known=response_known(m, rows, screen.noise_shape),
    )


def _speaking(screen: Screen, rows: IntArray, genes: IntArray, trained: Training, half: int) -> SpeakingHalf:
    """Return one half of the cells of some rows, for computing probes."""
    m = screen.merged.moments
    effects = m.half[half][:, genes] - m.half[half, m.reference][genes]
    n = np.where(m.n_half[half] > 0, m.n_half[half], np.nan)
    noise = np.maximum(np.nan_to_num(m.var[:, genes]), 0.0) / n[:, None]
    of_control = np.nan_to_num(m.control_var[:, genes]).sum(axis=1) / np.maximum(m.counts[half, m.reference], 1)
    fits = [r[np.isfinite(effects[r]).all(axis=1)] for r in trained.rows]

    def by_row(values: FloatArray) -> FloatArray:
        """Mean over the training perturbations, for each row."""
        return np.stack([values[r].mean(axis=0) for r in fits])[trained.fit]

    own_noise = np.nan_to_num(m.var[:, genes].sum(axis=1)) / n
    of_genes = m.genes(genes)
    error = z_errors(of_genes, rows, half)
    error[undetectable(of_genes, rows)] = np.nan
    slopes = m.depth_slopes
    return SpeakingHalf(
        effect=effects[rows],
        cell_noise=noise[rows],
        error=error,
        weights=m.half_weights[half, rows],
        control_noise=of_control,
        mean=by_row(effects),
        mean_weights=by_row(m.half_weights[half]),
        mean_noise=np.array([own_noise[r].sum() / len(r) ** 2 for r in fits])[trained.fit],
        depth=None if slopes is None else slopes[half][genes],
        targets=screen.merged.target_genes(rows)[:, genes],
        bins=expression_bins(m.control[genes]),
    )

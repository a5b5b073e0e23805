"""Closed forms of ridge, GRN-Linear and the two-stage model, from group means and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from scpertbias._core.arrays import BoolArray, FloatArray
from scpertbias._core.graph import Spectrum
from scpertbias._core.linear import (
    ALL,
    Counts,
    Linear,
    Rows,
    assembled,
    checked_counts,
    in_parts,
    of_trained_levels,
    shrunk,
    weighted_sum,
)
from scpertbias._core.low_rank import centered_products, low_rank
from scpertbias._core.smoothing import harmonic_extension, over_both, over_perturbations


def ridge(
    means: FloatArray,
    n_cells: Counts,
    reference: int,
    *,
    alpha: float,
    coding: Literal["one_hot", "reference"],
    weights: Literal["cells", "perturbations"],
    rows: Rows = ALL,
) -> Linear:
    """Ridge regression of the cells on their perturbation, with an unpenalized intercept.

    Every gene is solved apart, so leaving genes out changes nothing for the others.

    Parameters
    ----------
    means
        Mean of each level (P, G); ignored where `n_cells` is 0.
    n_cells
        Training cells of each level (P,).
    reference
        Row of the control.
    alpha
        Penalty on the squared coefficients. 0 is the limit alpha → 0: with `one_hot`, where the intercept is not
        determined, that is the unweighted mean of the trained levels; with `reference` the control mean.
    coding
        `one_hot`: the control is a column like any other; `reference`: the control is the zero row.
    weights
        `cells`: a level counts as often as it has cells; `perturbations`: each trained level counts once.
    rows
        Levels to predict.

    Returns
    -------
    The model; levels without training cells have zero coefficients.
    """
    cells = checked_counts(n_cells, alpha, 0.0)
    if weights == "perturbations":
        cells = (cells > 0).astype(np.float64)
    if coding == "one_hot":
        return shrunk(means, cells, np.array([float(alpha)]), rows)
    shrinkage = np.zeros(cells.size)
    trained = cells > 0
    shrinkage[trained] = cells[trained] / (cells[trained] + alpha)
    shrinkage[reference] = 0.0
    # without control cells alpha cancels; dropping it keeps the limit alpha = 0 defined
    counted = (alpha if cells[reference] > 0 else 1.0) * shrinkage
    counted[reference] = cells[reference]
    intercept = weighted_sum(counted, means) / counted.sum()
    return of_trained_levels(means, cells, intercept, lambda some: shrinkage[some, None], rows)


def grn(
    means: FloatArray,
    n_cells: Counts,
    *,
    alpha: float,
    gamma: float,
    genes: Spectrum | None = None,
    perturbations: csr_array | None = None,
    rows: Rows = ALL,
) -> Linear:
    """GRN-Linear: one-hot ridge whose coefficients W are smooth over a graph.

    Minimizes Σ_i ‖x_i − z_i W − b‖² + alpha ‖W‖² + gamma Tr(W L_G Wᵀ) + gamma Tr(Wᵀ L_P W) over W and b, exactly.
    The control is a level like any other. Without a graph, or with gamma = 0, this is :func:`ridge`.

    Parameters
    ----------
    means
        Mean of each level (P, G); ignored where `n_cells` is 0.
    n_cells
        Training cells of each level (P,).
    alpha
        Penalty on the squared coefficients. 0 is the limit alpha → 0 on the genes axis, and mostly an error on the
        perturbations axis, where the equations are then singular.
    gamma
        Strength of the smoothing.
    genes
        Spectrum of the Laplacian over genes; None for no smoothing over genes.
    perturbations
        Sparse Laplacian (P, P) over all levels; None for no smoothing over perturbations. A level without training
        cells then takes its coefficients from its neighbors: W_u = −(gamma L_uu + alpha I)⁻¹ gamma L_us W_s.

    Returns
    -------
    The model.
    """
    cells = checked_counts(n_cells, alpha, gamma)
    if gamma > 0 and perturbations is not None:
        if genes is not None:
            return over_both(means, cells, alpha, gamma, genes, perturbations, rows)
        return over_perturbations(means, cells, alpha, gamma, perturbations, rows)
    if gamma > 0 and genes is not None:
        # in the eigenbasis the genes are apart again, each with a penalty of its own
        return shrunk(means, cells, alpha + gamma * genes.values, rows, genes)
    return shrunk(means, cells, np.array([float(alpha)]), rows)


@dataclass(frozen=True)
class LowRank:
    """The low rank part of the training means: their mean (G,), scores of the trained levels (T, r), loadings (G, r)."""

    center: FloatArray
    scores: FloatArray
    loadings: FloatArray


def low_rank_part(means: FloatArray, trained: BoolArray, rank: int, products: FloatArray | None = None) -> LowRank:
    """Approximate the means of the trained levels (P,) about their mean by some rank.

    ``products`` (T, T) are those of the trained levels about any one point, if they are known already.
    """
    of_trained = means[trained]
    center: FloatArray = of_trained.mean(axis=0)
    of_trained -= center
    return LowRank(center, *low_rank(of_trained, rank, None if products is None else centered_products(products)))


def two_stage(
    means: FloatArray,
    n_cells: Counts,
    *,
    n_components: int,
    alpha: float,
    gamma: float,
    genes: Spectrum | None = None,
    perturbations: csr_array | None = None,
    rows: Rows = ALL,
    first: LowRank | None = None,
) -> Linear:
    """Low rank part of the training means, then GRN-Linear on what it leaves.

    Parameters
    ----------
    means
        Mean of each level (P, G); ignored where `n_cells` is 0.
    n_cells
        Training cells of each level (P,).
    n_components
        Rank of the first stage; a rank above that of the means leaves nothing to the second stage.
    alpha
        Penalty of the second stage, and of the extension of the first to levels without training cells.
    gamma
        Strength of the smoothing.
    genes
        As for :func:`grn`.
    perturbations
        As for :func:`grn`. Without it the low rank part of a level without training cells is zero.
    rows
        Levels to predict.
    first
        The low rank part, if it is known already.

    Returns
    -------
    The model: `intercept` is the mean of the training means plus the intercept of the second stage, `coef` the whole
    part that is specific to a level.
    """
    cells = checked_counts(n_cells, alpha, gamma)
    if n_components < 1:
        msg = f"`n_components` is {n_components}; it must be at least 1"
        raise ValueError(msg)
    trained = cells > 0
    if first is None:
        first = low_rank_part(means, trained, n_components)
    levels = np.zeros((cells.size, first.scores.shape[1]))
    levels[trained] = first.scores
    rest = means - first.center
    for some in in_parts(np.flatnonzero(trained)):
        rest[some] -= levels[some] @ first.loadings.T
    if perturbations is not None:
        levels = harmonic_extension(perturbations, trained, levels, alpha=alpha, gamma=gamma)
    second = grn(rest, cells, alpha=alpha, gamma=gamma, genes=genes, perturbations=perturbations, rows=rows)
    # Low rank part of the levels to predict (R, G)
    coef = levels[rows] @ first.loadings.T
    coef += second.coef
    return assembled(first.center + second.intercept, coef)

"""Closed forms of ridge, GRN-Linear and the two-stage model, from group means and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.sparse import csr_array
from scipy.sparse.linalg import ArpackError, eigsh

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.graph import Spectrum

Counts = FloatArray | IntArray


_LARGE = 200  # from this size on, a few leading eigenvectors are found faster by Lanczos than by a full solver
_SINGULAR = "`alpha` is too small: without a penalty the equations have no unique solution. Use alpha > 0, such as 0.1"


@dataclass(frozen=True)
class Linear:
    """A fitted linear model: `fitted` = `intercept` + `coef`, one row for each perturbation level."""

    intercept: FloatArray
    coef: FloatArray
    fitted: FloatArray


def ridge(
    means: FloatArray,
    n_cells: Counts,
    reference: int,
    *,
    alpha: float,
    coding: Literal["one_hot", "reference"],
    weights: Literal["cells", "perturbations"],
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

    Returns
    -------
    The model; levels without training cells have zero coefficients.
    """
    means, cells = _prepare(means, n_cells, alpha, 0.0)
    if weights == "perturbations":
        cells = (cells > 0).astype(np.float64)
    penalty = np.full(means.shape[1], float(alpha))
    if coding == "one_hot":
        return _assemble(*_shrink(means, cells, penalty))
    shrinkage = _shrinkage(cells, penalty)
    shrinkage[reference] = 0.0
    # without control cells alpha cancels; dropping it keeps the limit alpha = 0 defined
    scale = alpha if cells[reference] > 0 else 1.0
    weighted = cells[reference] * means[reference] + scale * (shrinkage * means).sum(axis=0)
    intercept = weighted / (cells[reference] + scale * shrinkage.sum(axis=0))
    return _assemble(intercept, shrinkage * (means - intercept))


def grn(
    means: FloatArray,
    n_cells: Counts,
    *,
    alpha: float,
    gamma: float,
    genes: Spectrum | None = None,
    perturbations: csr_array | None = None,
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
    means, cells = _prepare(means, n_cells, alpha, gamma)
    if gamma > 0 and perturbations is not None:
        return _over_perturbations(means, cells, alpha, gamma, genes, perturbations)
    if gamma > 0 and genes is not None:
        # in the eigenbasis the genes are apart again, each with a penalty of its own
        intercept, coef = _shrink(genes.forward(means), cells, alpha + gamma * genes.values)
        return _assemble(genes.back(intercept[None])[0], genes.back(coef))
    return _assemble(*_shrink(means, cells, np.full(means.shape[1], float(alpha))))


def two_stage(
    means: FloatArray,
    n_cells: Counts,
    *,
    n_components: int,
    alpha: float,
    gamma: float,
    genes: Spectrum | None = None,
    perturbations: csr_array | None = None,
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

    Returns
    -------
    The model: `intercept` is the mean of the training means plus the intercept of the second stage, `coef` the whole
    part that is specific to a level.
    """
    means, cells = _prepare(means, n_cells, alpha, gamma)
    if n_components < 1:
        msg = f"`n_components` is {n_components}; it must be at least 1"
        raise ValueError(msg)
    trained = cells > 0
    center = means[trained].mean(axis=0)
    scores, loadings = low_rank(means[trained] - center, n_components)
    levels = np.zeros((cells.size, scores.shape[1]))
    levels[trained] = scores
    if perturbations is not None:
        levels = harmonic_extension(perturbations, trained, levels, alpha=alpha, gamma=gamma)
    # Low rank part of all levels (P, G)
    low = levels @ loadings.T
    rest = grn(means - center - low, cells, alpha=alpha, gamma=gamma, genes=genes, perturbations=perturbations)
    return _assemble(center + rest.intercept, low + rest.coef)


def harmonic_extension(
    laplacian: csr_array, known: BoolArray, values: FloatArray, *, alpha: float, gamma: float
) -> FloatArray:
    """Rows of `values` (P, K) where `known`; elsewhere −(gamma L_uu + alpha I)⁻¹ gamma L_us values_s.

    With gamma = 0 nothing is extended: the unknown rows are zero.
    """
    result = np.where(known[:, None], values, 0.0)
    unknown = np.flatnonzero(~known)
    if gamma == 0 or unknown.size == 0:
        return result
    rows = csr_array(laplacian)[unknown]
    system = gamma * rows[:, unknown].toarray()
    system[np.diag_indices_from(system)] += alpha
    # (γ L_uu + αI)⁻¹ (−γ L_us values_s): `result` is zero where unknown, so the rows take the known ones only
    result[unknown] = solve_positive(system, -gamma * (rows @ result))
    return result


def low_rank(matrix: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """Best approximation of `matrix` (m, n) by rank r: scores (m, r) and loadings (n, r), scores @ loadings.T.

    Found from the smaller Gram matrix, many times faster than a full SVD; the product is a projection of `matrix`, so
    singular values lost in rounding do no harm. A rank above min(m, n) is cut to it.
    """
    if matrix.shape[0] > matrix.shape[1]:
        # Leading eigenvectors of XᵀX, the right singular vectors (n, r)
        loadings = _leading(matrix.T @ matrix, rank)
        return matrix @ loadings, loadings
    # Leading eigenvectors of XXᵀ, the left singular vectors U (m, r); XᵀU = V S
    left = _leading(matrix @ matrix.T, rank)
    loadings = matrix.T @ left
    size: FloatArray = np.linalg.norm(loadings, axis=0)
    return left * size, loadings / np.where(size > 0, size, 1.0)


def solve_positive(system: FloatArray, right: FloatArray) -> FloatArray:
    """Solve a symmetric positive definite system by Cholesky; one that is singular to rounding is an error."""
    diagonal = system.diagonal().copy()
    try:
        factor, lower = cho_factor(system, lower=True, check_finite=False)
        # pivots relative to the diagonal, so that levels with many and with few cells are judged alike
        singular = bool((factor.diagonal() ** 2 <= system.shape[0] * np.finfo(np.float64).eps * diagonal).any())
    except np.linalg.LinAlgError:
        singular = True
    if singular:
        raise ValueError(_SINGULAR)
    solution: FloatArray = cho_solve((factor, lower), right, check_finite=False)
    return solution


def _prepare(means: FloatArray, n_cells: Counts, alpha: float, gamma: float) -> tuple[FloatArray, FloatArray]:
    """Means (zero where there are no cells, row-major) and counts in float64."""
    for name, value in (("alpha", alpha), ("gamma", gamma)):
        if not value >= 0:
            msg = f"`{name}` is {value}; it must be 0 or more"
            raise ValueError(msg)
    cells = np.asarray(n_cells, dtype=np.float64)
    if not (cells > 0).any():
        msg = "`n_cells` has no group with training cells; at least one is needed"
        raise ValueError(msg)
    return np.ascontiguousarray(np.where((cells > 0)[:, None], means, 0.0), dtype=np.float64), cells


def _shrinkage(cells: FloatArray, penalty: FloatArray) -> FloatArray:
    """Return what the penalty leaves, n / (n + penalty), of each level's deviation (P, G); 0 without cells."""
    shrinkage = np.zeros((cells.size, penalty.size))
    trained = cells > 0
    shrinkage[trained] = cells[trained, None] / (cells[trained, None] + penalty)
    return shrinkage


def _shrink(means: FloatArray, cells: FloatArray, penalty: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Intercept and coefficients of one-hot ridge, each column with a penalty of its own (G,).

    A column's result depends on that column alone, bit by bit: no matrix product, no sum along genes. (Only a table of
    a single column differs in the last digits, because numpy sums that pairwise.)
    """
    shrinkage = _shrinkage(cells, penalty)
    intercept: FloatArray = (shrinkage * means).sum(axis=0) / shrinkage.sum(axis=0)
    return intercept, shrinkage * (means - intercept)


def _over_perturbations(
    means: FloatArray, cells: FloatArray, alpha: float, gamma: float, genes: Spectrum | None, graph: csr_array
) -> Linear:
    """Smoothing over perturbations, one Cholesky; over genes too, two eigendecompositions (Sylvester)."""
    total = cells.sum()
    # Mean of all training cells (G,)
    center: FloatArray = cells @ means / total
    right = cells[:, None] * (means - center)
    # dense over perturbations: the intercept, once eliminated, couples all trained levels
    system = gamma * csr_array(graph).toarray()
    system[np.diag_indices_from(system)] += alpha + cells
    system -= np.outer(cells, cells / total)
    if genes is None:
        coef = solve_positive(system, right)
    else:
        values, vectors = np.linalg.eigh(system)
        penalty = values[:, None] + gamma * genes.values
        if penalty.min() <= cells.size * np.finfo(np.float64).eps * penalty.max():
            raise ValueError(_SINGULAR)
        # U ((Uᵀ R Q) / (λ_i + γ μ_j)) Qᵀ, U and λ of the system, Q and μ of the genes' graph
        coef = genes.back(vectors @ ((vectors.T @ genes.forward(right)) / penalty))
    return _assemble(center - cells @ coef / total, coef)


def _leading(gram: FloatArray, rank: int) -> FloatArray:
    size = gram.shape[0]
    if size >= _LARGE and 4 * rank < size and gram.any():
        start = np.random.default_rng(0).standard_normal(size)  # fixed, and not orthogonal to what is sought
        try:
            _, vectors = eigsh(gram, k=rank, which="LA", v0=start, tol=0)
        except ArpackError:
            pass
        else:
            return np.ascontiguousarray(vectors[:, ::-1])
    _, vectors = eigh(gram, subset_by_index=(max(size - rank, 0), size - 1))
    leading: FloatArray = vectors[:, ::-1]
    return leading


def _assemble(intercept: FloatArray, coef: FloatArray) -> Linear:
    return Linear(intercept=intercept, coef=coef, fitted=intercept + coef)

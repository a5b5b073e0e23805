"""Coefficients that are smooth over a graph of perturbations, which takes a system of equations for each component."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.graph import Spectrum
from scpertbias._core.linear import Linear, Rows, assembled, of_trained_levels, weighted_sum

_SINGULAR = "`alpha` is too small: without a penalty the equations have no unique solution. Use alpha > 0, such as 0.1"


def over_perturbations(
    means: FloatArray, cells: FloatArray, alpha: float, gamma: float, graph: csr_array, rows: Rows
) -> Linear:
    """Smoothing over perturbations: one Cholesky for each connected component, which the intercept alone couples.

    With N the cells on the diagonal and S = N + alpha I + gamma L, W = S⁻¹ N (x − b), and b is the mean of x with weights
    N S⁻¹ (alpha + gamma L) 1.
    """
    graph = csr_array(graph)
    label = connected_components(graph, directed=False)[1]
    components = [np.flatnonzero(label == one) for one in np.flatnonzero(np.bincount(label) > 1)]
    isolated, diagonal = np.bincount(label)[label] == 1, cells + alpha
    if (diagonal[isolated] == 0).any():
        raise ValueError(_SINGULAR)

    def solve(nodes: IntArray, right: FloatArray) -> FloatArray:
        system = gamma * graph[nodes][:, nodes].toarray()
        system[np.diag_indices_from(system)] += diagonal[nodes]
        return solve_positive(system, right)

    weights = alpha + gamma * np.asarray(graph.sum(axis=1), dtype=np.float64).ravel()
    weights[isolated] *= cells[isolated] / diagonal[isolated]
    for nodes in components:
        weights[nodes] = cells[nodes] * solve(nodes, weights[nodes])
    if weights.sum() <= cells.size * np.finfo(np.float64).eps * cells.sum():
        raise ValueError(_SINGULAR)
    intercept = weighted_sum(weights, means) / weights.sum()
    left = np.divide(cells, diagonal, out=np.zeros_like(cells), where=isolated)
    alone = of_trained_levels(means, np.where(isolated, cells, 0.0), intercept, lambda some: left[some, None], rows)
    codes = np.arange(cells.size)[rows]
    for nodes in components:
        at, trained = np.flatnonzero(np.isin(codes, nodes)), cells[nodes] > 0
        if len(at):
            units = np.zeros((len(nodes), len(at)))
            units[np.searchsorted(nodes, codes[at]), np.arange(len(at))] = 1.0
            known = nodes[trained]
            # Rows of S⁻¹ N times x − b (R, G): S is symmetric
            alone.coef[at] = (solve(nodes, units)[trained].T * cells[known]) @ (means[known] - intercept)
    return assembled(intercept, alone.coef)


def over_both(
    means: FloatArray,
    cells: FloatArray,
    alpha: float,
    gamma: float,
    genes: Spectrum,
    graph: csr_array,
    rows: Rows,
) -> Linear:
    """Smoothing over perturbations and genes, two eigendecompositions (Sylvester)."""
    means = np.where((cells > 0)[:, None], means, 0.0)
    total = cells.sum()
    # Mean of all training cells (G,)
    center: FloatArray = cells @ means / total
    right = cells[:, None] * (means - center)
    # dense over perturbations: the intercept, once eliminated, couples all trained levels
    system = gamma * csr_array(graph).toarray()
    system[np.diag_indices_from(system)] += alpha + cells
    system -= np.outer(cells, cells / total)
    values, vectors = np.linalg.eigh(system)
    penalty = values[:, None] + gamma * genes.values
    if penalty.min() <= cells.size * np.finfo(np.float64).eps * penalty.max():
        raise ValueError(_SINGULAR)
    # U ((Uᵀ R Q) / (λ_i + γ μ_j)) Qᵀ, U and λ of the system, Q and μ of the genes' graph
    coef = genes.back(vectors @ ((vectors.T @ genes.forward(right)) / penalty))
    return assembled(center - cells @ coef / total, coef[rows])


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

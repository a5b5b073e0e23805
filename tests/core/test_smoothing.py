"""Smoothing over perturbations against the equations of all of them at once."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from scpertbias._core.graph import adjacency, laplacian
from scpertbias._core.smoothing import harmonic_extension, over_perturbations

ALL = slice(None)


@pytest.mark.parametrize("gamma", [0.5, 1.0])
@pytest.mark.parametrize("unknown", [[4], [1, 4]])
def test_one_unknown_level_is_extended_too(gamma, unknown):
    rng = np.random.default_rng(23)
    ring, values = np.arange(6), rng.normal(size=(6, 2))
    graph = laplacian(adjacency(ring, (ring + 1) % 6, np.ones(6), 6), normalized=False)
    known = ~np.isin(np.arange(6), unknown)
    found = harmonic_extension(graph, known, values, alpha=0.1, gamma=gamma)
    full = gamma * graph.toarray()
    system = full[np.ix_(unknown, unknown)] + 0.1 * np.eye(len(unknown))
    np.testing.assert_allclose(found[unknown], np.linalg.solve(system, -full[np.ix_(unknown, known)] @ values[known]))
    np.testing.assert_array_equal(found[known], values[known])


@pytest.mark.parametrize("normalized", [True, False])
def test_components_and_isolated_levels_are_one_system(normalized):
    """The gradient by all coefficients and the intercept is zero, whatever the graph joins."""
    rng = np.random.default_rng(27)
    cells = np.array([30, 4, 0, 12, 1, 0, 7, 0, 9, 20.0])
    means = np.where(cells[:, None] > 0, 2 + rng.normal(size=(10, 3)), np.nan)
    source, target = np.array([0, 1, 3, 4, 3]), np.array([1, 2, 4, 5, 5])  # 6 to 9 are isolated
    graph = laplacian(adjacency(source, target, rng.uniform(0.5, 2, 5), 10), normalized=normalized)
    result = over_perturbations(means, cells, 0.3, 0.8, graph, ALL)
    residual = cells[:, None] * (np.nan_to_num(means) - result.fitted)
    np.testing.assert_allclose(residual.sum(axis=0), 0, atol=1e-11)
    np.testing.assert_allclose(residual, 0.3 * result.coef + 0.8 * (graph @ result.coef), atol=1e-11)
    assert not result.coef[7].any()


def test_an_isolated_level_without_cells_needs_a_penalty():
    with pytest.raises(ValueError, match="`alpha` is too small"):
        over_perturbations(np.ones((3, 2)), np.array([2.0, 3.0, 0.0]), 0.0, 1.0, csr_array((3, 3)), ALL)

"""Laplacians against dense constructions, spectra against dense eigendecompositions."""

import numpy as np
import pytest
from scipy.sparse import block_diag, csr_array

from scpertbias._core.graph import adjacency, laplacian, spectrum


def _net(rng, n, linked, n_edges):
    """Random edges among the first `linked` of `n` nodes."""
    source, target = rng.integers(0, linked, n_edges), rng.integers(0, linked, n_edges)
    return source, target, rng.normal(size=n_edges)


def _brute_adjacency(source, target, weight, n):
    dense = np.zeros((n, n))
    for i, j, w in zip(source, target, weight, strict=True):
        if i != j:
            dense[i, j] = dense[j, i] = max(dense[i, j], abs(w))
    return dense


def test_adjacency_takes_the_largest_weight_of_both_directions():
    source = np.array([0, 1, 0, 2, 3, 1])
    target = np.array([1, 0, 1, 2, 1, 4])
    weight = np.array([0.5, -2.0, 1.0, 9.0, 0.25, 0.0])
    result = adjacency(source, target, weight, 6)
    expected = np.zeros((6, 6))
    expected[0, 1] = expected[1, 0] = 2.0
    expected[1, 3] = expected[3, 1] = 0.25
    assert isinstance(result, csr_array)
    assert result.nnz == 4
    np.testing.assert_array_equal(result.toarray(), expected)


def test_adjacency_matches_brute_force_and_may_be_empty():
    rng = np.random.default_rng(0)
    net = _net(rng, 30, 20, 200)
    np.testing.assert_array_equal(adjacency(*net, 30).toarray(), _brute_adjacency(*net, 30))
    empty = adjacency(np.array([], dtype=int), np.array([], dtype=int), np.array([]), 3)
    assert empty.shape == (3, 3)
    assert empty.nnz == 0


@pytest.mark.parametrize("normalized", [True, False])
def test_laplacian_matches_its_definition(normalized):
    rng = np.random.default_rng(1)
    net = _net(rng, 25, 18, 40)
    dense = _brute_adjacency(*net, 25)
    degree = dense.sum(axis=1)
    expected = np.diag(degree) - dense
    if normalized:
        expected = np.zeros((25, 25))
        for i in np.flatnonzero(degree):
            for j in np.flatnonzero(degree):
                expected[i, j] = (i == j) - dense[i, j] / np.sqrt(degree[i] * degree[j])
    result = laplacian(adjacency(*net, 25), normalized=normalized)
    np.testing.assert_allclose(result.toarray(), expected, atol=1e-14)
    np.testing.assert_array_equal(result.toarray(), result.toarray().T)
    isolated = np.flatnonzero(degree == 0)
    assert isolated.size >= 7
    assert result[isolated].nnz == 0
    assert np.linalg.eigvalsh(result.toarray()).min() > -1e-12


@pytest.mark.parametrize("normalized", [True, False])
def test_spectrum_diagonalizes_components_of_several_sizes(normalized):
    rng = np.random.default_rng(2)
    # three pairs, two triangles, one random component, isolated nodes; shuffled, so that no component is contiguous
    pair, triangle = np.array([[0, 2.0], [2.0, 0]]), np.ones((3, 3)) - np.eye(3)
    dense = np.asarray(block_diag([pair, triangle, _brute_adjacency(*_net(rng, 9, 9, 40), 9), pair]).todense())
    dense = np.pad(dense, (0, 4))
    order = rng.permutation(dense.shape[0])
    dense = dense[np.ix_(order, order)]
    graph = laplacian(csr_array(dense), normalized=normalized)
    result = spectrum(graph)
    n = dense.shape[0]
    basis = result.forward(np.eye(n))
    np.testing.assert_allclose(basis.T @ basis, np.eye(n), atol=1e-13)
    np.testing.assert_allclose(basis @ np.diag(result.values) @ basis.T, graph.toarray(), atol=1e-12)
    np.testing.assert_allclose(np.sort(result.values), np.linalg.eigvalsh(graph.toarray()), atol=1e-12)
    assert result.values.min() >= 0
    x = rng.normal(size=(5, n))
    np.testing.assert_allclose(result.forward(x), x @ basis, atol=1e-13)
    np.testing.assert_allclose(result.back(x), x @ basis.T, atol=1e-13)
    assert sum(nodes.shape[0] for nodes, _ in result.blocks) == 4


def test_spectrum_leaves_isolated_nodes_untouched_bit_by_bit():
    rng = np.random.default_rng(3)
    net = _net(rng, 40, 25, 60)
    isolated = np.flatnonzero(_brute_adjacency(*net, 40).sum(axis=1) == 0)
    result = spectrum(laplacian(adjacency(*net, 40), normalized=True))
    x = np.asfortranarray(rng.normal(size=(7, 40)))
    before = x.copy()
    assert (result.values[isolated] == 0.0).all()
    np.testing.assert_array_equal(result.forward(x)[:, isolated], x[:, isolated])
    np.testing.assert_array_equal(result.back(x)[:, isolated], x[:, isolated])
    np.testing.assert_array_equal(x, before)


def test_spectrum_of_many_small_components_holds_no_dense_matrix():
    rng = np.random.default_rng(4)
    n = 8_000
    source = rng.permutation(n)[: n - 2].reshape(-1, 3)
    edges = np.vstack([source[:, :2], source[:, 1:]])
    result = spectrum(laplacian(adjacency(edges[:, 0], edges[:, 1], np.ones(len(edges)), n), normalized=False))
    assert max(vectors.size for _, vectors in result.blocks) == (n - 2) * 3
    # a path of three nodes has the eigenvalues 0, 1 and 3
    np.testing.assert_allclose(np.unique(result.values.round(10)), [0, 1, 3])
    x = rng.normal(size=(2, n))
    np.testing.assert_allclose(result.back(result.forward(x)), x, atol=1e-13)


def test_spectrum_without_edges():
    result = spectrum(csr_array((5, 5)))
    np.testing.assert_array_equal(result.values, np.zeros(5))
    assert result.blocks == ()

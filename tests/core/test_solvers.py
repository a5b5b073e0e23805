"""Closed forms against sklearn on dense cells and against dense normal equations of the written-out objective."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge

from scpertbias._core.graph import adjacency, laplacian, spectrum
from scpertbias._core.smoothing import harmonic_extension, solve_positive
from scpertbias._core.solvers import grn, ridge, two_stage

AXES = ["genes", "perturbations", "both"]


def _screen(rng, n_levels=8, n_genes=7, untrained=(2, 5, 7), largest=9):
    """Cells, their levels, and the means and counts of all levels; untrained levels have NaN means."""
    trained = np.setdiff1d(np.arange(n_levels), untrained)
    counts = np.zeros(n_levels, dtype=np.int64)
    counts[trained] = rng.integers(1, largest, trained.size)
    label = rng.permutation(np.repeat(np.arange(n_levels), counts))
    cells = rng.normal(size=(label.size, n_genes)) + rng.normal(size=(n_levels, n_genes))[label] + 3
    means = np.full((n_levels, n_genes), np.nan)
    for level in trained:
        means[level] = cells[label == level].mean(axis=0)
    return cells, label, means, counts


def _graph(rng, n, linked, n_edges, normalized):
    """Laplacian of random edges among the first `linked` nodes and of one more pair: isolated nodes, two components."""
    source = np.append(rng.integers(0, linked, n_edges), linked)
    target = np.append(rng.integers(0, linked, n_edges), linked + 1)
    return laplacian(adjacency(source, target, rng.uniform(0.2, 2, n_edges + 1), n), normalized=normalized)


def _graphs(rng, axis, n_levels, n_genes, normalized):
    genes = _graph(rng, n_genes, n_genes - 3, 2 * n_genes, normalized) if axis != "perturbations" else None
    levels = _graph(rng, n_levels, n_levels - 3, 2 * n_levels, normalized) if axis != "genes" else None
    return genes, levels


def _arguments(genes, levels):
    return {"genes": None if genes is None else spectrum(genes), "perturbations": levels}


def _brute_force(cells, label, n_levels, alpha, gamma, genes, levels):
    """Intercept and W from the normal equations of all entries of (W, b) at once, one residual a cell and gene."""
    n_genes = cells.shape[1]
    design = np.hstack([np.eye(n_levels)[label], np.ones((label.size, 1))])
    left = np.kron(design, np.eye(n_genes))
    penalty = alpha * np.eye(n_levels * n_genes)
    if genes is not None:
        penalty += gamma * np.kron(np.eye(n_levels), genes.toarray())
    if levels is not None:
        penalty += gamma * np.kron(levels.toarray(), np.eye(n_genes))
    system = left.T @ left
    system[: n_levels * n_genes, : n_levels * n_genes] += penalty
    solution = np.linalg.solve(system, left.T @ cells.ravel()).reshape(n_levels + 1, n_genes)
    return solution[-1], solution[:-1]


@pytest.mark.parametrize("alpha", [0.1, 7.0])
@pytest.mark.parametrize("weights", ["cells", "perturbations"])
@pytest.mark.parametrize("coding", ["one_hot", "reference"])
def test_ridge_matches_sklearn_on_dense_cells(coding, weights, alpha):
    cells, label, means, counts = _screen(np.random.default_rng(0))
    reference = 1
    if weights == "perturbations":
        label = np.flatnonzero(counts)
        cells = means[label]
    codes = np.eye(counts.size)
    if coding == "reference":
        codes[reference] = 0
    expected = Ridge(alpha=alpha, solver="cholesky").fit(codes[label], cells)
    result = ridge(means, counts, reference, alpha=alpha, coding=coding, weights=weights)
    np.testing.assert_allclose(result.intercept, expected.intercept_, atol=1e-10)
    np.testing.assert_allclose(result.coef, expected.coef_.T, atol=1e-10)
    np.testing.assert_allclose(result.fitted, expected.predict(codes), atol=1e-10)
    assert (result.coef[counts == 0] == 0).all()


def test_ridge_without_penalty_is_the_limit():
    _, _, means, counts = _screen(np.random.default_rng(1))
    trained = counts > 0
    one_hot = ridge(means, counts, 0, alpha=0, coding="one_hot", weights="cells")
    np.testing.assert_allclose(one_hot.intercept, means[trained].mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(one_hot.fitted[trained], means[trained], rtol=1e-13)
    near = ridge(means, counts, 0, alpha=1e-9, coding="one_hot", weights="cells")
    np.testing.assert_allclose(one_hot.intercept, near.intercept, rtol=1e-8)
    reference = ridge(means, counts, 0, alpha=0, coding="reference", weights="cells")
    np.testing.assert_allclose(reference.intercept, means[0], rtol=1e-13)
    np.testing.assert_allclose(reference.fitted[trained], means[trained], rtol=1e-13)


def test_reference_coding_without_control_cells_is_one_hot_of_the_rest():
    _, _, means, counts = _screen(np.random.default_rng(2))
    for alpha in (0.0, 0.5):
        bare = ridge(means, counts, 2, alpha=alpha, coding="reference", weights="cells")
        full = ridge(means, counts, 2, alpha=alpha, coding="one_hot", weights="cells")
        np.testing.assert_allclose(bare.fitted, full.fitted, rtol=1e-13)


@pytest.mark.parametrize("coding", ["one_hot", "reference"])
def test_leaving_genes_out_of_ridge_afterwards_is_retraining_without_them(coding):
    rng = np.random.default_rng(3)
    _, _, means, counts = _screen(rng, 60, 90, untrained=(4, 9), largest=200)
    kept = np.sort(rng.choice(90, 41, replace=False))
    full = ridge(means, counts, 0, alpha=0.1, coding=coding, weights="cells")
    alone = ridge(means[:, kept], counts, 0, alpha=0.1, coding=coding, weights="cells")
    np.testing.assert_array_equal(full.fitted[:, kept], alone.fitted)
    np.testing.assert_array_equal(full.coef[:, kept], alone.coef)


def test_leaving_genes_out_of_genes_axis_grn_is_not_retraining():
    rng = np.random.default_rng(4)
    _, _, means, counts = _screen(rng, 10, 30)
    graph = _graph(rng, 30, 27, 90, normalized=True)
    kept = np.arange(0, 30, 2)
    full = grn(means, counts, alpha=0.1, gamma=1.0, genes=spectrum(graph))
    smaller = adjacency(*graph[kept][:, kept].nonzero(), np.ones(graph[kept][:, kept].nnz), kept.size)
    alone = grn(means[:, kept], counts, alpha=0.1, gamma=1.0, genes=spectrum(laplacian(smaller, normalized=True)))
    assert np.abs(full.fitted[:, kept] - alone.fitted).max() > 0.01


@pytest.mark.parametrize("gamma", [0.3, 40.0])
@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("axis", AXES)
def test_grn_matches_the_dense_solution_of_the_cell_level_objective(axis, normalized, gamma):
    rng = np.random.default_rng(5)
    cells, label, means, counts = _screen(rng)
    genes, levels = _graphs(rng, axis, *means.shape, normalized)
    for alpha in (0.1, 2.0):
        result = grn(means, counts, alpha=alpha, gamma=gamma, **_arguments(genes, levels))
        intercept, coef = _brute_force(cells, label, counts.size, alpha, gamma, genes, levels)
        np.testing.assert_allclose(result.intercept, intercept, atol=1e-9)
        np.testing.assert_allclose(result.coef, coef, atol=1e-9)
        np.testing.assert_allclose(result.fitted, intercept + coef, atol=1e-9)


@pytest.mark.parametrize("axis", AXES)
def test_gradient_at_the_solution_is_zero_at_a_larger_size(axis):
    rng = np.random.default_rng(6)
    cells, label, means, counts = _screen(rng, 40, 60, untrained=(3, 11, 30, 38, 39), largest=30)
    genes, levels = _graphs(rng, axis, 40, 60, normalized=True)
    alpha, gamma = 0.1, 3.0
    result = grn(means, counts, alpha=alpha, gamma=gamma, **_arguments(genes, levels))
    residual = cells - result.fitted[label]
    gradient = np.eye(40)[label].T @ residual - alpha * result.coef
    if genes is not None:
        gradient -= gamma * result.coef @ genes.toarray()
    if levels is not None:
        gradient -= gamma * levels.toarray() @ result.coef
    assert np.abs(gradient).max() < 1e-9
    assert np.abs(residual.sum(axis=0)).max() < 1e-9
    assert np.abs(result.coef).max() > 0.1


def test_an_isolated_gene_is_plain_ridge_bit_by_bit():
    rng = np.random.default_rng(7)
    _, _, means, counts = _screen(rng, 60, 90, untrained=(4, 9), largest=200)
    graph = _graph(rng, 90, 70, 200, normalized=True)
    isolated = np.flatnonzero(graph.diagonal() == 0)
    assert isolated.size >= 18
    plain = ridge(means, counts, 0, alpha=0.1, coding="one_hot", weights="cells")
    smooth = grn(means, counts, alpha=0.1, gamma=5.0, genes=spectrum(graph))
    np.testing.assert_array_equal(smooth.fitted[:, isolated], plain.fitted[:, isolated])
    np.testing.assert_array_equal(smooth.coef[:, isolated], plain.coef[:, isolated])
    assert np.abs(smooth.fitted - plain.fitted).max() > 0.01


@pytest.mark.parametrize("axis", AXES)
def test_grn_without_smoothing_is_ridge(axis):
    rng = np.random.default_rng(8)
    _, _, means, counts = _screen(rng)
    arguments = _arguments(*_graphs(rng, axis, *means.shape, normalized=False))
    plain = ridge(means, counts, 0, alpha=0.4, coding="one_hot", weights="cells")
    none = grn(means, counts, alpha=0.4, gamma=0, **arguments)
    np.testing.assert_array_equal(none.fitted, plain.fitted)
    tiny = grn(means, counts, alpha=0.4, gamma=1e-13, **arguments)
    np.testing.assert_allclose(tiny.fitted, plain.fitted, rtol=1e-10)


def test_strong_smoothing_makes_linked_genes_alike():
    rng = np.random.default_rng(9)
    _, _, means, counts = _screen(rng, 8, 4)
    pair = laplacian(adjacency(np.array([0]), np.array([2]), np.array([1.0]), 4), normalized=False)
    result = grn(means, counts, alpha=0.1, gamma=1e9, genes=spectrum(pair))
    np.testing.assert_allclose(result.coef[:, 0], result.coef[:, 2], atol=1e-6)
    assert np.abs(result.coef[:, 0] - result.coef[:, 1]).max() > 0.1


def test_untrained_levels_are_the_harmonic_extension_of_the_trained():
    rng = np.random.default_rng(10)
    _, _, means, counts = _screen(rng, 30, 6, untrained=(0, 4, 8, 20, 29))
    graph = _graph(rng, 30, 27, 40, normalized=True)
    alpha, gamma = 0.1, 1.5
    result = grn(means, counts, alpha=alpha, gamma=gamma, perturbations=graph)
    unseen, seen = np.flatnonzero(counts == 0), np.flatnonzero(counts)
    dense = graph.toarray()
    inner = gamma * dense[np.ix_(unseen, unseen)] + alpha * np.eye(unseen.size)
    expected = -np.linalg.inv(inner) @ (gamma * dense[np.ix_(unseen, seen)]) @ result.coef[seen]
    np.testing.assert_allclose(result.coef[unseen], expected, atol=1e-12)
    assert np.abs(result.coef[unseen[0]]).max() > 1e-3
    assert (result.coef[29] == 0).all()
    extended = harmonic_extension(graph, counts > 0, result.coef, alpha=alpha, gamma=gamma)
    np.testing.assert_allclose(extended, result.coef, atol=1e-12)
    assert (harmonic_extension(graph, counts > 0, result.coef, alpha=0, gamma=0)[unseen] == 0).all()


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("n_components", [1, 3, 50])
def test_two_stage_matches_its_explicit_construction(axis, n_components):
    rng = np.random.default_rng(11)
    cells, label, means, counts = _screen(rng, 10, 7)
    genes, levels = _graphs(rng, axis, 10, 7, normalized=True)
    alpha, gamma = 0.2, 0.7
    seen, unseen = np.flatnonzero(counts), np.flatnonzero(counts == 0)
    center = means[seen].mean(axis=0)
    left, size, right = np.linalg.svd(means[seen] - center, full_matrices=False)
    size[n_components:] = 0
    low = np.zeros((10, 7))
    low[seen] = left * size @ right
    if levels is not None:
        dense = levels.toarray()
        inner = gamma * dense[np.ix_(unseen, unseen)] + alpha * np.eye(unseen.size)
        low[unseen] = -np.linalg.solve(inner, gamma * dense[np.ix_(unseen, seen)] @ low[seen])
    intercept, coef = _brute_force(cells - center - low[label], label, 10, alpha, gamma, genes, levels)
    result = two_stage(means, counts, n_components=n_components, alpha=alpha, gamma=gamma, **_arguments(genes, levels))
    np.testing.assert_allclose(result.intercept, center + intercept, atol=1e-9)
    np.testing.assert_allclose(result.coef, low + coef, atol=1e-9)
    np.testing.assert_allclose(result.fitted, center + low + intercept + coef, atol=1e-9)
    if axis == "genes":
        assert np.ptp(result.fitted[unseen], axis=0).max() == 0


def test_order_of_memory_does_not_matter():
    _, _, means, counts = _screen(np.random.default_rng(13), 40, 30, largest=100)
    plain = ridge(means, counts, 0, alpha=0.1, coding="one_hot", weights="cells")
    turned = ridge(np.asfortranarray(means), counts, 0, alpha=0.1, coding="one_hot", weights="cells")
    np.testing.assert_array_equal(plain.fitted, turned.fitted)


def test_meaningless_input_is_an_error():
    rng = np.random.default_rng(14)
    _, _, means, counts = _screen(rng)
    graph = _graph(rng, 8, 5, 12, normalized=False)
    with pytest.raises(ValueError, match="`alpha` is -1.*; it must be 0 or more"):
        ridge(means, counts, 0, alpha=-1, coding="one_hot", weights="cells")
    with pytest.raises(ValueError, match="`gamma` is -2.*; it must be 0 or more"):
        grn(means, counts, alpha=0.1, gamma=-2)
    with pytest.raises(ValueError, match="no group with training cells"):
        grn(means, np.zeros_like(counts), alpha=0.1, gamma=1)
    with pytest.raises(ValueError, match="`n_components` is 0; it must be at least 1"):
        two_stage(means, counts, n_components=0, alpha=0.1, gamma=1)
    with pytest.raises(ValueError, match="`alpha` is too small"):
        grn(means, counts, alpha=0, gamma=1, perturbations=graph)
    with pytest.raises(ValueError, match="`alpha` is too small"):
        grn(means, counts, alpha=0, gamma=1, perturbations=graph, genes=spectrum(csr_array((7, 7))))
    with pytest.raises(ValueError, match="`alpha` is too small"):
        solve_positive(np.ones((3, 3)), np.ones(3))
    nearly = np.ones((2, 2))
    nearly[1, 1] += np.finfo(float).eps
    with pytest.raises(ValueError, match="`alpha` is too small"):
        solve_positive(nearly, np.ones(2))
    np.testing.assert_allclose(solve_positive(np.diag([1e-12, 1e12]), np.ones(2)), [1e12, 1e-12])


def test_a_singular_all_trained_graph_is_noticed():
    rng = np.random.default_rng(15)
    _, _, means, counts = _screen(rng, 50, 5, untrained=(), largest=500)
    ring = np.arange(50)
    graph = laplacian(adjacency(ring, (ring + 1) % 50, np.ones(50), 50), normalized=False)
    with pytest.raises(ValueError, match="`alpha` is too small"):
        grn(means, counts, alpha=0, gamma=1, perturbations=graph)
    assert np.isfinite(grn(means, counts, alpha=1e-6, gamma=1, perturbations=graph).fitted).all()


# --- what mutation testing asked for ---


@pytest.mark.parametrize("weights", ["cells", "perturbations"])
@pytest.mark.parametrize("coding", ["one_hot", "reference"])
def test_one_cell_is_a_level_like_any_other(weights, coding):
    """A level of one cell counts, one without cells does not: the normal equations of every cell say how much."""
    rng = np.random.default_rng(21)
    counts, alpha = np.array([4, 1, 3, 0]), 0.7
    means = rng.normal(size=(4, 3))
    n = (counts > 0).astype(float) if weights == "perturbations" else counts.astype(float)
    levels = [1, 2] if coding == "reference" else [0, 1, 2]
    design = np.eye(4)[:, levels]
    system = np.block(
        [
            [design.T @ (n[:, None] * design) + alpha * np.eye(len(levels)), (design.T @ n)[:, None]],
            [(design.T @ n)[None], np.array([[n.sum()]])],
        ]
    )
    right = np.vstack([design.T @ (n[:, None] * means), (n @ means)[None]])
    solved = np.linalg.solve(system, right)
    found = ridge(means, counts, 0, alpha=alpha, coding=coding, weights=weights)
    np.testing.assert_allclose(found.intercept, solved[-1], atol=1e-12)
    np.testing.assert_allclose(found.coef[levels], solved[:-1], atol=1e-12)
    assert not found.coef[3].any()


def test_one_cell_has_its_place_in_the_low_rank():
    """With the full rank the first stage leaves nothing, not even of a level of one cell."""
    rng = np.random.default_rng(22)
    counts, means = np.array([40, 1, 30, 0, 12]), rng.normal(size=(5, 8))
    found = two_stage(means, counts, n_components=4, alpha=0.5, gamma=0.0)
    trained = counts > 0
    np.testing.assert_allclose(found.fitted[trained], means[trained], atol=1e-10)


def test_levels_of_one_cell_are_enough():
    found = ridge(np.array([[1.0], [3.0]]), np.array([1, 1]), 0, alpha=1.0, coding="one_hot", weights="cells")
    np.testing.assert_allclose(found.intercept, [2.0])


@pytest.mark.parametrize("seed", range(4))
def test_a_singular_graph_over_both_axes_is_noticed(seed):
    """Without a penalty nothing holds the level of the coefficients, however many cells there are."""
    rng = np.random.default_rng(seed)
    counts, means = rng.integers(100, 900, 50), rng.normal(size=(50, 6))
    ring = np.arange(50)
    graph = laplacian(adjacency(ring, (ring + 1) % 50, np.ones(50), 50), normalized=False)
    genes = spectrum(laplacian(adjacency(np.arange(5), np.arange(1, 6), np.ones(5), 6), normalized=True))
    with pytest.raises(ValueError, match="`alpha` is too small"):
        grn(means, counts, alpha=0, gamma=1e-3, genes=genes, perturbations=graph)
    assert np.isfinite(grn(means, counts, alpha=1e-5, gamma=1e-3, genes=genes, perturbations=graph).fitted).all()


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("model", ["ridge", "grn", "two_stage"])
def test_rows_asked_for_are_those_of_all(axis, model):
    rng = np.random.default_rng(25)
    _, _, means, counts = _screen(rng, 12, 9, untrained=(2, 5, 7, 11))
    graphs = _arguments(*_graphs(rng, axis, 12, 9, normalized=True))
    rows = np.array([5, 0, 3, 11, 9])
    fits = {
        "ridge": lambda rows: ridge(means, counts, 0, alpha=0.1, coding="reference", weights="cells", rows=rows),
        "grn": lambda rows: grn(means, counts, alpha=0.1, gamma=0.7, rows=rows, **graphs),
        "two_stage": lambda rows: two_stage(means, counts, n_components=2, alpha=0.1, gamma=0.7, rows=rows, **graphs),
    }
    every, some = fits[model](slice(None)), fits[model](rows)
    np.testing.assert_allclose(some.fitted, every.fitted[rows], atol=1e-13)
    np.testing.assert_allclose(some.coef, every.coef[rows], atol=1e-13)
    np.testing.assert_allclose(some.intercept, every.intercept, atol=1e-13)

import numpy as np
import pytest
from scipy import sparse

from scpertbias._core.coexpression import correlation, strongest

FORMS = [np.asarray, sparse.csr_array, sparse.csr_matrix, sparse.csc_array]


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    x = rng.poisson(1.0, (2500, 6)).astype(np.float32)
    x[:, 1] += x[:, 0]
    x[:, 4] = 0.7
    x[:, 5] = 0
    return x


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
def test_correlation(x, form):
    r = correlation(form(x))
    np.testing.assert_allclose(r[:4, :4], np.corrcoef(x[:, :4].astype(np.float64).T), atol=1e-10)
    assert not r[4:].any(), "a constant gene correlates with nothing, not with itself"
    assert not r[:, 4:].any()


@pytest.mark.parametrize("form", FORMS[:2], ids=lambda f: f.__name__)
def test_correlation_under_a_large_offset(form):
    y = np.random.default_rng(1).standard_normal((1000, 3))
    y[:, 1] += y[:, 0]
    r = correlation(form(1e4 + 1e-3 * y))
    np.testing.assert_allclose(r, np.corrcoef(y.T), atol=1e-6)


def test_integers_do_not_overflow():
    x = np.random.default_rng(0).integers(0, 255, (400, 3)).astype(np.uint8)
    expected = np.corrcoef(x.astype(float).T)
    np.testing.assert_allclose(correlation(sparse.csr_array(x)), expected, atol=1e-12)
    np.testing.assert_allclose(correlation(x), expected, atol=1e-12)


def edges(*args, **kwargs):
    source, target, weight = strongest(*args, **kwargs)
    return list(zip(source.tolist(), target.tolist(), weight.tolist(), strict=True))


def test_strongest_edges():
    r = np.array([[1, 0.9, -0.95, 0.1], [0.9, 1, 0.3, 0.2], [-0.95, 0.3, 1, 0.4], [0.1, 0.2, 0.4, 1]])
    before = r.copy()
    assert edges(r, threshold=0.25, n_top=2) == [
        (2, 0, 0.95),
        (1, 0, 0.9),
        (0, 1, 0.9),
        (2, 1, 0.3),
        (0, 2, 0.95),
        (3, 2, 0.4),
        (2, 3, 0.4),
    ]
    np.testing.assert_array_equal(r, before)


def test_the_threshold_is_exceeded_and_none_points_at_itself():
    r = np.full((3, 3), 0.5)
    np.fill_diagonal(r, 1.0)
    assert edges(r, threshold=0.5, n_top=5) == []
    assert all(source != target for source, target, _ in edges(r, threshold=0.4, n_top=5))
    assert len(edges(r, threshold=0.4, n_top=5)) == 6


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_genes_have_no_edge(n):
    assert edges(np.ones((n, n)), threshold=0.1, n_top=5) == []

"""Low rank parts against the singular value decomposition."""

import numpy as np
import pytest

from scpertbias._core.low_rank import centered_products, low_rank


@pytest.mark.parametrize("shape", [(6, 15), (15, 6), (8, 8)])
def test_low_rank_is_the_truncated_svd(shape):
    matrix = np.random.default_rng(12).normal(size=shape)
    left, size, right = np.linalg.svd(matrix, full_matrices=False)
    for rank in (1, 4, 30):
        scores, loadings = low_rank(matrix, rank)
        np.testing.assert_allclose(scores @ loadings.T, (left * size)[:, :rank] @ right[:rank], atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(scores, axis=0), size[:rank], atol=1e-12)
    scores, loadings = low_rank(np.zeros(shape), 2)
    np.testing.assert_array_equal(scores @ loadings.T, np.zeros(shape))


def test_low_rank_is_exact_where_singular_values_are_close():
    matrix = np.random.default_rng(24).normal(size=(260, 300))
    scores, loadings = low_rank(matrix, 9)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(scores @ loadings.T, (u[:, :9] * s[:9]) @ v[:9], atol=1e-9)


@pytest.mark.parametrize("shape", [(6, 15), (15, 6)])
def test_products_that_are_known_give_the_same(shape):
    matrix = np.random.default_rng(25).normal(size=shape)
    products = [low_rank(matrix, 3), low_rank(matrix, 3, matrix @ matrix.T)]
    np.testing.assert_allclose(*(scores @ loadings.T for scores, loadings in products), atol=1e-12)


def test_products_about_the_mean():
    matrix = np.random.default_rng(26).normal(size=(5, 8))
    about = matrix - matrix.mean(axis=0)
    np.testing.assert_allclose(centered_products(matrix @ matrix.T), about @ about.T, atol=1e-12)

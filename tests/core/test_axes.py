"""Directions in which perturbations differ most, and how alike two directions are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.axes import cosine, leading_axes


def test_cosine():
    assert cosine(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(np.sqrt(0.5))
    assert cosine(np.array([1.0, 0.0]), np.zeros(2)) == 0


NO_FOLD = np.empty(0, dtype=np.int64)


@pytest.mark.parametrize("n", [9, 250])  # few are solved at once, many by Lanczos
def test_leading_axes_are_singular_vectors(n):
    rng = np.random.default_rng(9)
    means = rng.standard_normal((n, 20)) * np.linspace(3, 1, 20)
    expected = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:3]
    of_folds, axes = leading_axes(means, NO_FOLD, 3)
    assert of_folds.shape == (0, 3, 20)
    assert_allclose(np.abs(axes @ expected.T), np.eye(3), atol=1e-9)
    assert (axes[np.arange(3), np.abs(axes).argmax(axis=1)] > 0).all()


def test_leading_axes_do_not_see_their_fold():
    rng = np.random.default_rng(10)
    means, fold = rng.standard_normal((20, 8)), np.arange(20) % 4
    axes = leading_axes(means, fold, 2)[0]
    changed = means + 100 * rng.standard_normal((20, 8)) * (fold == 1)[:, None]
    of_folds = leading_axes(changed, fold, 2)[0]
    assert_allclose(of_folds[1], axes[1])
    assert not np.allclose(of_folds[0], axes[0])


def test_directions_that_are_not_spanned_are_missing():
    axes = leading_axes(np.eye(3)[[0, 1, 1]], NO_FOLD, 3)[1]
    assert np.isfinite(axes[0]).all()
    assert np.isnan(axes[1:]).all()
    assert np.isnan(leading_axes(np.ones((1, 4)), np.zeros(1, dtype=int), 2)[0]).all()

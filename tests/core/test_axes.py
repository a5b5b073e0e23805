"""Directions in which perturbations differ most, and how alike two directions are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.axes import cosine, leading_axes, top_directions


def test_cosine():
    assert cosine(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(np.sqrt(0.5))
    assert cosine(np.array([1.0, 0.0]), np.zeros(2)) == 0


def test_top_directions_are_singular_vectors():
    rng = np.random.default_rng(9)
    means = rng.standard_normal((9, 20))
    expected = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:3]
    found = top_directions(means, 3)
    assert_allclose(np.abs(found @ expected.T), np.eye(3), atol=1e-9)
    assert (found[np.arange(3), np.abs(found).argmax(axis=1)] > 0).all()


def test_leading_axes_do_not_see_their_fold():
    rng = np.random.default_rng(10)
    means, fold = rng.standard_normal((20, 8)), np.arange(20) % 4
    axes = leading_axes(means, fold, 2)
    changed = means + 100 * rng.standard_normal((20, 8)) * (fold == 1)[:, None]
    assert_allclose(leading_axes(changed, fold, 2)[1], axes[1])
    assert not np.allclose(leading_axes(changed, fold, 2)[0], axes[0])


def test_directions_that_are_not_spanned_are_missing():
    found = top_directions(np.eye(3)[[0, 1, 1]], 3)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()
    assert np.isnan(leading_axes(np.ones((1, 4)), np.zeros(1, dtype=int), 2)).all()

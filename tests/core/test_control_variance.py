"""The variance that the control gives a statistic, against a loop over blocks and against drawn control means."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.control_variance import ControlBlocks


def test_variance_is_that_of_the_loop(screen):
    gradient = np.random.default_rng(0).normal(size=(2, len(screen.cells.n_0), screen.cells.effect.shape[1]))
    assert screen.response.blocks.variance(gradient) == pytest.approx(screen.control_variance(gradient), rel=1e-9)


def test_variance_is_that_of_a_sum_over_cells():
    """One gene, one batch: the variance of the mean of a half of m cells is s² / m."""
    rng = np.random.default_rng(1)
    estimates = []
    for _ in range(300):
        cells = rng.normal(size=(2, 100))
        blocks = cells.reshape(2, 10, 10).mean(axis=2) - cells.mean(axis=1, keepdims=True)
        scale = 10 / 100 / 9 * np.ones((2, 10, 1))
        estimates.append(ControlBlocks(blocks[:, :, None], scale).variance(np.array([1.0, 0.0])[:, None, None]))
    assert_allclose(np.mean(estimates), 1 / 100, rtol=0.1)


def test_too_few_blocks_give_no_variance(screen):
    moments = screen.moments
    one = replace(moments, blocks=0 * moments.blocks[:2], n_blocks=moments.counts[:, moments.reference])
    none = replace(moments, blocks=moments.blocks[:0], n_blocks=moments.n_blocks[:0])
    gradient = np.ones((2, moments.counts.shape[2], moments.mean.shape[1]))
    for few in (one, none):
        assert np.isnan(ControlBlocks.of(few).variance(gradient))


def test_blocks_of_some_genes_are_those_of_their_moments(screen):
    genes = np.arange(screen.moments.mean.shape[1])[::3]
    some, same = ControlBlocks.of(screen.moments, genes), ControlBlocks.of(screen.moments.genes(genes))
    np.testing.assert_array_equal(some.means, same.means)
    np.testing.assert_array_equal(some.scale, same.scale)

"""Variance that the control gives sums of scores, against drawn control means."""

import numpy as np
import pytest

from scpertbias._core.control_derivatives import Derivative
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.noise import NoiseShape
from scpertbias.tl._control_noise import ControlNoise

P, G, S, K = 12, 300, 2, 20


def noise_of(move, errors, blocks, control_var):
    """Control noise of errors that move by ``move`` (P, S) with the control means of the batches."""
    along = blocks.means.reshape(K, G).T
    size = np.linalg.norm(errors, axis=1)
    derivative = Derivative(((move, (errors / size[:, None]) @ along),))
    shape = NoiseShape(np.empty((0, G)), np.empty(0, dtype=int), 1 / G, 1.1 / G, 0.0)
    return ControlNoise(control_var.sum(axis=1), P, blocks, shape, {"l2": derivative}), size


@pytest.mark.parametrize("signal", [0.0, 0.3])
def test_variance_of_a_sum_of_squares_is_that_over_drawn_controls(signal):
    rng = np.random.default_rng(0)
    move, n_block = rng.uniform(0.2, 1, (P, S)), 10
    wrong = signal * rng.normal(size=(P, G))
    sums, estimates = [], []
    for _ in range(400):
        cells = rng.normal(size=(S, 2, K // 2, n_block, G))
        c_half = cells.mean(axis=(2, 3))
        errors = wrong + move @ c_half.mean(axis=1)
        # Blocks that hold cells of both batches, about the mean of their half and batch
        means = (cells.mean(axis=3) - c_half[:, :, None]).mean(axis=0)
        scale = np.full((2, K // 2, S), S * n_block / (K / 2 * n_block) / (K / 2 - 1))
        blocks = ControlBlocks(means, scale)
        noise, size = noise_of(move, errors, blocks, np.full((S, G), 1 / (K * n_block)))
        sums.append((errors**2).sum())
        estimates.append(noise.variance_of_squares({"l2": 2 * size}, {"l2": np.ones(P)}))
    assert 0.85 < np.mean(estimates) / np.var(sums) < (1.25 if signal else 1.7)


def test_without_blocks_there_is_no_variance():
    blocks = ControlBlocks(np.zeros((2, 0, G)), np.zeros((2, 0, S)))
    derivative = Derivative(((np.ones((P, S)), np.zeros((P, 0))),))
    shape = NoiseShape(np.empty((0, G)), np.empty(0, dtype=int), 1 / G, 1 / G, 0.0)
    noise = ControlNoise(np.full(S, float(G)), P, blocks, shape, {"l2": derivative})
    assert np.isnan(noise.variance_of_squares({"l2": np.ones(P)}, {"l2": np.ones(P)}))


def test_noise_of_the_training_mean_is_that_of_all_rows_together():
    rng = np.random.default_rng(2)
    blocks, along = ControlBlocks(rng.normal(size=(2, K // 2, G)), np.ones((2, K // 2, S))), np.zeros((P, K))
    shape = NoiseShape(np.empty((0, G)), np.empty(0, dtype=int), 1 / G, 1 / G, 0.0)
    parts = {name: rng.normal(size=(P, 7)) for name in ("score", "ceiling")}
    derivatives = {name: Derivative(((np.zeros((P, S)), along),), part) for name, part in parts.items()}
    noise = ControlNoise(np.ones(S), P, blocks, shape, derivatives)
    first, second = rng.normal(size=(2, P))
    first[3] = 0
    parts["score"][3] = np.nan
    found = noise.variance({"score": first, "ceiling": second})
    expected = np.mean((np.nansum(first[:, None] * parts["score"], axis=0) + second @ parts["ceiling"]) ** 2)
    assert found == pytest.approx(expected)

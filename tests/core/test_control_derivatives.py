"""How scores move with the control, against the same scores with control means that are moved a little."""

from dataclasses import replace

import numpy as np
import pytest

from scpertbias._core.ceilings import Truth
from scpertbias._core.control_derivatives import (
    Derivative,
    ceiling_derivatives,
    noise_of_squares,
    score_derivatives,
    variance_of,
)
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.correlations import NoiseWeights
from scpertbias._core.metrics import evaluate, evaluate_ceilings

N_ROWS, N_TRAINED, N_GENES, N_BATCHES, K = 9, 5, 17, 3, 8
STEP = 1e-5
NONE = np.empty((0, N_GENES))


class Screen:
    """Observed effects, a training mean and predictions as functions of the control means of the batches."""

    def __init__(self, given_as, seed=0):
        rng = np.random.default_rng(seed)
        self.given_as, self.n_control = given_as, np.array([30.0, 15, 45])
        self.share = self.n_control / self.n_control.sum()
        self.weights = rng.dirichlet(np.ones(N_BATCHES), N_ROWS + N_TRAINED)
        self.own = rng.dirichlet(np.ones(N_BATCHES), N_ROWS)
        self.raw = rng.normal(2, 1, (N_ROWS + N_TRAINED, N_GENES))
        self.predicted = rng.normal(2, 1, (N_ROWS, N_GENES))
        self.var = rng.gamma(2, 0.3, (N_ROWS, N_GENES))
        self.control_batch = rng.normal(2, 0.5, (N_BATCHES, N_GENES))
        self.control_var = rng.gamma(2, 0.5, (N_BATCHES, N_GENES))
        self.blocks = ControlBlocks(rng.normal(0, 0.5, (2, K // 2, N_GENES)), rng.gamma(1, 0.2, (2, K // 2, N_BATCHES)))

    def of(self, control_batch):
        """Truth and predictions."""
        control = self.share @ control_batch
        star = self.raw + control - self.weights @ control_batch
        truth = Truth(
            observed=star[:N_ROWS],
            var=self.var,
            n_cells=np.full(N_ROWS, 40.0),
            weights=self.weights[:N_ROWS],
            control=control,
            control_var=self.control_var,
            n_control=self.n_control,
            centroid=np.tile(star[N_ROWS:].mean(axis=0), (N_ROWS, 1)),
            centroid_weights=np.tile(self.weights[N_ROWS:].mean(axis=0), (N_ROWS, 1)),
            centroid_noise=np.full(N_ROWS, 0.3),
            groups=np.zeros(N_ROWS, dtype=np.int64),
            target_columns=np.zeros(N_GENES, dtype=np.bool_),
            z=np.zeros((N_ROWS, N_GENES)),
            centered_share=0.8,
            a2=0.05,
            centered_a2=0.03,
        )
        if self.given_as == "means":
            return truth, self.predicted, np.tile(self.share, (N_ROWS, 1))
        if self.given_as == "changes":
            return truth, control + self.predicted - 2, np.zeros((N_ROWS, N_BATCHES))
        if self.given_as == "cells":
            return truth, control + self.predicted - self.own @ control_batch, self.own
        return truth, truth.centroid + 0.1 * (self.predicted - 2), truth.centroid_weights


def held(weights):
    """Return the noise of predictions that hold a part of that of the training perturbations."""
    return NoiseWeights(weights, np.full(N_ROWS, 0.4))


@pytest.mark.parametrize("given_as", ["means", "changes", "cells", "fitted"])
def test_derivatives_are_finite_differences(given_as):
    screen = Screen(given_as)
    truth, predictions, weights = screen.of(screen.control_batch)
    derivatives = score_derivatives(predictions, truth, held(weights), screen.blocks, NONE)
    ceilings = {f"{k}_ceiling": v for k, v in ceiling_derivatives(truth, weights, screen.blocks, NONE).items()}
    coefficients = np.random.default_rng(1).normal(size=N_ROWS)
    coefficients[2] = 0
    blocks = screen.blocks.means.reshape(K, N_GENES)
    moved = {name: np.empty((K, N_BATCHES)) for name in derivatives | ceilings}
    for k in range(K):
        for b in range(N_BATCHES):
            values = []
            for sign in (1, -1):
                at = screen.control_batch.copy()
                at[b] += sign * STEP * blocks[k]
                there, predicted, _ = screen.of(at)
                scores = evaluate(predicted, there, held(weights))
                scores |= {f"{name}_ceiling": x for name, x in evaluate_ceilings(there, weights).items()}
                values.append(scores)
            for name in moved:
                moved[name][k, b] = coefficients @ (values[0][name] - values[1][name]) / (2 * STEP)
    for name, derivative in (derivatives | ceilings).items():
        np.testing.assert_allclose(derivative.along(coefficients), moved[name], rtol=1e-5, atol=1e-8, err_msg=name)
        assert np.abs(moved[name]).max() > 1e-3


def test_scores_move_with_the_own_noise_of_the_training_mean():
    screen = Screen("fitted")
    truth, predictions, weights = screen.of(screen.control_batch)
    vector, noise = np.random.default_rng(2).normal(size=(1, N_GENES)), held(weights)
    derivatives = score_derivatives(predictions, truth, noise, screen.blocks, vector)
    ceilings = {f"{k}_ceiling": v for k, v in ceiling_derivatives(truth, weights, screen.blocks, vector).items()}
    name, only = "pearson_delta_perturbed_unshared", np.eye(N_ROWS)
    moved = []
    for sign in (1, -1):
        size = sign * STEP * np.sqrt(truth.centroid_noise)[:, None]
        there = replace(truth, centroid=truth.centroid + size * vector)
        scores = evaluate(predictions + noise.training[:, None] * size * vector, there, noise)
        moved.append(scores | {f"{k}_ceiling": x for k, x in evaluate_ceilings(there, weights).items()})
    for key in (name, f"{name}_ceiling"):
        expected = (moved[0][key] - moved[1][key]) / (2 * STEP)
        along = [(derivatives | ceilings)[key].of_training_along(row)[0] for row in only]
        np.testing.assert_allclose(along, expected, rtol=1e-5, atol=1e-8, err_msg=key)
        assert np.abs(expected).max() > 1e-3
    for key in set(derivatives) - {name}:
        assert derivatives[key].of_training_along(only[0]) == 0


def test_variance_is_that_of_the_control_blocks():
    screen, gradient = Screen("means"), np.random.default_rng(3).normal(size=(N_BATCHES, N_GENES))
    along = screen.blocks.means.reshape(K, N_GENES) @ gradient.T
    assert variance_of(screen.blocks, along) == pytest.approx(
        screen.blocks.variance(np.stack([gradient, gradient]) / 2)
    )


def test_no_prediction_and_no_error_have_no_derivative():
    screen = Screen("means")
    truth, predictions, weights = screen.of(screen.control_batch)
    predictions = predictions.copy()
    predictions[0], predictions[1], predictions[2] = np.nan, truth.observed[1], truth.control
    derivatives = score_derivatives(predictions, truth, held(weights), screen.blocks, NONE)
    only = np.eye(N_ROWS)
    assert (derivatives["l2"].along(only[1]) == 0).all()
    assert (derivatives["pearson_delta"].along(only[2]) == 0).all()
    for derivative in derivatives.values():
        assert np.isfinite(derivative.along(only[1:].sum(axis=0))).all()


def test_noise_of_squares_is_the_variance_of_noise_alone():
    """Errors of nothing but noise of the control: a sum of their squares, over drawn control means."""
    screen, rng = Screen("changes"), np.random.default_rng(4)
    truth, _, weights = screen.of(screen.control_batch)
    weight = rng.gamma(1, 1, N_ROWS)
    move = truth.weights - weights
    error = Derivative(((move, np.zeros((N_ROWS, K))),))
    drawn = rng.normal(size=(20_000, N_BATCHES, N_GENES)) * np.sqrt(truth.control_noise)
    sums = np.einsum("p,rpg->r", weight, np.einsum("pb,rbg->rpg", move, drawn) ** 2)
    # Independent genes of unequal noise: a2 is that of each pair of batches
    noise = truth.control_noise / truth.control_noise.sum(axis=1, keepdims=True)
    a2 = (noise @ noise.T).mean()
    assert noise_of_squares(truth.control_noise.sum(axis=1), {"l2": (error, weight)}, a2) == pytest.approx(
        sums.var(), rel=0.1
    )


def test_rows_that_do_not_count_may_hold_nothing():
    """As of a model that predicts some perturbations only."""
    screen = Screen("changes")
    truth, _, weights = screen.of(screen.control_batch)
    move, weight = truth.weights - weights, np.arange(N_ROWS) % 2 * 1.0
    every = {"l2": (Derivative(((move, np.zeros((N_ROWS, K))),)), weight)}
    expected = noise_of_squares(truth.control_noise.sum(axis=1), every, 0.1)
    some = {"l2": (Derivative(((np.where(weight[:, None] > 0, move, np.nan), np.zeros((N_ROWS, K))),)), weight)}
    assert noise_of_squares(truth.control_noise.sum(axis=1), some, 0.1) == pytest.approx(expected)
    assert expected > 0

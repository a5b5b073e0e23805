"""What other samples of control cells do to scores of differential expression, against such samples."""

import numpy as np
import pytest

from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.de import DE_SCORES
from scpertbias._core.de_draws import N_DRAWS, DeDraws, variance_over_draws
from scpertbias._core.de_truth import DeTruth
from scpertbias._core.z_scores import z_scores

from .log_counts import ROWS, P, draw, moments_of

EVERY = np.ones(P, dtype=bool)
GENES = np.arange(60)
MEAN = np.full(P, 1 / P)


def truth_of(x, row, batch):
    moments = moments_of(x, row, batch)
    truth = DeTruth.of(moments, ROWS, GENES, z_scores(moments, ROWS), np.zeros((P, len(GENES)), dtype=bool))
    return truth, ControlBlocks.of(moments)


@pytest.fixture(scope="module")
def other_controls():
    """Fixed perturbed cells with 70 other samples of 200 control cells: mean scores of the mean, and their variances."""
    x, row, batch = draw(3, n_batches=1, n_control=14_000, cells=60, effect=0.5)
    controls, perturbed = np.flatnonzero(row == 0), np.flatnonzero(row > 0)
    means, variances = [], []
    for sample in controls.reshape(70, 200):
        cells = np.r_[sample, perturbed]
        truth, blocks = truth_of(x[cells], row[cells], batch[cells])
        mean = truth.control + (truth.change.sum(axis=0) - truth.change) / (P - 1)
        weights = np.ones((P, 1))
        means.append([values.mean() for values in truth.scores(mean, weights).values()])
        draws = DeDraws.of(truth, blocks, EVERY)
        deviations = draws.deviations(mean, weights)
        variances.append([variance_over_draws(deviations, draws.rows, {name: MEAN}) for name in DE_SCORES])
    return np.array(means), np.array(variances)


@pytest.mark.parametrize("name", DE_SCORES)
def test_variance_is_that_over_samples_of_the_control(other_controls, name):
    means, variances = (values[:, DE_SCORES.index(name)] for values in other_controls)
    assert 0.55 < variances.mean() / means.var(ddof=1) < 2


def test_what_no_change_scores_does_not_vary():
    truth, blocks = truth_of(*draw(4, effect=0.8))
    draws = DeDraws.of(truth, blocks, EVERY)
    nothing = draws.deviations(np.tile(truth.control, (P, 1)), np.zeros((P, 3)))
    assert all((values == 0).all() for values in nothing.values())
    assert variance_over_draws(nothing, draws.rows, {"de_auprc": MEAN}) == 0


def test_rows_have_calls_and_are_among_those_that_are_asked_for(monkeypatch):
    truth, blocks = truth_of(*draw(4, effect=0.8))
    among = np.arange(P) % 2 == 0
    assert set(DeDraws.of(truth, blocks, among).rows) <= set(np.flatnonzero(among))
    monkeypatch.setattr("scpertbias._core.de_draws.MOST_ROWS", 2)
    few = DeDraws.of(truth, blocks, EVERY)
    assert len(few.rows) == 2
    assert few.rows[0] < few.rows[1]
    null, blocks = truth_of(*draw(4))
    none = DeDraws.of(null, blocks, EVERY)
    assert len(none.rows) == 0
    assert {values.shape for values in none.deviations(np.zeros((P, 60)), np.zeros((P, 3))).values()} == {(0, 0)}


def test_some_rows_stand_for_all():
    rows, shared = np.array([1, 3]), np.random.default_rng(0).normal(size=(N_DRAWS, 1))
    deviations = {"a": np.tile(shared, (1, 2)), "b": np.tile(-shared, (1, 2))}
    expected = np.var(shared, ddof=1)
    coefficients = np.full(8, 1 / 8)
    assert variance_over_draws(deviations, rows, {"a": coefficients}) == pytest.approx(expected)
    assert variance_over_draws(deviations, rows, {"a": coefficients, "b": coefficients}) == pytest.approx(0)
    assert variance_over_draws(deviations, rows, {"a": coefficients, "b": -coefficients}) == pytest.approx(4 * expected)
    assert np.isnan(variance_over_draws(deviations, rows, {"a": np.eye(8)[0]}))  # none of its perturbations was drawn
    assert np.isnan(variance_over_draws({"a": np.zeros((0, 2))}, rows, {"a": coefficients}))

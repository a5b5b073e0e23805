"""Score matrices, ceilings, the axis-only prediction and off-axis shares, against loops."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.ceilings import Truth, correlation
from scpertbias._core.specificity import (
    METRICS,
    HeldOutData,
    axes_agree,
    axis_only,
    ceiling_matrix,
    ceilings,
    half_scores,
    observed_off_share,
    off_share,
    own_scores,
    score_matrix,
)

N, G, N_CELLS = 14, 40, 20


def make(seed=0, *, noise=0.3):
    """A data of two fits, and the means that it is made of; the control and the training means have no noise."""
    rng = np.random.default_rng(seed)
    fit = np.arange(N) % 2
    control_half = 5 + noise * rng.standard_normal((2, G)) / 3
    axis = rng.standard_normal(G)
    true = 5 + rng.gamma(2, 0.5, (N, 1)) * axis + 0.5 * rng.standard_normal((N, G))
    half = true + noise * rng.standard_normal((2, N, G))
    mean = (5 + np.stack([axis + 0.1 * rng.standard_normal(G) for _ in (0, 1)]))[fit]
    axes = axis + 0.1 * rng.standard_normal((2, 2, G))
    truth = Truth(
        observed=half.mean(axis=0),
        var=np.full((N, G), N_CELLS * noise**2 / 2),
        n_cells=np.full(N, N_CELLS),
        weights=np.ones((N, 1)),
        control=control_half.mean(axis=0),
        control_var=np.zeros((1, G)),
        n_control=np.array([100.0]),
        centroid=mean,
        centroid_weights=np.ones((N, 1)),
        centroid_noise=np.zeros(N),
        groups=fit,
        target_columns=np.zeros(G, dtype=bool),
        z=np.zeros((N, G)),
        centered_share=1 - 1 / G,
        a2=1 / G,
        centered_a2=1 / G,
    )
    return HeldOutData(truth=truth, half=half, control_half=control_half, axes=axes, fit=fit), true


def one_score(metric, prediction, data, p):
    """Score of one prediction on one perturbation."""
    x, y, c, m = prediction, data.observed[p], data.control, data.mean[p]
    if metric == "l2":
        return np.linalg.norm(x - y)
    if metric == "off_axis":
        u = (m - c) / np.linalg.norm(m - c)
        a, b = (v - c - u * (u @ (v - c)) for v in (x, y))
    else:
        reference = c if metric == "pearson_delta" else m
        a, b = x - reference, y - reference
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize("metric", METRICS)
def test_matrix_is_every_prediction_on_every_perturbation(metric):
    data, true = make()
    predictions = true + 0.5 * np.random.default_rng(1).standard_normal((N, G))
    matrix = score_matrix(metric, predictions, data)
    for p in range(N):
        for q in range(N):
            given = predictions[q] - data.mean[q] + data.mean[p]
            assert matrix[p, q] == pytest.approx(one_score(metric, given, data, p))
    assert_allclose(matrix.diagonal(), own_scores(metric, predictions, data))


@pytest.mark.parametrize("metric", METRICS)
def test_within_a_fold_predictions_are_exchanged_as_they_are(metric):
    data, true = make(2)
    matrix = score_matrix(metric, true, data)
    assert matrix[2, 6] == pytest.approx(one_score(metric, true[6], data, 2))


@pytest.mark.parametrize("metric", METRICS)
def test_baselines_score_the_same_for_every_perturbation(metric):
    data, _ = make(3)
    for constant in (data.mean, np.tile(data.control, (N, 1)), data.mean.astype(np.float32).astype(float)):
        matrix = score_matrix(metric, constant, data)
        same = data.fit[:, None] == data.fit
        gap = np.where(same, matrix - matrix.diagonal()[:, None], 0)
        assert np.abs(gap).max() < 1e-10
    if metric in ("pearson_delta_perturbed", "off_axis"):
        assert not score_matrix(metric, data.mean, data).any()
    if metric in ("pearson_delta", "off_axis"):
        assert not own_scores(metric, np.tile(data.control, (N, 1)), data).any()


@pytest.mark.parametrize("metric", METRICS)
def test_ceiling_is_what_the_truth_scores(metric):
    own, matrices, found, expected = [], [], [], []
    for seed in range(150):
        data, true = make(seed)
        found.append(ceilings(metric, data).mean())
        expected.append(own_scores(metric, true, data).mean())
        own.append(ceiling_matrix(metric, data))
        matrices.append(score_matrix(metric, true, data))
    assert np.mean(found) == pytest.approx(np.mean(expected), abs=0.02)
    off = ~np.eye(N, dtype=bool)
    assert np.mean(own, axis=0)[off].mean() == pytest.approx(np.mean(matrices, axis=0)[off].mean(), abs=0.02)


def test_axis_only_takes_nothing_from_the_half_it_is_scored_on():
    data, _ = make(4)
    for_1, for_2 = axis_only(data)
    (c1, c2), (h1, h2) = data.control_half, data.half
    u1, u2 = data.axes[:, data.fit[3]]
    assert_allclose(for_2[3], c1 + u1 * ((h1[3] - c1) @ u2) / (u1 @ u2))
    assert_allclose(for_1[3], c2 + u2 * ((h2[3] - c2) @ u1) / (u1 @ u2))
    changed = replace(data, half=np.stack([h1 + 100, h2]))
    assert_allclose(axis_only(changed)[0], for_1)
    scores = half_scores("pearson_delta", (for_1, for_2), data)
    assert_allclose(scores, (correlation(for_1, h1, c1) + correlation(for_2, h2, c2)) / 2)
    assert_allclose(
        half_scores("l2", (for_1, for_2), data),
        (np.linalg.norm(for_1 - h1, axis=1) + np.linalg.norm(for_2 - h2, axis=1)) / 2,
    )
    assert np.isnan(half_scores("off_axis", (for_1, for_2), data)).all()


def test_off_share_by_hand():
    data, true = make(5)
    unit = (data.mean - data.control) / np.linalg.norm(data.mean - data.control, axis=1)[:, None]
    effects = true - data.control
    on = (effects * unit).sum(axis=1) ** 2
    assert off_share(true, data) == pytest.approx(1 - on.sum() / (effects**2).sum())
    along = data.control + np.arange(1, N + 1)[:, None] * unit
    assert off_share(along, data) < 1e-12
    assert np.isnan(off_share(np.tile(data.control.astype(np.float32), (N, 1)).astype(float), data))


def test_observed_off_share_is_that_of_the_truth():
    estimates, expected = [], []
    for seed in range(100):
        data, true = make(seed)
        data = replace(data, truth=replace(data.truth, control=np.full(G, 5.0)))
        estimates.append(observed_off_share(data))
        expected.append(off_share(true, data))
    assert np.mean(estimates) == pytest.approx(np.mean(expected), abs=0.005)


def test_axes_agree_by_cosine():
    axes = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [-1.0, 0.2], [1.0, 0.0]]])
    assert axes_agree(axes, 0.5).tolist() == [True, False, False]

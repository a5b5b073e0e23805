"""Score matrices, ceilings, the axis-only prediction and off-axis shares, against loops."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.axes import Effects, energy_on_direction, energy_on_genes, resample
from scpertbias._core.ceilings import correlation, correlation_ceiling
from scpertbias._core.specificity import (
    METRICS,
    HeldOutData,
    as_effects,
    axes_agree,
    axis_only,
    ceiling_matrix,
    ceilings,
    half_scores,
    off_share,
    own_scores,
    score_matrix,
)

N, G = 14, 40


def make(seed=0, *, noise=0.3):
    """A data of two fits, and the effects that it is made of."""
    rng = np.random.default_rng(seed)
    fit = np.arange(N) % 2
    control_half = 5 + noise * rng.standard_normal((2, G)) / 3
    axis = rng.standard_normal(G)
    true = 5 + rng.gamma(2, 0.5, (N, 1)) * axis + 0.5 * rng.standard_normal((N, G))
    half = true + noise * rng.standard_normal((2, N, G))
    mean = (5 + np.stack([axis + 0.1 * rng.standard_normal(G) for _ in (0, 1)]))[fit]
    axes = axis + 0.1 * rng.standard_normal((2, 2, G))
    control = control_half.mean(axis=0)
    data = HeldOutData(
        observed=half.mean(axis=0),
        half=half,
        control=control,
        control_half=control_half,
        mean=mean,
        noise=np.full(N, G * noise**2 / 2),
        axes=axes,
        fit=fit,
        pool=fit,
        known_ceilings={
            "l2": np.full(N, noise * np.sqrt(G / 2)),
            "pearson_delta": correlation_ceiling(*half, np.broadcast_to(control, (N, G))),
            "pearson_delta_perturbed": correlation_ceiling(*half, mean),
        },
    )
    blocks = tuple(0.1 * rng.standard_normal((4, G)) for _ in (0, 1))
    blocks = tuple(b - b.mean(axis=0) for b in blocks)
    effects = Effects(
        first=half[0] - control_half[0],
        second=half[1] - control_half[1],
        mean=data.observed,
        control=control_half,
        n_half=np.full((2, N), 20.0),
        blocks=blocks,
        n_blocks=(np.ones(4), np.ones(4)),
    )
    return data, effects, true


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
    data, _, true = make()
    predictions = true + 0.5 * np.random.default_rng(1).standard_normal((N, G))
    matrix = score_matrix(metric, predictions, data)
    for p in range(N):
        for q in range(N):
            given = predictions[q] - data.mean[q] + data.mean[p]
            assert matrix[p, q] == pytest.approx(one_score(metric, given, data, p))
    assert_allclose(matrix.diagonal(), own_scores(metric, predictions, data))


@pytest.mark.parametrize("metric", METRICS)
def test_within_a_fold_predictions_are_exchanged_as_they_are(metric):
    data, _, true = make(2)
    matrix = score_matrix(metric, true, data)
    assert matrix[2, 6] == pytest.approx(one_score(metric, true[6], data, 2))


@pytest.mark.parametrize("metric", METRICS)
def test_baselines_score_the_same_for_every_perturbation(metric):
    data, _, _ = make(3)
    for constant in (data.mean, np.tile(data.control, (N, 1)), data.mean.astype(np.float32).astype(float)):
        matrix = score_matrix(metric, constant, data)
        same = data.pool[:, None] == data.pool
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
        data, _, true = make(seed)
        found.append(ceilings(metric, data).mean())
        expected.append(own_scores(metric, true, data).mean())
        own.append(ceiling_matrix(metric, data))
        matrices.append(score_matrix(metric, true, data))
    assert np.mean(found) == pytest.approx(np.mean(expected), abs=0.02)
    off = ~np.eye(N, dtype=bool)
    assert np.mean(own, axis=0)[off].mean() == pytest.approx(np.mean(matrices, axis=0)[off].mean(), abs=0.02)


def test_axis_only_takes_nothing_from_the_half_it_is_scored_on():
    data, _, _ = make(4)
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
    data, effects, true = make(5)
    found = off_share(effects, data, resample(effects, 300, np.random.default_rng(0)))
    u1, u2 = data.axes[:, data.fit]
    on = (effects.first * u2).sum(axis=1) * (effects.second * u1).sum(axis=1) / (u1 * u2).sum(axis=1)
    assert found.share == pytest.approx(1 - on.sum() / effects.energy.sum())
    assert found.low < found.share < found.high
    assert_allclose(energy_on_direction(effects, *data.axes, data.fit).own, on)
    predicted = as_effects(true, effects)
    assert_allclose(predicted.first, true - data.control_half[0])
    assert_allclose(energy_on_genes(predicted).own, predicted.energy)
    along = 5 + np.outer(np.arange(1, N + 1), data.axes.mean(axis=(0, 1)))
    assert abs(off_share(as_effects(along, effects), data, None).share) < 0.02


def test_no_effect_has_no_share_off_the_axis():
    data, effects, _ = make(6)
    nothing = as_effects(np.tile(data.control, (N, 1)), effects)
    assert np.isnan(off_share(nothing, data, None).share)
    assert np.isnan(off_share(nothing, data, resample(effects, 50, np.random.default_rng(0))).share)


def test_axes_agree_by_cosine():
    axes = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [-1.0, 0.2], [1.0, 0.0]]])
    assert axes_agree(axes, 0.5).tolist() == [True, False, False]

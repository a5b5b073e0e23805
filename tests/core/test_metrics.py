"""Scores against naive per-row computations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, mean_squared_error

from scpertbias._core import metrics
from scpertbias._core.ceilings import Truth
from scpertbias._core.correlations import CORRELATIONS, NoiseWeights
from scpertbias._core.metrics import METRICS, control_noise, evaluate, evaluate_ceilings


def make_truth(rng: np.random.Generator, n_rows: int = 13, n_genes: int = 31, **replaced) -> Truth:
    n_batches = len(replaced.get("n_control", (200.0, 100.0)))
    values = {
        "observed": rng.normal(1, 1, size=(n_rows, n_genes)),
        "var": rng.gamma(2.0, size=(n_rows, n_genes)),
        "n_cells": rng.integers(2, 90, size=n_rows).astype(float),
        "weights": rng.dirichlet(np.ones(n_batches), size=n_rows),
        "control": rng.normal(1, 1, size=n_genes),
        "control_var": rng.gamma(2.0, size=(n_batches, n_genes)),
        "n_control": np.array([200.0, 100.0]),
        "centroid": rng.normal(1, 1, size=(n_rows, n_genes)),
        "centroid_weights": rng.dirichlet(np.ones(n_batches), size=n_rows),
        "centroid_noise": rng.gamma(2.0, size=n_rows),
        "groups": np.arange(n_rows) % 2,
        "target_columns": np.arange(n_genes) % 7 == 2,
        "z": rng.normal(0, 3, size=(n_rows, n_genes)),
        "centered_share": 0.9,
        "a2": 0.03,
        "centered_a2": 0.02,
    }
    return Truth(**(values | replaced))


def scored(predictions, truth):
    """Evaluate predictions that hold as much noise as the training mean."""
    return evaluate(predictions, truth, NoiseWeights.of_mean(truth))


def naive_discrimination(predictions: np.ndarray, truth: Truth) -> list[float]:
    scores = []
    for p, prediction in enumerate(predictions):
        rivals = [q for q in range(len(predictions)) if truth.groups[q] == truth.groups[p] and q != p]
        genes = [g for g in range(predictions.shape[1]) if not truth.target_columns[g]]
        distance = {q: sum(abs(prediction[g] - truth.observed[q, g]) for g in genes) for q in [p, *rivals]}
        wins = sum(distance[q] > distance[p] + 1e-9 for q in rivals)
        ties = sum(abs(distance[q] - distance[p]) <= 1e-9 for q in rivals)
        scores.append((wins + ties / 2) / len(rivals) if len(rivals) >= 2 else np.nan)
    return scores


def naive_top_effects(truth: Truth, row: int, k: int = 20) -> list[int]:
    z = np.abs(truth.z[row])
    return sorted((g for g in range(len(z)) if not np.isnan(z[g])), key=lambda g: (-z[g], g))[:k]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_metric_equals_its_naive_computation(rng):
    truth = make_truth(rng)
    predictions = rng.normal(1, 1, size=truth.observed.shape)
    scores = scored(predictions, truth)
    assert list(scores) == [*METRICS, "inflation", "control_noise"]
    np.testing.assert_allclose(scores["discrimination"], naive_discrimination(predictions, truth))
    for p, (x, y, m) in enumerate(zip(predictions, truth.observed, truth.centroid, strict=True)):
        c = truth.control
        top = naive_top_effects(truth, p)
        expected = {
            "l2": np.linalg.norm(x - y),
            "rmse": np.sqrt(mean_squared_error(y, x)),
            "mae": mean_absolute_error(y, x),
            "mse_de20": mean_squared_error(y[top], x[top]),
            "pearson_delta": pearsonr(x - c, y - c)[0],
            "pearson_delta_perturbed": pearsonr(x - m, y - m)[0],
            "l2_ratio": np.linalg.norm(x - y) / np.linalg.norm(m - y),
            "control_noise": (truth.control_var.T @ [200 / 300**2, 100 / 300**2]).sum() / ((x - c) ** 2).sum(),
        }
        found = {name: scores[name][p] for name in expected}
        assert found == pytest.approx(expected, rel=1e-12)


def test_registry_is_consistent(rng):
    truth = make_truth(rng)
    assert set(METRICS) == {
        *("l2", "rmse", "mae", "mse_de20", "pearson_delta", "pearson_delta_perturbed", "l2_ratio", "discrimination"),
        *("pearson_delta_unshared", "pearson_delta_perturbed_unshared", "cosine_delta_unshared"),
    }
    perfect = scored(truth.observed, truth)
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.higher_is_better == (metric.best == 1.0)
        if name != "discrimination" and not metric.unshared:  # of noise that both sides hold there is no more than 1
            np.testing.assert_allclose(perfect[name], metric.best, atol=1e-12)
    np.testing.assert_array_equal(perfect["discrimination"], 1.0)
    assert {name for name, metric in METRICS.items() if metric.scale_free} == {
        *CORRELATIONS,
        *("l2_ratio", "discrimination"),
    }
    assert set(evaluate_ceilings(truth, truth.of_means)) == set(METRICS) - {"discrimination"}


def test_rows_without_prediction_are_nan_and_change_no_other_row(rng):
    truth = make_truth(rng)
    predictions = rng.normal(1, 1, size=truth.observed.shape)
    complete = scored(predictions, truth)
    gaps = predictions.copy()
    gaps[3] = np.nan
    # One gap makes the row no prediction, whichever genes a metric looks at.
    gaps[8, np.flatnonzero(~truth.strongest[8])[0]] = np.nan
    others = ~np.isin(np.arange(13), [3, 8])
    for name, score in scored(gaps, truth).items():
        assert np.isnan(score[[3, 8]]).all(), name
        np.testing.assert_array_equal(score[others], complete[name][others])
    assert all(np.isnan(score).all() for score in scored(np.full_like(predictions, np.nan), truth).values())


def test_constant_side_has_correlation_zero(rng):
    truth = make_truth(rng)
    shape = truth.observed.shape
    c, m = np.tile(truth.control, (shape[0], 1)), truth.centroid
    shifts = rng.normal(size=(shape[0], 1))
    for base, metric in ((c, metrics.pearson_delta), (m, metrics.pearson_delta_perturbed)):
        for constant in (base, base + shifts, base * (1 + 1e-15), base.astype(np.float32).astype(np.float64)):
            np.testing.assert_array_equal(metric(constant, truth), 0.0)
        weak = base + 1e-4 * (truth.observed - base)
        np.testing.assert_allclose(metric(weak, truth), 1.0, atol=1e-6)
    unchanged = dataclasses.replace(truth, observed=c)
    np.testing.assert_array_equal(metrics.pearson_delta(m, unchanged), 0.0)
    assert np.isnan(metrics.pearson_delta(np.full(shape, np.nan), unchanged)).all()


def test_l2_ratio_of_mean_is_one_and_undefined_without_error(rng):
    truth = make_truth(rng)
    np.testing.assert_array_equal(metrics.l2_ratio(truth.centroid, truth), 1.0)
    exact = dataclasses.replace(truth, centroid=truth.observed)
    assert np.isnan(metrics.l2_ratio(truth.control + 0 * truth.observed, exact)).all()
    assert np.isnan(evaluate_ceilings(exact, exact.of_means)["l2_ratio"]).all()


def test_centroid_may_be_one_profile_for_all_rows(rng):
    truth = make_truth(rng)
    one = dataclasses.replace(truth, centroid=truth.observed.mean(axis=0))
    tiled = dataclasses.replace(truth, centroid=np.tile(one.centroid, (13, 1)))
    predictions = rng.normal(1, 1, size=truth.observed.shape)
    for name, score in scored(predictions, one).items():
        np.testing.assert_allclose(score, scored(predictions, tiled)[name])
    for name, score in evaluate_ceilings(one, one.of_means).items():
        np.testing.assert_allclose(score, evaluate_ceilings(tiled, one.of_means)[name])


def test_strongest_genes_break_ties_by_index_and_have_a_z(rng):
    z = np.tile(np.r_[np.full(25, 1.0), np.full(14, -2.0), np.nan], (13, 1))
    z[1, 5:], z[2] = np.nan, np.nan
    truth = make_truth(rng, n_genes=40, z=z)
    np.testing.assert_array_equal(np.flatnonzero(truth.strongest[0]), np.r_[0:6, 25:39])
    np.testing.assert_array_equal(np.flatnonzero(truth.strongest[1]), np.arange(5))
    predictions = rng.normal(size=truth.observed.shape)
    expected = ((predictions - truth.observed)[1, :5] ** 2).mean()
    assert metrics.mse_de20(predictions, truth)[1] == pytest.approx(expected)
    assert np.isnan(metrics.mse_de20(predictions, truth)[2])
    few = make_truth(rng, n_genes=7)
    predictions = rng.normal(size=few.observed.shape)
    np.testing.assert_allclose(metrics.mse_de20(predictions, few), metrics.l2(predictions, few) ** 2 / 7)


@pytest.mark.parametrize("kind", ["control", "zero", "equidistant"])
def test_any_constant_prediction_discriminates_at_exactly_one_half(rng, kind):
    truth = make_truth(rng, n_rows=40, groups=np.arange(40) % 3)
    if kind == "equidistant":  # rows hold the same values in other genes: distances are equal but for rounding
        row = rng.gamma(2.0, size=truth.control.size)
        kept = np.flatnonzero(~truth.target_columns)
        observed = np.tile(row, (40, 1))
        for p in range(40):
            observed[p, kept] = rng.permutation(row[kept])
        truth = dataclasses.replace(truth, observed=observed)
    constant = truth.control if kind == "control" else np.zeros_like(truth.control)
    scores = metrics.discrimination(np.tile(constant, (40, 1)), truth)
    for group in range(3):
        assert scores[truth.groups == group].mean() == pytest.approx(0.5, abs=1e-15)
    if kind == "equidistant":
        np.testing.assert_array_equal(scores, 0.5)
    else:
        assert len(set(scores)) > 10


def test_discrimination_leaves_targets_out_and_needs_three(rng):
    truth = make_truth(rng, n_rows=12, groups=np.r_[np.zeros(2), np.ones(10)].astype(int))
    predictions = truth.observed + 0.3 * rng.normal(size=truth.observed.shape)
    expected = metrics.discrimination(predictions, truth)
    assert np.isnan(expected[:2]).all()
    assert np.isfinite(expected[2:]).all()
    predictions[:, truth.target_columns] = 1e6 * rng.normal(size=predictions[:, truth.target_columns].shape)
    np.testing.assert_array_equal(metrics.discrimination(predictions, truth), expected)
    nothing_left = dataclasses.replace(truth, target_columns=np.ones_like(truth.target_columns))
    assert np.isnan(metrics.discrimination(predictions, nothing_left)).all()


def test_discrimination_does_not_depend_on_blocks(rng, monkeypatch):
    truth = make_truth(rng, n_rows=30)
    predictions = truth.observed + 4 * rng.normal(size=truth.observed.shape)
    whole = metrics.discrimination(predictions, truth)
    monkeypatch.setattr(metrics, "DISTANCE_BLOCK", 4)
    np.testing.assert_array_equal(metrics.discrimination(predictions, truth), whole)
    assert len(set(whole)) > 5


def test_control_noise_of_no_effect_is_infinite(rng):
    truth = make_truth(rng)
    np.testing.assert_array_equal(control_noise(truth.control + 0 * truth.observed, truth), np.inf)


@pytest.mark.parametrize(("n_cells", "n_control", "expected"), [(50, 500, 0.29), (100, 10_000, 0.08)])
def test_pearson_delta_rewards_control_noise_without_any_effect(rng, n_cells, n_control, expected):
    n_rows, n_genes = 200, 1000
    control = rng.normal(size=n_genes) / np.sqrt(n_control)
    observed = rng.normal(size=(n_rows, n_genes)) / np.sqrt(n_cells)
    truth = make_truth(
        rng,
        n_rows,
        n_genes,
        observed=observed,
        control=control,
        control_var=np.ones((1, n_genes)),
        n_control=np.array([float(n_control)]),
        n_cells=np.full(n_rows, float(n_cells)),
    )
    # The mean of the training perturbations, here of as many others.
    mean = rng.normal(size=n_genes) / np.sqrt(n_cells * n_rows) + np.zeros((n_rows, 1))
    scores = scored(mean, dataclasses.replace(truth, centroid=mean))
    assert scores["pearson_delta"].mean() == pytest.approx(expected, abs=0.015)
    np.testing.assert_array_equal(scores["pearson_delta_perturbed"], 0.0)
    assert (scores["control_noise"] > 0.1).all()


def test_truth_and_predictions_of_wrong_shape_are_refused(rng):
    truth = make_truth(rng)
    with pytest.raises(ValueError, match=r"`control` has shape \(30,\)"):
        dataclasses.replace(truth, control=np.ones(30))
    with pytest.raises(ValueError, match="must be positive, found 0"):
        dataclasses.replace(truth, n_cells=np.zeros(13))
    with pytest.raises(ValueError, match=r"`predictions` has shape \(12, 31\)"):
        scored(np.ones((12, 31)), truth)


# --- what mutation testing asked for ---


def test_control_noise_is_infinite_up_to_the_rounding_of_the_prediction(rng):
    """The rounding error of an effect has the size of the prediction, not of the effect."""
    truth = make_truth(rng, n_rows=1, n_genes=4, control=np.full(4, 50.0))
    rounding = float(np.finfo(np.float32).eps) * 100.0  # of a row of norm 100
    for size, finite in ((0.2 * rounding, False), (5 * rounding, True)):
        effect = np.array([[size, 0.0, 0.0, 0.0]])
        assert np.isfinite(control_noise(truth.control + effect, truth)).all() == finite
    nothing = dataclasses.replace(truth, control=np.zeros(4))
    assert control_noise(np.zeros((1, 4)), nothing) == np.inf


def test_discrimination_needs_three(rng):
    truth = make_truth(rng, n_rows=5, groups=np.array([0, 0, 0, 1, 1]))
    scores = metrics.discrimination(rng.normal(size=truth.observed.shape), truth)
    assert np.isfinite(scores[:3]).all()
    assert np.isnan(scores[3:]).all()


def test_which_metrics_are_free_of_scale_and_scaled():
    assert {name for name, m in METRICS.items() if m.scaled} == {"l2", *CORRELATIONS}
    assert {name for name, m in METRICS.items() if m.unshared} == {
        n for n, kind in CORRELATIONS.items() if kind.unshared
    }
    plain = metrics.Metric(name="x", label="x", best=0.0, higher_is_better=False, function=metrics.l2)
    assert not plain.scale_free
    assert not plain.scaled
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.best = 1.0
    with pytest.raises(TypeError):
        metrics.Metric("x", "x", 0.0, False, metrics.l2)

"""What the truth scores, by formula and by simulation, and scaled scores."""

from __future__ import annotations

import numpy as np
import pytest

from scpertbias._core.ceilings import Truth, correlation, correlation_ceiling, replicate, reproducibility, skill
from scpertbias._core.metrics import METRICS, evaluate, evaluate_ceilings


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def simulate(rng: np.random.Generator, n_rows: int = 300, n_genes: int = 400, n_strong: int = 0):
    """A Gaussian screen: the noiseless means, and what is observed of them."""
    control = rng.gamma(2.0, size=n_genes)
    means = control + rng.normal(0, 0.15, size=n_genes) + rng.normal(0, 0.12, size=(n_rows, n_genes))
    means[:, :n_strong] += 20.0
    cell_var = rng.gamma(4.0, 0.25, size=n_genes)
    n_cells = rng.integers(20, 100, size=n_rows) * 2.0
    half_noise = rng.normal(size=(2, n_rows, n_genes)) * np.sqrt(cell_var / (n_cells[:, None] / 2))
    half_1, half_2 = means + half_noise
    estimated_var = cell_var * rng.chisquare(n_cells[:, None] - 1, size=means.shape) / (n_cells[:, None] - 1)
    truth = Truth(
        observed=(half_1 + half_2) / 2,
        half_1=half_1,
        half_2=half_2,
        var=estimated_var,
        n_cells=n_cells,
        control=control + rng.normal(size=n_genes) * np.sqrt(cell_var / 300),
        control_var=cell_var,
        n_control=300.0,
        centroid=means.mean(axis=0) + np.zeros((n_rows, 1)),
        groups=np.zeros(n_rows, dtype=np.int64),
        target_columns=np.zeros(n_genes, dtype=np.bool_),
        pooled_var=cell_var,
    )
    return means, truth


def assert_same_mean(found: np.ndarray, expected: np.ndarray, slack: float = 0.0) -> None:
    difference = found - expected
    standard_error = difference.std(ddof=1) / np.sqrt(difference.size)
    assert abs(difference.mean()) < 4 * standard_error + slack
    assert standard_error < 0.02 * abs(expected.mean())


@pytest.mark.parametrize("name", ["l2", "rmse", "mae", "l2_ratio", "pearson_delta", "pearson_delta_perturbed"])
def test_truth_scores_its_ceiling(rng, name):
    means, truth = simulate(rng)
    found, expected = evaluate(means, truth)[name], evaluate_ceilings(truth)[name]
    # E sqrt < sqrt E: the root of f is high by a share 1/(4 genes); roots of correlations lose as little.
    assert_same_mean(found, expected, slack=2e-3 * abs(expected.mean()))


def test_truth_scores_ceiling_of_strongest_genes_if_they_are_no_winners_of_noise(rng):
    means, truth = simulate(rng, n_rows=1000, n_strong=20)
    assert (np.sort(truth.top_effects, axis=1) == np.arange(20)).all()
    assert_same_mean(evaluate(means, truth)["mse_de20"], evaluate_ceilings(truth)["mse_de20"])


def test_repeat_of_experiment_scores_replicate(rng):
    means, truth = simulate(rng)
    noise = rng.normal(size=means.shape) * np.sqrt(truth.pooled_var / truth.n_cells[:, None])
    scores = evaluate(means + noise, truth)
    for name in ("pearson_delta", "pearson_delta_perturbed"):
        metric = METRICS[name]
        expected = metric.replicate(truth)
        assert_same_mean(scores[name], expected, slack=2e-3)
        np.testing.assert_allclose(expected, metric.ceiling(truth) ** 2)
        assert expected.mean() < metric.ceiling(truth).mean() - 0.05


def test_ceilings_by_formula(rng):
    _, truth = simulate(rng, n_rows=5, n_genes=30)
    found = evaluate_ceilings(truth)
    for p in range(5):
        noise = truth.var[p] / truth.n_cells[p]
        error = np.linalg.norm(truth.centroid[p] - truth.observed[p])
        assert found["l2"][p] == pytest.approx(np.sqrt(noise.sum()))
        assert found["rmse"][p] == pytest.approx(np.sqrt(noise.sum() / 30))
        assert found["mae"][p] == pytest.approx(sum(np.sqrt(2 / np.pi) * np.sqrt(v) for v in noise) / 30)
        assert found["l2_ratio"][p] == pytest.approx(np.sqrt(noise.sum()) / error)
        assert found["mse_de20"][p] == pytest.approx(noise[truth.top_effects[p]].mean())
        for name, reference in (("pearson_delta", truth.control), ("pearson_delta_perturbed", truth.centroid[p])):
            r = np.corrcoef(truth.half_1[p] - reference, truth.half_2[p] - reference)[0, 1]
            assert found[name][p] == pytest.approx(np.sqrt(2 * r / (1 + r)) if r > 0 else 0.0)


def halves_of_correlation(r: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    basis = np.linalg.qr(np.c_[np.ones(50), rng.normal(size=(50, 2))])[0][:, 1:]
    return basis[None, :, 0], (r * basis[:, 0] + np.sqrt(1 - r**2) * basis[:, 1])[None]


@pytest.mark.parametrize("r", [-1.0, -0.9, -1 / 3, -0.2, 0.0, 0.3, 1.0])
def test_negative_halves(rng, r):
    first, second = halves_of_correlation(r, rng)
    assert correlation(first, second)[0] == pytest.approx(r, abs=1e-12)
    stepped = max(2 * r / (1 + r), -1.0) if r > -1 else -1.0
    assert reproducibility(first, second)[0] == pytest.approx(stepped, abs=1e-12)
    assert replicate(first, second, np.zeros(50))[0] == pytest.approx(max(stepped, 0.0), abs=1e-12)
    assert correlation_ceiling(first, second, np.zeros(50))[0] == pytest.approx(np.sqrt(max(stepped, 0)), abs=1e-6)


def test_reproducibility_is_not_biased_without_effect_and_ceiling_takes_no_sign(rng):
    first, second = rng.normal(size=(2, 400, 300))
    found = reproducibility(first, second)
    assert (found < 0).mean() == pytest.approx(0.5, abs=0.1)
    assert abs(found.mean()) < 0.02
    assert (replicate(first, second, np.zeros(300)) >= 0).all()


def test_missing_halves_have_no_ceiling(rng):
    _, truth = simulate(rng, n_rows=6, n_genes=30)
    truth.half_1[2] = truth.half_2[2] = np.nan
    for name in ("pearson_delta", "pearson_delta_perturbed"):
        ceiling = METRICS[name].ceiling(truth)
        assert np.isnan(ceiling[2])
        assert np.isfinite(np.delete(ceiling, 2)).all()
    assert np.isnan(reproducibility(truth.half_1, truth.half_2)).sum() == 1


def test_skill_of_error_is_the_ratio_of_excess_squares(rng):
    model, mean, ceiling = rng.uniform(3, 4, 9), rng.uniform(4, 5, 9), rng.uniform(1, 2, 9)
    model[0], ceiling[1], mean[2] = np.nan, np.nan, np.inf
    ceiling[3] = 6.0
    found = METRICS["l2"].skill(model, mean, ceiling)
    kept = range(3, 9)
    expected = 1 - sum(model[p] ** 2 - ceiling[p] ** 2 for p in kept) / sum(
        mean[p] ** 2 - ceiling[p] ** 2 for p in kept
    )
    assert found.estimate == pytest.approx(expected)
    assert np.isnan(found.numerator[:3]).all()
    assert np.isnan(found.denominator[:3]).all()
    assert np.isnan(found.per_perturbation[:4]).all()  # 3: the baseline is better than the truth would be
    f = ceiling[4] ** 2
    assert found.per_perturbation[4] == pytest.approx(1 - (model[4] ** 2 - f) / (mean[4] ** 2 - f))


def test_skill_of_correlation_is_the_ratio_of_gains(rng):
    model, mean, ceiling = rng.uniform(-0.2, 0.9, 8), rng.uniform(0, 0.3, 8), rng.uniform(0.5, 1, 8)
    found = METRICS["pearson_delta"].skill(model, mean, ceiling)
    assert found.estimate == pytest.approx((model - mean).sum() / (ceiling - mean).sum())
    np.testing.assert_allclose(found.per_perturbation, (model - mean) / (ceiling - mean))


@pytest.mark.parametrize("error", [True, False])
def test_skill_is_zero_for_the_baseline_and_one_for_the_ceiling(rng, error):
    mean, ceiling = (rng.uniform(3, 4, 5), rng.uniform(1, 2, 5)) if error else (np.full(5, 0.1), np.full(5, 0.8))
    assert skill(mean, mean, ceiling, error=error).estimate == 0.0
    assert skill(ceiling, mean, ceiling, error=error).estimate == pytest.approx(1.0)
    assert np.isnan(skill(mean, ceiling, mean, error=error).estimate)


def test_truth_has_skill_one_in_simulation(rng):
    means, truth = simulate(rng)
    scores, baseline, ceiling = evaluate(means, truth), evaluate(truth.centroid, truth), evaluate_ceilings(truth)
    for name in ("l2", "pearson_delta", "pearson_delta_perturbed"):
        found = METRICS[name].skill(scores[name], baseline[name], ceiling[name])
        assert found.estimate == pytest.approx(1.0, abs=0.02), name

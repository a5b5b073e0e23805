"""What the truth scores, by brute force and by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scpertbias._core.ceilings import Truth
from scpertbias._core.correlations import CORRELATIONS, NoiseWeights
from scpertbias._core.metrics import evaluate, evaluate_ceilings


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


DESIGNS = {
    "one batch": ([300.0], "same"),
    "nested": ([40.0, 25.0, 60.0], "nested"),
    "uneven": ([200.0, 60.0, 30.0], "uneven"),
    "few controls": ([12.0, 18.0, 15.0], "uneven"),
}


def shares_of_batches(rng: np.random.Generator, n_rows: int, n_batches: int, where: str) -> np.ndarray:
    if where == "nested":
        return np.eye(n_batches)[rng.integers(n_batches, size=n_rows)]
    return rng.dirichlet(np.full(n_batches, 0.7), size=n_rows)


def concentration(covariance: np.ndarray) -> float:
    return float(np.sum(covariance**2) / np.trace(covariance) ** 2)


def simulate(
    rng: np.random.Generator,
    design: str = "uneven",
    n_rows: int = 300,
    n_genes: int = 400,
    n_strong: int = 0,
    common: float = 0.0,
    strength: float = 1.0,
):
    """A Gaussian screen: what predicts the truth, as means and as changes, and what is observed of it.

    ``common`` is the correlation of the noise of all genes; then effects have a shift of all genes, too.
    """
    n_control, where = np.array(DESIGNS[design][0]), DESIGNS[design][1]
    n_batches, n_trained = len(n_control), 50
    weights = shares_of_batches(rng, n_rows + n_trained, n_batches, where)
    cell_var = rng.gamma(4.0, 0.25, size=n_genes)
    batch = rng.gamma(2.0, size=n_genes) + 0.5 * rng.normal(size=(n_batches, n_genes))

    def noise(n):
        drawn = np.sqrt(1 - common) * rng.normal(size=(len(n), n_genes)) + np.sqrt(common) * rng.normal(
            size=(len(n), 1)
        )
        return drawn * np.sqrt(cell_var / n[:, None])

    control_batch = batch + noise(n_control)
    control = n_control @ control_batch / n_control.sum()
    effects = rng.normal(0, 0.15, size=n_genes) + rng.normal(0, 0.12, size=(n_rows + n_trained, n_genes))
    effects *= strength
    effects[:, :n_strong] += 20.0
    effects += 3 * common * rng.normal(size=(len(effects), 1))
    n_cells = rng.integers(20, 100, size=n_rows + n_trained) * 2.0
    cells = weights @ batch + effects + noise(n_cells)
    observed = control + cells - weights @ control_batch
    freedom = n_cells[:n_rows, None] - 1
    covariance = np.sqrt(np.outer(cell_var, cell_var)) * ((1 - common) * np.eye(n_genes) + common)
    trained = slice(n_rows, None)
    truth = Truth(
        observed=observed[:n_rows],
        var=cell_var * rng.chisquare(freedom, size=(n_rows, n_genes)) / freedom,
        n_cells=n_cells[:n_rows],
        weights=weights[:n_rows],
        control=control,
        control_var=np.tile(cell_var, (n_batches, 1)),
        n_control=n_control,
        centroid=np.tile(observed[trained].mean(axis=0), (n_rows, 1)),
        centroid_weights=np.tile(weights[trained].mean(axis=0), (n_rows, 1)),
        centroid_noise=np.full(n_rows, (cell_var.sum() / n_cells[trained]).sum() / n_trained**2),
        groups=np.zeros(n_rows, dtype=np.int64),
        target_columns=np.zeros(n_genes, dtype=np.bool_),
        z=(observed[:n_rows] - control) / np.sqrt(cell_var / n_cells[:n_rows, None]),
        # 1 − 1ᵀC1 / (G tr C) of the covariance C
        centered_share=1 - (1 - common + common * np.sqrt(cell_var).sum() ** 2 / cell_var.sum()) / n_genes,
        a2=concentration(covariance),
        centered_a2=concentration(
            covariance - covariance.mean(axis=0) - covariance.mean(axis=1, keepdims=True) + covariance.mean()
        ),
    )
    means = n_control @ batch / n_control.sum() + effects[:n_rows]
    return {"means": means, "changes": control + effects[:n_rows]}, truth


def predicted_weights(truth: Truth, given_as: str) -> np.ndarray:
    return truth.of_means if given_as == "means" else truth.of_changes


def held_by(truth: Truth, given_as: str) -> NoiseWeights:
    """Return the noise that the truth holds: that of the control where it is given as changes."""
    rows = len(truth.observed)
    return NoiseWeights(np.tile(predicted_weights(truth, given_as), (rows, 1)), np.zeros(rows))


def ceiling(size, noise, product, square, a2):
    """(e + product)/√((e + square) size), and what its curvature takes from it, by finite differences."""

    def without_error(above, below, size):
        return above / np.sqrt(below * size)

    effect = size - noise
    above, below = max(effect + product, 0), max(effect, 0) + square
    if below * size <= 0:
        return 0.0
    variance = 2 * a2 * noise**2 + 4 * a2 * noise * max(effect, 0)
    least = 1.5 * np.sqrt(variance)
    x, y = max(above, least), max(below, least)
    h, k = 1e-3 * min(x, y), 1e-3 * size
    middle, at = without_error(x, y, size), lambda d, s: without_error(x + d, y + d, size + s)
    curvature = (at(h, 0) - 2 * middle + at(-h, 0)) / h**2
    mixed = (at(h, k) - at(h, -k) - at(-h, k) + at(-h, -k)) / (4 * h * k)
    factor = 1 - variance * (curvature / 2 + mixed) / middle
    return min(max(without_error(above, below, size) * factor, 0), 1)


def brute_force(truth: Truth, row: int, predicted: np.ndarray) -> dict[str, float]:
    """The ceilings of one row, batch by batch and gene by gene."""
    n_genes, n_batches = len(truth.control), len(truth.n_control)
    own = [truth.var[row, g] / truth.n_cells[row] for g in range(n_genes)]
    noise = [
        own[g]
        + sum(
            (truth.weights[row, b] - predicted[b]) ** 2 * truth.control_var[b, g] / truth.n_control[b]
            for b in range(n_batches)
        )
        for g in range(n_genes)
    ]
    tau = [truth.control_var[b].sum() / truth.n_control[b] for b in range(n_batches)]
    expected = {
        "l2": np.sqrt(sum(noise)),
        "rmse": np.sqrt(sum(noise) / n_genes),
        "mae": sum(np.sqrt(2 / np.pi * f) for f in noise) / n_genes,
        "l2_ratio": np.sqrt(sum(noise)) / np.linalg.norm(truth.centroid[row] - truth.observed[row]),
        "mse_de20": np.mean([noise[g] for g in np.flatnonzero(truth.strongest[row])]),
    }
    about = {
        "pearson_delta": (truth.control, np.zeros(n_batches), 0.0),
        "pearson_delta_perturbed": (truth.centroid[row], truth.centroid_weights[row], truth.centroid_noise[row]),
    }
    for name, (reference, omega, t_r) in about.items():
        phi, difference = truth.centered_share, truth.observed[row] - reference
        size = sum((difference - sum(difference) / n_genes) ** 2)
        away = [truth.weights[row, b] - omega[b] for b in range(n_batches)]
        y = [predicted[b] - omega[b] for b in range(n_batches)]
        own_noise, of_batch, t_r = phi * sum(own), [phi * value for value in tau], phi * t_r
        noise = own_noise + sum(away[b] ** 2 * of_batch[b] for b in range(n_batches)) + t_r
        square = t_r + sum(y[b] ** 2 * of_batch[b] for b in range(n_batches))
        product = t_r + sum(away[b] * y[b] * of_batch[b] for b in range(n_batches))
        expected[name] = ceiling(size, noise, product, square, truth.centered_a2)
        expected[f"{name}_unshared"] = ceiling(size, noise, 0.0, square, truth.centered_a2)
    size = sum((truth.observed[row] - truth.control) ** 2)
    noise = sum(own) + sum(truth.weights[row, b] ** 2 * tau[b] for b in range(n_batches))
    square = sum(predicted[b] ** 2 * tau[b] for b in range(n_batches))
    expected["cosine_delta_unshared"] = ceiling(size, noise, 0.0, square, truth.a2)
    return expected


@pytest.mark.parametrize("given_as", ["means", "changes"])
@pytest.mark.parametrize("design", DESIGNS)
def test_ceilings_equal_brute_force(rng, design, given_as):
    _, truth = simulate(rng, design, n_rows=6, n_genes=30)
    predicted = predicted_weights(truth, given_as)
    ceilings = evaluate_ceilings(truth, predicted)
    for p in range(6):
        assert {name: ceilings[name][p] for name in ceilings} == pytest.approx(
            brute_force(truth, p, predicted), rel=1e-5
        )


@pytest.mark.parametrize("common", [0.0, 0.1])
@pytest.mark.parametrize("given_as", ["means", "changes"])
@pytest.mark.parametrize("design", DESIGNS)
def test_truth_scores_its_ceiling(rng, design, given_as, common):
    """On the average over screens: the noise of the control is one for all perturbations of a screen."""
    scores, ceilings = [], []
    for _ in range(80):
        predictions, truth = simulate(rng, design, n_rows=30, common=common)
        scores.append(evaluate(predictions[given_as], truth, held_by(truth, given_as)))
        ceilings.append(evaluate_ceilings(truth, predicted_weights(truth, given_as)))
    # The mean length of correlated noise is below the root of its mean square
    of_lengths = () if common else ("l2", "rmse", "mae", "l2_ratio")
    for name in (*of_lengths, *CORRELATIONS):
        actual, expected = (np.mean([table[name].mean() for table in tables]) for tables in (scores, ceilings))
        assert actual == pytest.approx(expected, rel=0.02), name


@pytest.mark.parametrize("given_as", ["means", "changes"])
def test_truth_scores_its_ceiling_where_noise_is_as_large_as_effects(rng, given_as):
    """The root of an estimated squared effect is too low on average."""
    tables = []
    for _ in range(40):
        predictions, truth = simulate(rng, "one batch", n_rows=100, n_genes=40, strength=0.6)
        scores, weights = (
            evaluate(predictions[given_as], truth, held_by(truth, given_as)),
            predicted_weights(truth, given_as),
        )
        ceilings = [evaluate_ceilings(t, weights) for t in (truth, replace(truth, a2=0.0, centered_a2=0.0))]
        tables.append([[table[name].mean() for name in CORRELATIONS] for table in (scores, *ceilings)])
    score, ceiling, without = np.mean(tables, axis=0)
    np.testing.assert_allclose(score, ceiling, rtol=0.03)
    assert (np.abs(score - ceiling) < np.abs(score - without)).all()
    assert (score > (1.01 if given_as == "means" else 1.03) * without).all()


def test_without_batches_the_ceiling_is_what_is_left_of_the_squared_effect(rng):
    truth = replace(simulate(rng, "one batch", n_rows=5)[1], centered_a2=0.0)
    ceiling = evaluate_ceilings(truth, truth.of_changes)["pearson_delta"]
    for p in range(5):
        effect = truth.observed[p] - truth.control
        size, own = np.sum((effect - effect.mean()) ** 2), truth.centered_share * truth.var[p].sum() / truth.n_cells[p]
        left = size - own - truth.centered_share * truth.control_var.sum() / 300.0
        assert ceiling[p] == pytest.approx(left / np.sqrt(left * size))
        shared = evaluate_ceilings(truth, truth.of_means)["pearson_delta"][
            p
        ]  # both sides have the noise of the control
        assert shared == pytest.approx(np.sqrt(1 - own / size))


def test_truth_scores_ceiling_of_strongest_genes_if_they_are_no_winners_of_noise(rng):
    predictions, truth = simulate(rng, "one batch", n_rows=1000, n_strong=20)
    assert truth.strongest[:, :20].all()
    ceiling = evaluate_ceilings(truth, truth.of_changes)["mse_de20"]
    difference = evaluate(predictions["changes"], truth, held_by(truth, "changes"))["mse_de20"] - ceiling
    # The control's noise is the same for all rows: a part that 1,000 rows do not average.
    assert abs(difference.mean()) < 0.1 * ceiling.mean()


def test_no_response_has_no_ceiling(rng):
    _, truth = simulate(rng, "one batch", n_rows=4, n_genes=30)
    nothing = replace(truth, observed=np.tile(truth.control, (4, 1)))
    np.testing.assert_array_equal(evaluate_ceilings(nothing, nothing.of_changes)["pearson_delta"], 0.0)

"""What the noise that both sides hold adds to a correlation, against drawn noise of a known truth."""

from dataclasses import replace

import numpy as np
import pytest

from scpertbias._core.ceilings import Truth
from scpertbias._core.correlations import CORRELATIONS, NoiseWeights, shared_noise, unshared_correlation
from scpertbias._core.metrics import evaluate

N_ROWS, N_TRAINED, N_GENES = 6, 5, 60
N_CONTROL = np.array([12.0, 30, 18])
SHARE = N_CONTROL / N_CONTROL.sum()
COMMON = 0.05
"""Correlation of the noise of all genes."""


class Setting:
    """Expected means, and predictions that are sums of training means and of the control."""

    def __init__(self, effect, seed=0):
        rng = np.random.default_rng(seed)
        self.rng, n = rng, N_ROWS + N_TRAINED
        self.weights = rng.dirichlet(np.ones(3), n)
        self.weights[:2] = np.eye(3)[:2]
        self.n_cells = rng.integers(15, 60, n).astype(float)
        self.cell_var = rng.gamma(4, 0.25, (n, N_GENES))
        self.control_var = rng.gamma(4, 0.25, (3, N_GENES))
        self.batch = rng.gamma(2, 1, N_GENES) + rng.normal(size=(3, N_GENES))
        self.effects = effect * (rng.normal(size=N_GENES) + 0.5 * rng.normal(size=(n, N_GENES)))
        # Of each held-out row a sum of its own: parts of the training means and of the control, and what is fixed
        self.parts = rng.dirichlet(np.ones(N_TRAINED + 2), N_ROWS)
        self.fixed = self.batch.mean(axis=0) + effect * rng.normal(size=(N_ROWS, N_GENES))

    def draw(self, noise=1.0):
        """Draw a screen: its truth, and the predictions."""
        control_batch = self.batch + noise * self._noise(self.control_var / N_CONTROL[:, None])
        control = SHARE @ control_batch
        cells = self.weights @ self.batch + self.effects + noise * self._noise(self.cell_var / self.n_cells[:, None])
        star = control + cells - self.weights @ control_batch
        trained = star[N_ROWS:]
        own = (self.cell_var[N_ROWS:] / self.n_cells[N_ROWS:, None]).sum(axis=1)
        total = np.sqrt(self.control_var).sum(axis=1) ** 2 / self.control_var.sum(axis=1)
        truth = Truth(
            observed=star[:N_ROWS],
            var=self.cell_var[:N_ROWS],
            n_cells=self.n_cells[:N_ROWS],
            weights=self.weights[:N_ROWS],
            control=control,
            control_var=self.control_var,
            n_control=N_CONTROL,
            centroid=np.tile(trained.mean(axis=0), (N_ROWS, 1)),
            centroid_weights=np.tile(self.weights[N_ROWS:].mean(axis=0), (N_ROWS, 1)),
            centroid_noise=np.full(N_ROWS, own.sum() / N_TRAINED**2),
            groups=np.zeros(N_ROWS, dtype=np.int64),
            target_columns=np.zeros(N_GENES, dtype=np.bool_),
            z=np.zeros((N_ROWS, N_GENES)),
            centered_share=1 - (1 - COMMON + COMMON * float(total.mean())) / N_GENES,
            a2=0.0,
            centered_a2=0.0,
        )
        of_trained, of_control, of_fixed = self.parts[:, :N_TRAINED], self.parts[:, [-2]], self.parts[:, [-1]]
        predictions = of_trained @ trained + of_control * control + of_fixed * self.fixed
        held = NoiseWeights(of_trained @ self.weights[N_ROWS:] + of_fixed * SHARE, of_trained @ own / own.mean())
        return truth, predictions, held

    def _noise(self, var):
        own, common = self.rng.normal(size=var.shape), self.rng.normal(size=(len(var), 1))
        return np.sqrt(var) * (np.sqrt(1 - COMMON) * own + np.sqrt(COMMON) * common)


@pytest.mark.parametrize("effect", [0.0, 0.3])
@pytest.mark.parametrize("name", [name for name, kind in CORRELATIONS.items() if kind.unshared])
def test_products_less_the_shared_noise_are_those_without_noise(name, effect):
    kind, setting = CORRELATIONS[name], Setting(effect)
    products, taken_out = [], []
    for _ in range(2000):
        truth, predictions, held = setting.draw()
        sides = [kind.effect(x, truth) for x in (predictions, truth.observed)]
        products.append(np.einsum("rg,rg->r", *sides))
        taken_out.append(shared_noise(truth, held, kind))
    truth, predictions, _ = setting.draw(noise=0.0)
    expected = np.einsum("rg,rg->r", *(kind.effect(x, truth) for x in (predictions, truth.observed)))
    difference = np.array(products) - np.array(taken_out) - expected
    error = difference.std(axis=0) / np.sqrt(len(difference))
    # The common part of noise is of genes of unequal variance: what centering leaves differs a little between means
    assert (np.abs(difference.mean(axis=0)) < 4 * error + 0.02 * np.abs(taken_out[0])).all()
    assert (np.abs(np.mean(taken_out, axis=0)) > 8 * error).any()


def test_what_is_fitted_on_the_same_cells_scores_nothing_where_nothing_responds():
    setting = Setting(0.0)
    models = {
        "mean": lambda truth: (truth.centroid, NoiseWeights.of_mean(truth)),
        "no_change": lambda truth: (
            np.tile(truth.control, (N_ROWS, 1)),
            NoiseWeights(np.zeros((N_ROWS, 3)), np.zeros(N_ROWS)),
        ),
    }
    scores = {model: [] for model in models}
    for _ in range(400):
        truth, _, _ = setting.draw()
        for model, make in models.items():
            predictions, held = make(truth)
            scores[model].append(evaluate(predictions, truth, held))
    means = {
        (model, name): np.mean([s[name] for s in tables]) for model, tables in scores.items() for name in tables[0]
    }
    assert means["mean", "pearson_delta"] > 0.3
    assert means["no_change", "pearson_delta_perturbed"] > 0.05
    assert abs(means["mean", "pearson_delta_unshared"]) < 0.03
    assert abs(means["mean", "cosine_delta_unshared"]) < 0.03
    assert abs(means["no_change", "pearson_delta_perturbed_unshared"]) < 0.01
    # The reference itself is a constant
    assert means["no_change", "pearson_delta_unshared"] == means["mean", "pearson_delta_perturbed_unshared"] == 0
    inflation = means["mean", "pearson_delta"] - means["mean", "pearson_delta_unshared"]
    assert means["mean", "inflation"] == pytest.approx(inflation)


def test_without_noise_of_the_control_nothing_is_shared():
    truth, predictions, held = Setting(0.3).draw()
    exact = replace(truth, control_var=np.zeros_like(truth.control_var), centroid_noise=np.zeros(N_ROWS))
    for name, kind in CORRELATIONS.items():
        if kind.unshared and not kind.cosine:
            plain = evaluate(predictions, exact, held)[name.removesuffix("_unshared")]
            np.testing.assert_allclose(unshared_correlation(predictions, exact, held, kind), plain)


def test_rows_of_a_table_are_those_of_perturbations():
    table = np.arange(12.0).reshape(4, 3)
    held = NoiseWeights.of_rows(table, np.array([2, 0]))
    np.testing.assert_array_equal(held.control, [[6, 7], [0, 1]])
    np.testing.assert_array_equal(held.training, [8, 2])

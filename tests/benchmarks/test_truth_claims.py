"""A few screens of every claim of ``benchmarks.truth`` keep its bounds."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from benchmarks import screens
from benchmarks.truth import de, itself, null, population, power, scores, shares, unshared
from benchmarks.truth.records import Condition, measure

import scpertbias as spb

N = 150


def means(function, condition, n):
    """Mean of each quantity over some screens."""
    return pd.DataFrame([measure(function, condition, seed)[1] for seed in range(n)]).mean()


def test_hardly_any_null_screen_has_a_call():
    # With one mean of the control of a batch for both halves, 30 of 30 perturbations were called on nested batches.
    n = {"balanced": 4, "nested": 6, "few_controls": 6, "small_panel": 8, "nested_few": 6}
    conditions = [condition for condition in null.CLAIM.conditions if condition.shape in n]
    rates = pd.DataFrame([means(null.measure, condition, n[condition.shape]) for condition in conditions])
    assert rates[null.ANY].mean() <= 0.15
    assert rates["perturbations called"].mean() <= 0.01
    assert (rates.drop(columns=null.ANY).mean() <= 0.1).all()


@pytest.mark.parametrize("tails", shares.TAILS)
def test_intervals_of_shares_hold_the_truth(tails):
    held = means(partial(shares.measure, size=N), Condition("uneven", tails, 25), 12)
    assert len(held) == 6
    assert held.min() >= 0.75
    assert held.mean() >= 0.9


@pytest.mark.parametrize("tails", scores.TAILS)
def test_intervals_of_scores_hold_the_truth(tails):
    held = means(partial(scores.measure, size=N), Condition("one_batch", tails, 25), 12)
    assert set(held.index) >= {*scores.METRICS, "variance_ratio"}
    assert held.min() >= 0.7
    assert held.mean() >= 0.85


@pytest.mark.parametrize("shape", ["one_batch", "uneven"])
def test_the_truth_reaches_its_ceiling(shape):
    values = pd.DataFrame([measure(itself.measure, Condition(shape, "gamma", 30), seed)[1] for seed in range(5)])
    for name in values.filter(like="ceiling"):
        score, ceiling = np.array(values[name].tolist()).sum(axis=0)
        assert score / ceiling == pytest.approx(1, abs=0.02), name
    assert values.filter(like="holds 1").mean().mean() >= 0.9


def test_without_shared_noise_nothing_is_scored_without_effects():
    values = means(unshared.measure, Condition("uneven_50_500", "none", 40), 6)
    assert values["mean: pearson_delta"] > 0.15
    assert values.filter(regex="unshared$").abs().max() < 0.06
    assert values.filter(like="interval").min() >= 0.8


def test_without_shared_noise_the_truth_reaches_its_ceiling():
    values = means(partial(unshared.measure, size=N), Condition("one_batch_50_500", "gamma", 40), 5)
    assert values.filter(like="less its ceiling").abs().max() < 0.05
    held = values.filter(like="interval")
    assert len(held) == 20
    assert held.mean() >= 0.85


def test_expected_scores_of_differential_expression_are_those_of_a_screen():
    people = population.population("one_batch_50_500", "gamma", 0, N)
    rows = np.arange(N)
    adata, names = people.draw(rows, 3), people.names(rows)
    predicted = people.control + scores.predicted_effects(people.effects)
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(names[: N - 10]), "test", "train")
    profiles = spb.pp.profiles(adata)
    table = pd.DataFrame(predicted, names, people.genes)[: N - 10]
    spb.tl.add_predictions(profiles, table, key_added="model", test=names[: N - 10], fitted_on="other")
    spb.tl.score(profiles, n_top_genes=adata.n_vars)
    found = spb.get.summary(profiles, subset="all").set_index("metric")["estimate"]
    for name, expected in de.expected_of_means(people, scores.predicted_effects).items():
        assert found[name] == pytest.approx(expected, abs=0.05), name


def test_more_is_detected_than_by_version_1_and_less_without_cause():
    nested = means(power.measure, Condition("nested", "gamma", 40), 4)
    assert nested["sparse: detected"] > 0.6
    assert nested["sparse: false calls"] < 0.05 < nested["sparse: false calls, version 1"]
    balanced = means(power.measure, Condition("balanced", "gamma", 40), 4)
    assert balanced["sparse: detected"] > balanced["sparse: detected, version 1"] + 0.2


# -- the true values ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def people():
    return population.population("uneven", "pareto", 0, N)


def test_moments_are_those_of_single_cells(people):
    adata = people.draw(np.array([3, 5]), 1)
    labels = people.names(np.array([3, 5]))
    mean, variance = population.moments(adata, labels)
    for i, label in enumerate(labels):
        cells = adata[adata.obs["perturbation"] == label]
        x, batch = cells.X.toarray().astype(float), cells.obs["batch"].astype(str).to_numpy()
        np.testing.assert_allclose(mean[i], x.mean(axis=0), atol=1e-6)
        within = sum(((x[batch == b] - x[batch == b].mean(axis=0)) ** 2).sum(axis=0) for b in np.unique(batch))
        np.testing.assert_allclose(variance[i], within / (len(x) - len(np.unique(batch))), atol=1e-5)


def test_cells_of_a_population_are_about_its_true_means(people):
    away = people.observed(people.world.truth["means_by_batch"][0]) - people.control - people.effects
    expected = people.variances.mean() / people.world.cells.iloc[1:].sum(axis=1).mean()
    assert np.square(away).mean() == pytest.approx(expected, rel=0.05)


def test_a_part_of_a_population_keeps_names_and_effects(people):
    rows = np.array([7, 2])
    part = people.part(rows)
    assert list(part.cells.index) == [screens.CONTROL, "P0008", "P0003"]
    np.testing.assert_array_equal(part.log_fold, people.world.log_fold[rows])


def test_few_heavy_tailed_perturbations_hold_most_of_the_response(people):
    def n_effective(effects):
        energy = np.square(effects).sum(axis=1)
        return energy.sum() ** 2 / np.square(energy).sum() / len(energy)

    light = population.population("uneven", "gamma", 0, N)
    assert n_effective(people.effects) < 0.25 < n_effective(light.effects)


def test_the_typical_share_without_noise_is_the_mean_share(people, monkeypatch):
    control = people.world.truth["means_by_batch"][0]
    monkeypatch.setattr(population.Population, "draw_control", lambda *_: control)
    means_, still = people.weights @ control + people.effects, np.zeros_like(people.variances)
    exact = population.Population(people.world, people.effects, people.control, means_, still, people.weights)
    ribo = (people.world.genes["set"] == "ribo").to_numpy()
    expected = np.mean([screens.set_share(effect[None], ribo) for effect in people.effects])
    assert shares.typical_shares(exact)["ribo"] == pytest.approx(expected)


def test_true_scores_of_half_the_effect(people):
    adata = people.draw(np.arange(40), 1)
    mean = people.control + people.effects[:30].mean(axis=0)
    true = scores._Truth(people, people.control + 0.5 * people.effects, mean, np.arange(30), adata)
    rows = np.arange(30, 40)
    assert true.of("variance_ratio", rows) == pytest.approx(0.5)
    missed = 0.25 * np.square(people.effects).sum() / np.square(people.control + people.effects - mean).sum()
    assert true.of("l2_skill", rows) == pytest.approx(1 - missed)
    whole = scores._Truth(people, people.control + people.effects, mean, np.arange(30), adata)
    for name in ("pearson_delta_perturbed_skill", "specific_skill", "specific_slope"):
        assert whole.of(name, rows) == pytest.approx(1, abs=1e-3), name


def test_the_true_skill_of_a_correlation_is_that_of_every_pair(people):
    adata = people.draw(np.arange(40), 1)
    by_batch = population.batch_means(adata, ["control"])[0]
    train = people.observed(by_batch)[:30].mean(axis=0)
    predicted = people.control + scores.predicted_effects(people.effects)
    true = scores._Truth(people, predicted, train, np.arange(30), adata)
    gain, room = 0.0, 0.0
    for seed in range(scores.N_CONTROLS):
        by_batch = people.draw_control(seed)
        observed, c = people.observed(by_batch), people.control_weights @ by_batch
        mean = observed[:30].mean(axis=0)
        for p in range(N):
            score, lowest, best = (
                np.corrcoef(x - c, observed[p] - c)[0, 1]
                for x in (predicted[p], mean, people.control + people.effects[p])
            )
            gain, room = gain + score - lowest, room + best - lowest
    assert true.of("pearson_delta_skill", np.arange(30, 40)) == pytest.approx(gain / room, abs=2e-3)


def test_expected_scores_are_those_of_every_pair(people, monkeypatch):
    """Of one control: correlations and, apart, what noise on both sides takes off them."""
    by_batch, train, n = people.draw_control(5), np.arange(30), len(people.control_weights)
    c, observed = people.control_weights @ by_batch, people.observed(by_batch)
    mean = observed[train].mean(axis=0)
    tau, found = np.linspace(0.1, 0.3, n), {}
    for name, size in (("plain", 0.0), ("unshared", 1.0)):
        still = population.Population(
            people.world, people.effects, people.control, people.means, size * people.variances, people.weights
        )
        monkeypatch.setattr(unshared, "_controls", lambda _, size=size: unshared._Controls([by_batch], size * tau, 0.9))
        monkeypatch.setattr(unshared, "N_CONTROLS", 1)
        found[name] = unshared.expected_scores(still, train, mean, by_batch)
    predicted = people.control + scores.predicted_effects(people.effects)
    own = (people.variances[train].sum(axis=1) / 40).sum() / 30**2
    in_mean = people.weights[train].mean(axis=0)
    for metric, about, model in (
        ("pearson_delta_unshared", c, unshared.MODEL),
        ("pearson_delta_perturbed_unshared", mean, unshared.MODEL),
        ("pearson_delta_unshared", c, "mean"),
    ):
        plain, less = [], []
        for p in range(len(observed)):
            x, y = (mean if model == "mean" else predicted[p]) - about, observed[p] - about
            plain.append(np.corrcoef(x, y)[0, 1])
            w, w_0 = people.weights[p], people.control_weights
            if metric == "pearson_delta_unshared":  # both less the control: −w_0 or −mean w, and −w_p
                shared = ((in_mean if model == "mean" else w_0) * w) @ tau
            else:  # both less the training mean
                shared = ((w_0 - in_mean) * (w - in_mean)) @ tau + own
            less.append(0.9 * shared / (len(x) * x.std() * y.std()))
        assert found["plain"][model, metric] == pytest.approx(np.mean(plain))
        assert found["unshared"][model, metric] == pytest.approx(np.mean(plain) - np.mean(less))

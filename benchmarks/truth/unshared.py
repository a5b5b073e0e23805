"""Scores without shared noise: 0 without effects, the ceiling for the truth, and how often intervals hold.

These are correlations, and scores of differential expression.
Screens have 20, 50 and 100 cells per perturbation, with 100, 500 and 10,000 controls. The expected score of a prediction
is that over a population and over controls, with the training mean of the screen, which follows the control.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

import scpertbias as spb
from benchmarks import screens
from scpertbias._core.de import DE_SCORES

from .de import expected_de, expected_of_means, expected_of_truth
from .population import SETTINGS, Array, Population, batch_means, codes, population
from .records import Aim, Claim, Condition, Values
from .scores import N_TRAIN, predicted_effects
from .shapes import BY_CELLS, SHAPES, batch_key
from .shares import holds

SIZE = 1000
N_TEST = 40
N_CONTROLS = 20
METRICS = ("pearson_delta_unshared", "cosine_delta_unshared", "pearson_delta_perturbed_unshared")
MODEL = "half of the effect"
SKILLS = tuple(f"{name}_skill" for name in METRICS if name.startswith("pearson"))
NULL = ("pearson_delta", *METRICS)


def measure(condition: Condition, seed: int, size: int = SIZE) -> Values:
    """Return scores on a screen without effects, or the truth against its ceiling and what intervals hold."""
    if condition.tails == "none":
        return _null(condition, seed)
    people = population(condition.shape, condition.tails, 0, size)
    rows = np.random.default_rng([seed, condition.n]).choice(size, N_TRAIN + condition.n, replace=False)
    test = people.names(rows[N_TRAIN:])
    adata = people.draw(rows, seed)
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(test), "test", "train")
    profiles = spb.pp.profiles(adata, batch_key=batch_key(adata))
    effects = {"truth": people.effects, MODEL: predicted_effects(people.effects)}
    tables = {name: pd.DataFrame(x[rows[N_TRAIN:]], test, people.genes) for name, x in effects.items()}
    for name, table in tables.items():
        spb.tl.add_predictions(profiles, table + people.control, key_added=name, test=test, fitted_on="other")
    spb.tl.add_predictions(profiles, tables["truth"], key_added="changes", kind="delta", test=test, fitted_on="other")
    spb.tl.fit_mean(profiles)
    spb.tl.fit_no_change(profiles)
    summary = _summary(profiles, adata.n_vars)
    values: Values = {}
    for name, label in (("truth", "means"), ("changes", "changes")):
        for metric in METRICS:
            row = summary.loc[(name, metric)]
            values[f"{label}: {metric} less its ceiling"] = row["estimate"] - row["ceiling"]
    for name in DE_SCORES:
        row = summary.loc[("changes", name)]
        values[f"changes: {name} less its ceiling"] = row["estimate"] - row["ceiling"]
    mean = spb.get.predictions(profiles, "mean").loc[test[0]].to_numpy(float)
    of_control = batch_means(adata, [screens.CONTROL])[0]
    expected = expected_scores(people, rows[:N_TRAIN], mean, of_control)
    expected |= expected_de_scores(people, rows[:N_TRAIN], mean, of_control)
    for (model, metric), value in expected.items():
        if model != "truth":
            row = summary.loc[(model, metric)]
            values[f"{model}: interval of {metric}"] = holds(row["ci_low"], row["ci_high"], value)
    return values


def _null(condition: Condition, seed: int) -> Values:
    settings = SETTINGS | {"truth_cells": 0, "n_perturbations": N_TRAIN + condition.n} | SHAPES[condition.shape]
    adata = screens.normalize(screens.Screen(**settings).plant(seed).draw(seed))
    names = sorted(set(adata.obs["perturbation"]) - {screens.CONTROL})
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(names[N_TRAIN:]), "test", "train")
    profiles = spb.pp.profiles(adata, batch_key=batch_key(adata))
    spb.tl.fit_mean(profiles)
    spb.tl.fit_no_change(profiles)
    spb.tl.fit_ridge(profiles)
    summary = _summary(profiles, adata.n_vars)
    values: Values = {f"mean: {metric}": summary.loc[("mean", metric), "estimate"] for metric in NULL[:-1]}
    values |= {f"ridge: {metric}": summary.loc[("ridge", metric), "estimate"] for metric in METRICS}
    plain = METRICS[-1].removesuffix("_unshared")
    values |= {
        f"no_change: {metric}": summary.loc[("no_change", metric), "estimate"] for metric in (plain, METRICS[-1])
    }
    for model, metric in (("mean", METRICS[0]), ("ridge", METRICS[0]), ("no_change", METRICS[-1])):
        row = summary.loc[(model, metric)]
        values[f"{model}: interval of {metric} holds 0"] = holds(row["ci_low"], row["ci_high"], 0.0)
    return values


def _summary(profiles, n_genes: int) -> pd.DataFrame:
    spb.tl.score(profiles, n_top_genes=n_genes)
    return spb.get.summary(profiles, subset="all").set_index(["model", "metric"])


# -- expected scores, in plain numpy --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Controls:
    """Control means of other cells by batch, their variance summed over genes (B), and what centering leaves of noise."""

    means: list[Array]
    tau: Array
    phi: float


@lru_cache(maxsize=1)
def _controls(people: Population) -> _Controls:
    adata = people.draw(np.empty(0, dtype=np.int64), 10**9)
    cells, batch = adata.X.toarray().astype(float), codes(adata, [screens.CONTROL])[1]
    cells -= batch_means(adata, [screens.CONTROL])[0][batch]
    n = people.world.cells.iloc[0].to_numpy(float)
    total = np.square(cells).sum()
    centered = np.square(cells - cells.mean(axis=1, keepdims=True)).sum()
    return _Controls(
        [people.draw_control(seed) for seed in range(N_CONTROLS)], total / (n.sum() - len(n)) / n, centered / total
    )


def expected_scores(
    people: Population, train: np.ndarray, mean: Array, by_batch: Array
) -> dict[tuple[str, str], float]:
    """Return the mean score of predictions over all perturbations and controls, by model and metric.

    ``mean`` is the training mean of a screen that has the control ``by_batch``.
    """
    controls, w_0 = _controls(people), people.control_weights
    in_mean = w_0 - people.weights[train].mean(axis=0)
    n_cells = people.world.cells.to_numpy(float)[1:].sum(axis=1)
    own = (people.variances[train].sum(axis=1) / n_cells[train]).sum() / len(train) ** 2
    true, predicted = people.control + people.effects, people.control + predicted_effects(people.effects)
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for c_b in controls.means:
        control, observed = w_0 @ c_b, people.observed(c_b)
        moved = mean + in_mean @ (c_b - by_batch)
        # Of each prediction: its weights on the control of the batches, its part in the own noise of the training mean
        none = np.zeros_like(w_0)
        given = {MODEL: (predicted, none, 0), "truth": (true, none, 0), "mean": (moved, in_mean, 1)}
        given["no_change"] = (control, w_0, 0)
        for metric in METRICS:
            perturbed, phi = "perturbed" in metric, 1.0 if "cosine" in metric else controls.phi
            reference, in_reference = (moved, in_mean) if perturbed else (control, w_0)
            for model, (prediction, weights, part) in given.items():
                # Σ_j (x̂ − r)_j (y − r)_j v_j
                shared = ((weights - in_reference) * (w_0 - people.weights - in_reference)) @ controls.tau
                shared = phi * (shared + (1 - part) * own * perturbed)
                sides = [np.broadcast_to(x - reference, observed.shape) for x in (prediction, observed)]
                sides = sides if "cosine" in metric else [x - x.mean(axis=1, keepdims=True) for x in sides]
                lengths = np.prod([np.linalg.norm(x, axis=1) for x in sides], axis=0)
                above = np.einsum("pg,pg->p", *sides) - shared
                score = np.divide(above, lengths, out=np.zeros_like(above), where=lengths > 1e-12)
                totals[model, metric] += float(score.mean()) / N_CONTROLS
    for metric in (name.removesuffix("_skill") for name in SKILLS):
        room = totals["truth", metric] - totals["mean", metric]
        totals[MODEL, f"{metric}_skill"] = (totals[MODEL, metric] - totals["mean", metric]) / room
    constant = {("mean", METRICS[-1]), ("no_change", METRICS[0]), ("no_change", METRICS[1])}
    return {key: value for key, value in totals.items() if key not in constant}


def expected_de_scores(
    people: Population, train: np.ndarray, mean: Array, by_batch: Array
) -> dict[tuple[str, str], float]:
    """Return those of differential expression, with skills; see :func:`expected_scores`."""
    in_mean = people.control_weights - people.weights[train].mean(axis=0)
    models = {
        "truth": expected_of_truth(people),
        MODEL: expected_of_means(people, predicted_effects),
        "mean": expected_de(people, lambda c_b: mean + in_mean @ (c_b - by_batch)),
    }
    scores = {(model, name): value for model, of in models.items() for name, value in of.items()}
    for name in DE_SCORES:
        truth, score, baseline = (scores[model, name] for model in models)
        scores[MODEL, f"{name}_skill"] = (score - baseline) / (truth - baseline)
    return scores


def aim(condition: Condition, quantity: str) -> Aim | None:
    """Return the bounds of scores without effects, of the truth about its ceiling, and of coverage."""
    if "interval" in quantity:
        return (0.92, 1.0)
    if "ceiling" in quantity:
        return (-0.05, 0.05)
    return (-0.02, 0.02) if quantity.endswith("unshared") else None


CLAIM = Claim(
    "unshared",
    (
        *(Condition(shape, "none", N_TEST) for shape in BY_CELLS),
        *(Condition(shape, "gamma", N_TEST) for shape in BY_CELLS if shape.startswith("one_batch")),
    ),
    measure,
    aim,
    lambda condition: 200,
    ("population.py", "scores.py", "shares.py", "de.py"),
)

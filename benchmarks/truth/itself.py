"""The truth given as a prediction: its score over the ceiling, and whether the interval of its skill holds 1."""

from __future__ import annotations

import numpy as np
import pandas as pd

import scpertbias as spb
from benchmarks import screens

from .records import Aim, Claim, Condition, Values
from .shapes import SHAPES, batch_key

SETTINGS = {
    "n_perturbations": 60,
    "n_genes": 150,
    "cells_per_perturbation": (50, 0.3),
    "own_strength": 0.2,
    "axis_strength": 0.15,
    "truth_cells": 512,
}
N_TEST = 30
SCORES = ("l2", "pearson_delta", "pearson_delta_perturbed")


def measure(condition: Condition, seed: int) -> Values:
    """Predict the true effects of half of the perturbations, as means and as changes."""
    world = screens.Screen(**SHAPES[condition.shape] | SETTINGS, tails=condition.tails).plant(seed)
    adata = screens.normalize(world.draw(seed))
    names = list(world.truth["labels"])[1:]
    effects = pd.DataFrame(world.truth["effects"], names, list(world.truth["genes"]))
    test = sorted(np.random.default_rng(seed).permutation(names)[: condition.n])
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(test), "test", "train")
    profiles = spb.pp.profiles(adata, batch_key=batch_key(adata))
    spb.tl.add_predictions(
        profiles, (effects + world.truth["means"][0]).loc[test], key_added="means", test=test, fitted_on="other"
    )
    spb.tl.add_predictions(profiles, effects.loc[test], key_added="changes", kind="delta", test=test, fitted_on="other")
    spb.tl.fit_mean(profiles)
    spb.tl.score(profiles, n_top_genes=adata.n_vars)
    summary = spb.get.summary(profiles, subset="all").set_index(["model", "metric"])
    values = {}
    for model in ("means", "changes"):
        for metric in SCORES:
            score, skill = summary.loc[(model, metric)], summary.loc[(model, f"{metric}_skill")]
            values[f"{model}: {metric} over its ceiling"] = score["estimate"], score["ceiling"]
            known = np.isfinite(skill["ci_low"])
            values[f"{model}: {metric}_skill holds 1"] = skill["ci_low"] <= 1 <= skill["ci_high"] if known else np.nan
    return values


def aim(condition: Condition, quantity: str) -> Aim:
    """Return the bounds: 2 % about the ceiling, and coverage."""
    return (0.92, 1.0) if quantity.endswith("holds 1") else (0.98, 1.02)


CLAIM = Claim(
    "itself",
    (
        *(Condition(s, "gamma", N_TEST) for s in ("one_batch", "nested", "uneven", "nested_few", "uneven_few")),
        *(Condition(s, "pareto", N_TEST) for s in ("one_batch", "uneven")),
    ),
    measure,
    aim,
    lambda condition: 150,
)

"""What may be claimed on screens of known truth (``benchmarks.screens``): ``python -m benchmarks.truth``.

``null``: screens on which nothing responds; how often any perturbation has ``q`` of 0.05 or less.
``itself``: the true effects, given as means and as deltas, over their ceiling, and how often the interval of the skill
holds 1.
"""

import argparse
import logging
import warnings

import numpy as np
import pandas as pd

import scpertbias as spb

from . import screens

NULL_SHAPES = ("balanced", "nested", "uneven", "few_controls", "small_panel", "one_batch", "random")
# Controls of each shape: one batch has no batch_key; the last two have 15 a batch.
ITSELF_SHAPES = {
    "one_batch": {"n_control": 300},
    "nested": {"n_control": 240},
    "uneven": {"n_control": 180},
    "few_controls": {"n_control": 44, "design": "uneven", "n_batches": 3},
    "nested_few": {"n_control": 45, "design": "nested", "n_batches": 3},
}
SCORES = ("l2", "pearson_delta")


def batch_key(adata):
    """``"batch"``, if there is more than one."""
    return "batch" if adata.obs["batch"].nunique() > 1 else None


def called(shape, seed):
    """Perturbations of a screen without effects that are called, and how many there are."""
    adata = screens.normalize(screens.draw(10_000 + seed, shape=shape, plant="none", truth_cells=32))
    spb.pp.check(adata, batch_key=batch_key(adata), min_cells=10)
    q = spb.get.check(adata, check="perturbation")["q"].dropna()
    return int((q <= 0.05).sum()), len(q)


def truth_as_prediction(shape, seed):
    """Rows of ``get.summary`` of the true effects of half of the perturbations, predicted as means and as deltas."""
    settings = {"n_perturbations": 60, "n_genes": 250, "cells_per_perturbation": (50, 0.4), "own_strength": 0.2}
    settings |= {"axis_strength": 0.15, "truth_cells": 1024} | ITSELF_SHAPES[shape]
    world = screens.screen(shape if shape in screens.DESIGNS else "nested", "own", **settings).plant(seed)
    adata = screens.normalize(world.draw(seed + 10**6))
    perturbations = list(world.truth["labels"])[1:]
    effects = pd.DataFrame(world.truth["effects"], perturbations, list(world.truth["genes"]))
    test = sorted(np.random.default_rng(seed).permutation(perturbations)[:30])
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(test), "test", "train")
    profiles = spb.pp.profiles(adata, batch_key=batch_key(adata))
    spb.tl.add_predictions(profiles, (effects + world.truth["means"][0]).loc[test], key_added="means", test=test)
    spb.tl.add_predictions(profiles, effects.loc[test], key_added="delta", kind="delta", test=test)
    spb.tl.fit_mean(profiles)
    spb.tl.score(profiles, n_top_genes=250)
    summary = spb.get.summary(profiles)
    return summary[(summary["subset"] == "all") & summary["model"].isin(["means", "delta"])]


def print_null(n_screens):
    """False calls by shape."""
    print("shape | screens with any call (± standard error) | perturbations called")
    for shape in NULL_SHAPES:
        calls, counted = np.array([called(shape, seed) for seed in range(n_screens)]).T
        rate = (calls > 0).mean()
        error = np.sqrt(max(rate * (1 - rate), 1 / n_screens / 4) / n_screens)
        print(f"{shape} | {rate:.3f} ± {error:.3f} | {calls.sum() / counted.sum():.4f}", flush=True)


def print_itself(n_screens):
    """Score of the truth over its ceiling, and how often the interval of its skill holds 1."""
    print("shape | prediction | metric | mean score / mean ceiling | mean skill | interval holds 1")
    for shape in ITSELF_SHAPES:
        rows = pd.concat([truth_as_prediction(shape, seed) for seed in range(n_screens)])
        for model, of_model in rows.groupby("model"):
            for metric in SCORES:
                score, scaled = (of_model[of_model["metric"] == m] for m in (metric, f"{metric}_skill"))
                ratio = score["estimate"].mean() / score["ceiling"].mean()
                holds = scaled["ci_low"].le(1) & scaled["ci_high"].ge(1)
                print(
                    f"{shape} | {model} | {metric} | {ratio:.3f} | {scaled['estimate'].mean():.3f} | {holds.mean():.2f}",
                    flush=True,
                )


def main():
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=["null", "itself"], default=["null", "itself"])
    parser.add_argument("--screens", type=int, default=200)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    tables = {"null": print_null, "itself": print_itself}
    for table in args.tables:
        tables[table](args.screens)


if __name__ == "__main__":
    main()

"""Which models are called perturbation-specific on screens of known truth: ``python -m benchmarks.specific``.

Models predict the held-out perturbations of screens with a shared axis and effects of their own: the true effects (as
means and as changes), half of each, twice each, those of other perturbations, and their parts along the shared axis. The
table gives the rate of each category of ``specific_skill`` with its standard error, the mean skill, and how often its
interval includes 1. Models keep one split; beside a cross-fitted model they are in an audit with folds.
"""

import argparse
import logging
import warnings

import numpy as np
import pandas as pd

import scpertbias as spb

from . import screens

SHAPES = ("one_batch", "nested")
CASES = ((12, 28, None), (40, 56, None), (12, 8, 20))  # held out, trained on, folds of the audit if it is one
MODELS = ("truth", "truth_as_delta", "half_truth", "double_truth", "wrong_effects", "axis_only")
CATEGORIES = ("perturbation-specific", "right direction, wrong size", "not specific", "")
SETTINGS = {"n_genes": 200, "cells_per_perturbation": (50, 0.4), "n_control": 400, "own_strength": 0.15}
SETTINGS |= {"axis_strength": 0.15, "truth_cells": 256}


def predictions(world, test, rng):
    """Predicted effects by model (perturbations × genes) for the held-out perturbations."""
    labels, genes = list(world.truth["labels"])[1:], list(world.truth["genes"])
    effects = pd.DataFrame(world.truth["effects"], labels, genes).loc[test]
    shift = 1 + rng.integers(len(test) - 1)  # no perturbation keeps its own effects
    order = rng.permutation(len(test))
    wrong = effects.to_numpy()[order[(np.argsort(order) + shift) % len(test)]]
    axis = world.truth["effects"].mean(axis=0)
    along = np.outer(effects.to_numpy() @ axis / (axis @ axis), axis)
    return {
        "truth": effects,
        "truth_as_delta": effects,
        "half_truth": effects / 2,
        "double_truth": effects * 2,
        "wrong_effects": pd.DataFrame(wrong, test, genes),
        "axis_only": pd.DataFrame(along, test, genes),
    }


def specific_rows(shape, n_held_out, n_trained, n_folds, seed):
    """Rows of ``get.specificity`` of all models on one screen; ``n_folds`` puts a cross-fitted mean beside them."""
    world = screens.screen(shape, "own", n_perturbations=n_held_out + n_trained, **SETTINGS).plant(seed)
    adata = screens.normalize(world.draw(seed + 10**6))
    rng = np.random.default_rng(seed)
    test = sorted(rng.permutation(list(world.truth["labels"])[1:])[:n_held_out])
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(test), "test", "train")
    profiles = spb.pp.profiles(adata, batch_key=None if shape == "one_batch" else "batch", min_cells=10)
    control = world.truth["means"][0]
    for name, effects in predictions(world, test, rng).items():
        as_delta = name == "truth_as_delta"
        table, kind = (effects, "delta") if as_delta else (effects + control, "expression")
        spb.tl.add_predictions(profiles, table, key_added=name, kind=kind, test=test)
    if n_folds is not None:
        data = spb.tl.audit(profiles, models=("mean",), regimes=("full",), n_folds=n_folds, n_random=0)
        return spb.get.specificity(data)
    spb.tl.specificity(profiles, n_perm=10)
    return spb.get.specificity(profiles)


def rates(rows):
    """Rate of each category by model, the mean skill, and how often its interval includes 1."""
    skills = rows[rows["metric"] == "specific_skill"]
    table = pd.DataFrame(
        {c or "no verdict": skills["category"].eq(c).groupby(skills["model"]).mean() for c in CATEGORIES}
    )
    table["mean skill"] = skills.groupby("model")["score"].mean()
    holds = skills["ci_low"].le(1) & skills["ci_high"].ge(1)
    table["interval includes 1"] = holds.where(skills["ci_low"].notna()).astype(float).groupby(skills["model"]).mean()
    return table.loc[list(MODELS)]


def print_rates(cases, n_screens):
    """Print one line per shape, case and model."""
    words = " | ".join(c or "no verdict" for c in CATEGORIES)
    print(f"shape | held out | trained on | folds | model | {words} | mean skill | interval includes 1")
    for shape in SHAPES:
        for case in cases:
            rows = pd.concat([specific_rows(shape, *case, seed) for seed in range(n_screens)])
            for model, row in rates(rows).iterrows():
                error = [np.sqrt(max(r * (1 - r), 1 / n_screens / 4) / n_screens) for r in row.iloc[:4]]
                shares = " | ".join(f"{r:.3f} ± {e:.3f}" for r, e in zip(row.iloc[:4], error, strict=True))
                words = " | ".join(map(str, case))
                print(f"{shape} | {words} | {model} | {shares} | {row.iloc[4]:.3f} | {row.iloc[5]:.2f}", flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screens", type=int, default=200)
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this one of the cases")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    print_rates(CASES if args.case is None else [CASES[args.case]], args.screens)


if __name__ == "__main__":
    main()

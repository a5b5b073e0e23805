"""How often each verdict is given on screens of known truth (``benchmarks.screens``): ``python -m benchmarks.verdicts``.

``null``: screens on which nothing responds, of every shape; a verdict is wrong where it claims a response (that the
perturbations worked, that the response is shared or technical, or that a model is to be trusted).
``planted``: screens on which one thing is planted, and how often the intended verdict is given.
``leaks``: how often honest predictions, and predictions that were made from the held-out cells, are too good to be trusted.
"""

import argparse
import logging
import warnings
from collections import Counter

import numpy as np
import pandas as pd

import scpertbias as spb
from scpertbias._report.content import content
from scpertbias._report.verdicts.leakage import EVIDENCE

from . import screens

QUESTIONS = ("screen", "shared", "technical", "models")
CLAIMS = {
    "screen": ("all_detected", "some_detected"),
    "shared": ("axis_of_all", "axis_of_few", "axis_of_some", "axis_in_part", "small_axis", "no_axis"),
    "technical": ("batch", "technical_sets", "technical_sets_in_part", "depth", "program", "no_sign", "large_sets"),
    "models": ("perturbation_specific", "specific_not_better", "right_direction", "better_along_axis"),
}
"""Verdicts that no null screen deserves."""
SIZE = {"n_genes": 400, "n_perturbations": 60, "cells_per_perturbation": 40, "n_control": 400, "truth_cells": 32}
LARGE = {"n_perturbations": 25, "cells_per_perturbation": 150, "n_control": 800}
"""A pathway of 5 of 25 perturbations, in as many cells as in Papalexi et al."""
ALL = ("axis_of_all", "axis_of_some", "axis_of_few")
SETS = ("technical_sets", "technical_sets_in_part")
PLANTED = {
    "axis": ({"plant": "axis"}, "shared", ALL),
    "pathway": ({"plant": "pathway", **LARGE}, "shared", ("axis_of_few",)),
    "own_strong": ({"plant": "own_strong"}, "shared", ("small_axis", "no_axis")),
    "few_strong": ({"plant": "few_strong"}, "shared", ("small_axis", "no_axis")),
    "sets": ({"plant": "sets"}, "technical", SETS),
    "mt_rise": ({"plant": "mt_rise"}, "technical", SETS),
    "batch_only": ({"plant": "batch_only", "batch_key": None}, "technical", ("batch",)),
    "batch_adopted": ({"plant": "batch_only"}, "shared", ("no_response",)),
    "depth_only": ({"plant": "depth_only"}, "technical", ("depth",)),
    "mediators": ({"plant": "mediators"}, "technical", ("no_sign", "not_tested", "large_sets", "program")),
}
"""What is planted, the question, and the kinds of the intended verdict (any of them)."""
WITH_EFFECTS = {
    "own": {"plant": "own"},
    "own_strong": {"plant": "own_strong"},
    "axis": {"shape": "one_batch", "plant": "axis"},
    "uneven": {"shape": "uneven", "plant": "own"},
    "few_cells": {"shape": "random", "plant": "own", "cells_per_perturbation": 20},
    "few_controls": {"shape": "few_controls", "plant": "own", "n_control": 44},
    "few_strong": {"plant": "few_strong"},
    "few_perturbations": {"plant": "own", "n_perturbations": 24},
    "large_effects": {"plant": "own", "own_strength": 0.3, "cells_per_perturbation": 150},
    "large_axis": {"plant": "axis", "axis_strength": 0.3, "own_strength": 0.15, "cells_per_perturbation": 150},
}
"""Screens on which leaks are looked for."""
HONEST = ("ridge", "truth", "truth_and_noise", "truth_and_less_noise")
LEAKED = ("leaked", "leaked_delta", "half_of_cells", "half_of_effect", "half_copied")


def kinds(seed, *, shape="balanced", plant="none", batch_key="auto", **changes):
    """Kind of each verdict on one screen, with the closed-form models."""
    adata = screens.normalize(screens.draw(seed, shape=shape, plant=plant, **{**SIZE, **changes}))
    adata.obs["total_counts"] = adata.obs["total"]
    mdata = spb.tl.audit(
        adata, models=("mean", "no_change", "ridge"), regimes=("full",), n_random=0, batch_key=batch_key, min_cells=10
    )
    return {one["name"]: one["kind"] for one in content(mdata)["answer"]}


def rate(hits):
    """A rate with its Monte-Carlo standard error."""
    n, share = len(hits), float(np.mean(hits))
    return f"{share:.3f} ± {np.sqrt(max(share * (1 - share), 1 / n / 4) / n):.3f}"


def print_null(n_screens):
    """Wrong claims and the kinds given, by shape and question."""
    print("shape | question | wrong (± standard error) | kinds")
    for shape, settings in screens.DESIGNS.items():
        fixed = {key: value for key, value in settings.items() if key in SIZE}
        made = [kinds(10_000 + seed, shape=shape, **fixed) for seed in range(n_screens)]
        for question in QUESTIONS:
            given = [one[question] for one in made]
            wrong = [kind in CLAIMS[question] for kind in given]
            print(f"{shape} | {question} | {rate(wrong)} | {dict(Counter(given))}", flush=True)


def print_planted(n_screens):
    """The intended verdict and all that are given, by what is planted."""
    print("planted | question | intended (± standard error) | kinds")
    for name, (settings, question, intended) in PLANTED.items():
        given = [kinds(20_000 + seed, **settings)[question] for seed in range(n_screens)]
        print(
            f"{name} | {question} | {rate([k in intended for k in given])} | {dict(Counter(given))}",
            flush=True,
        )


def predictions_of(cells, seed):
    """A screen of which half of the perturbations are held out, with honest and leaked predictions of these.

    Noise of honest predictions has the variance of half or a quarter of the noise of the observed means. ``half_of_cells``
    are means of half of the held-out cells, ``half_of_effect`` lies between the observed and the training mean, and of
    ``half_copied`` every second prediction is the observed mean.
    """
    rng = np.random.default_rng(seed)
    truth = cells.uns["truth"]
    adata = screens.normalize(cells)
    labels = adata.obs["perturbation"].to_numpy(str)
    held_out = sorted(rng.permutation(truth["labels"][1:])[: (len(truth["labels"]) - 1) // 2])
    spb.pp.split(adata, test=held_out)
    values = pd.DataFrame(adata.X.toarray().astype(float), columns=adata.var_names)
    groups = values.groupby(labels)
    means, control = groups.mean(), labels == screens.CONTROL
    observed = means.loc[held_out]
    trained = means.drop(index=[*held_out, screens.CONTROL]).mean()
    some = (rng.random(len(labels)) < 0.5) & ~control
    effects = pd.DataFrame(truth["effects"], index=truth["labels"][1:], columns=adata.var_names).loc[held_out]
    size = groups.size().loc[held_out].to_numpy()[:, None]
    noise = rng.normal(size=effects.shape) * np.sqrt(groups.var().loc[held_out] / size)
    every_second = np.arange(len(held_out)) % 2 == 0
    true = effects + truth["means"][0]
    tables = {
        "truth": true,
        "truth_and_noise": true + np.sqrt(0.5) * noise,
        "truth_and_less_noise": true + 0.5 * noise,
        "leaked": observed,
        "leaked_delta": {"predictions": observed - means.loc[screens.CONTROL], "kind": "delta"},
        "half_of_cells": values[some].groupby(labels[some]).mean().loc[held_out],
        "half_of_effect": (observed + trained) / 2,
        "half_copied": observed.where(np.broadcast_to(every_second[:, None], observed.shape), trained, axis=1),
    }
    del adata.uns["truth"]
    return adata, tables


def suspected(screen):
    """The models of an audit that are too good to be trusted."""
    adata, tables = screen
    models, batches = ("mean", "ridge"), "batch" if adata.obs["batch"].nunique() > 1 else None
    mdata = spb.tl.audit(
        adata, models=models, predictions=tables, regimes=("full",), n_random=0, batch_key=batches, min_cells=5
    )
    return {one["facts"]["model"] for one in content(mdata)["cautions"] if one["kind"] in EVIDENCE}


def print_leaks(n_screens):
    """How often each kind of predictions is too good to be trusted."""
    print("screen | predictions | too good (± standard error)")
    all_suspects = {}
    for i, (name, settings) in enumerate(WITH_EFFECTS.items()):
        seeds = range(30_000 + i, 30_000 + n_screens, len(WITH_EFFECTS))
        all_suspects[name] = [
            suspected(predictions_of(screens.draw(seed, **{**SIZE, **settings}), seed)) for seed in seeds
        ]
    all_suspects["all"] = [one for some in all_suspects.values() for one in some]
    for name, suspects in all_suspects.items():
        for model in (*HONEST, *LEAKED):
            print(f"{name} | {model} | {rate([model in some for some in suspects])}", flush=True)


def main():
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=["null", "planted", "leaks"], default=["null", "planted"])
    parser.add_argument("--screens", type=int, default=100)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    tables = {"null": print_null, "planted": print_planted, "leaks": print_leaks}
    for table in args.tables:
        tables[table](args.screens)


if __name__ == "__main__":
    main()

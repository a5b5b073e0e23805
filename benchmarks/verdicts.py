"""How often each verdict is given on screens of known truth (``benchmarks.screens``): ``python -m benchmarks.verdicts``.

``null``: screens on which nothing responds, of every shape; a verdict is wrong where it claims a response (that the
perturbations worked, that the response is shared or technical, or that a model is to be trusted).
``planted``: screens on which one thing is planted, and how often the intended verdict is given.
"""

import argparse
import logging
import warnings
from collections import Counter

import numpy as np

import scpertbias as spb
from scpertbias._report.content import content

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


def main():
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=["null", "planted"], default=["null", "planted"])
    parser.add_argument("--screens", type=int, default=100)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    tables = {"null": print_null, "planted": print_planted}
    for table in args.tables:
        tables[table](args.screens)


if __name__ == "__main__":
    main()

"""The strip of verdicts: a name or word, one short sentence, and what to do, for each kind of verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..numbers import between, known, listed, percent, percent_interval, short, upper
from . import word
from .response import ADDED
from .terms import Facts, genes_of, set_name, verb, without

TILES = {
    "screen": "Did the perturbations work?",
    "shared": "Is the response shared?",
    "technical": "Is it technical?",
    "models": "Which model to trust?",
    "retraining": "Does retraining help?",
}
"""The questions of the strip; that of recurring genes stands in the evidence."""
MOST_NAMED = 3
ADD = "Add cells or perturbations."
NOTHING = "Nothing to do."
KEEP = "Keep these genes in the data."
HOLD_OUT = "Hold out more perturbations."
DISTINGUISH = "Add models that distinguish perturbations."
ADD_MODELS = "Add models to compare."


class Tile(NamedTuple):
    """What a tile says: ``word`` is the verdict or a model, ``action`` what to do next."""

    word: str
    text: str
    action: str


def tile(verdict: Mapping[str, Any]) -> Tile:
    """Return the words of one verdict, as the file holds it."""
    model, text, action = WORDS[verdict["name"], verdict["kind"]](verdict["facts"])
    return Tile(model or word(verdict["text"]), text, action)


def _share(f: Facts) -> str:
    if not known(f["ci_low"], f["ci_high"]):
        return percent(f["share"])
    return f"{percent(f['share'])} ({percent_interval(f['ci_low'], f['ci_high'])})"


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return listed([*names[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])])


def _detected(f: Facts) -> str:
    return f"{f['n_detected']} of {f['n']} perturbations have a detected effect."


def _some_detected(f: Facts) -> tuple[str, str, str]:
    if f["confounded_with"]:
        return "", _detected(f), f"These effects may be differences between levels of {f['confounded_with'][0]}."
    return "", _detected(f), "Evaluate models on “specific” perturbations."


def _axis(f: Facts) -> tuple[str, str, str]:
    names = f["carriers"]
    main = f"{verb(names, 'Main perturbations', 'Main perturbation')}: {_some(names)} ({len(names)} of {f['n']})."
    text = f"One axis accounts for {_share(f)} of the response. {main}"
    return "", text, "Judge models by specific skill."


def _sets(f: Facts) -> tuple[str, str, str]:
    action = (
        "Compare models with and without these genes."
        if {f["axis"], *f["others"]} & {"mt", "ribo"}
        else "Check whether cells are stressed."
    )
    return "", _with_random(f"{upper(genes_of(f['axis']))} account", f), action


def _program(f: Facts) -> tuple[str, str, str]:
    name = set_name(f["axis"]).removeprefix("Hallmark ")
    return "", _with_random(f"The program “{name}” accounts", f), KEEP


def _with_random(accounts: str, f: Facts) -> str:
    return f"{accounts} for {_share(f)} of the response; random genes account for {percent(f['null'])}."


def _best(f: Facts, value: str) -> int:
    return max(range(len(f[value])), key=lambda i: f[value][i] if known(f[value][i]) else float("-inf"))


def _others(f: Facts) -> str:
    n = len(f["model"]) - 1
    return f" {n} other {'model does' if n == 1 else 'models do'} too." if n else ""


def _specific(words: str, action: str, f: Facts) -> tuple[str, str, str]:
    i = _best(f, "specific_skill")
    ends = between(f["specific_ci_low"][i], f["specific_ci_high"][i], short)
    text = f"{words} (specific skill {short(f['specific_skill'][i])}, {ends}).{_others(f)}"
    return f["model"][i], text, action


def _better(words: str, action: str, f: Facts) -> tuple[str, str, str]:
    i = _best(f, "skill")
    text = f"This model is better than the mean baseline, {words} (skill {short(f['skill'][i])}, {between(f['ci_low'][i], f['ci_high'][i], short)})."
    return f["model"][i], text, action


def _model_words(f: Facts) -> str:
    return f["model"][0] if len(f["model"]) == 1 else f"{len(f['model'])} models"


def _gain(ending: str, action: str, f: Facts) -> tuple[str, str, str]:
    return "", f"Retraining {without(f['regime'])} improves {_model_words(f)}. {ending}.", action


def _worse(f: Facts) -> tuple[str, str, str]:
    return "", f"Retraining {without(f['regime'])} makes {_model_words(f)} worse.", KEEP


NOT_TESTED = {"technical_sets": "too few technical genes are measured", "columns": "no batch column could be tested"}
Words = Callable[[Facts], tuple[str, str, str]]
WORDS: dict[tuple[str, str], Words] = {
    ("screen", "all_detected"): _some_detected,
    ("screen", "some_detected"): _some_detected,
    ("screen", "only_together"): lambda f: (
        "",
        "No single effect is detected, but the sum of squared effects exceeds noise.",
        ADD,
    ),
    ("screen", "none_detected"): lambda f: ("", f"None of {f['n']} perturbations has a detected effect.", ADD),
    ("shared", "axis_of_all"): _axis,
    ("shared", "axis_of_few"): _axis,
    ("shared", "axis_of_some"): _axis,
    ("shared", "axis_in_part"): _axis,
    ("shared", "small_axis"): lambda f: (
        "",
        f"One shared axis accounts for only {_share(f)} of the response.",
        NOTHING,
    ),
    ("shared", "no_axis"): lambda f: ("", "No shared axis is measurable.", NOTHING),
    ("shared", "axis_not_measurable"): lambda f: (
        "",
        "A shared axis is measurable for too small a part of the response.",
        ADD,
    ),
    ("shared", "wide_interval"): lambda f: (
        "",
        f"One axis accounts for {_share(f)} of the response. This interval is too wide.",
        ADD,
    ),
    ("shared", "no_response"): lambda f: ("", "The sum of squared effects does not exceed noise.", ADD),
    ("shared", "not_computed"): lambda f: (
        "",
        "Shares of the response were not computed.",
        "Repeat the audit with these shares.",
    ),
    ("technical", "batch"): lambda f: (
        "",
        f"Different proportions of the levels of {f['column']} in perturbed and control cells account for {percent(f['share'])} of the response.",
        f"Repeat the audit with {f['column']} as the batch column.",
    ),
    ("technical", "technical_sets"): _sets,
    ("technical", "technical_sets_in_part"): _sets,
    ("technical", "depth"): lambda f: (
        "",
        f"Sequencing depth accounts for {percent(f['share'])} of the response.",
        "Regress depth out, unless the perturbations change depth.",
    ),
    ("technical", "program"): _program,
    ("technical", "no_sign"): lambda f: (
        "",
        "No technical gene set or cell column accounts for much of the response.",
        NOTHING,
    ),
    ("technical", "large_sets"): lambda f: (
        "",
        _with_random(f"{upper(genes_of(f['axis']))} account", f),
        "Compare models with and without these genes.",
    ),
    ("technical", "not_tested"): lambda f: (
        "",
        f"Not tested: {' and '.join(NOT_TESTED[m] for m in f['missing'])}.",
        f"Add {' and '.join(ADDED[m] for m in f['missing'])}.",
    ),
    ("technical", "no_response"): lambda f: ("", "The sum of squared effects does not exceed noise.", ADD),
    ("technical", "not_computed"): lambda f: (
        "",
        "Shares of the response were not computed.",
        "Repeat the audit with these shares.",
    ),
    ("models", "no_models"): lambda f: ("", "No model was fitted.", "Add models to the audit."),
    ("models", "only_baseline"): lambda f: (
        "",
        "Only the mean baseline was fitted.",
        ADD_MODELS,
    ),
    ("models", "too_few_held_out"): lambda f: ("", "Too few held-out perturbations for an interval.", HOLD_OUT),
    ("models", "no_response"): lambda f: ("", "The sum of squared effects does not exceed noise.", ADD),
    ("models", "perturbation_specific"): lambda f: _specific(
        "This model predicts specific effects better than the mean baseline",
        "Validate the predictions that you need.",
        f,
    ),
    ("models", "specific_not_better"): lambda f: _specific(
        "This model predicts specific effects, but is not better than the mean baseline",
        "Check the shared part of its predictions.",
        f,
    ),
    ("models", "right_direction"): lambda f: _specific(
        "This model predicts the direction of specific effects, but not their size", "Use ranks, not sizes.", f
    ),
    ("models", "better_along_axis"): lambda f: _better(
        "but only along the shared axis", "Use it for the shared effect only.", f
    ),
    ("models", "better_not_assessed"): lambda f: _better("but its specificity is unknown", HOLD_OUT, f),
    ("models", "too_good"): lambda f: (
        "",
        f"The predictions of {_model_words(f)} contain noise of the held-out cells.",
        "Exclude leakage first.",
    ),
    ("models", "none_better"): lambda f: (
        "",
        f"No model predicts better than the mean of the training perturbations (n = {f['n']}).",
        "Use the mean baseline.",
    ),
    ("models", "all_constant"): lambda f: (
        "",
        "Each assessed model predicts one profile for all unseen perturbations.",
        DISTINGUISH,
    ),
    ("retraining", "only_baseline"): lambda f: ("", "Only the mean baseline was fitted.", ADD_MODELS),
    ("retraining", "only_baseline_retrained"): lambda f: (
        "",
        "Only the mean baseline was retrained.",
        ADD_MODELS,
    ),
    ("retraining", "no_regime"): lambda f: (
        "",
        "No model was retrained without mitochondrial or ribosomal genes.",
        "Measure these genes." if f["left_out"] else "Retrain models without these genes.",
    ),
    ("retraining", "too_few_held_out"): lambda f: (
        "",
        "Too few held-out perturbations for an interval.",
        HOLD_OUT,
    ),
    ("retraining", "better_than_random"): lambda f: _gain(
        "Removing random genes helps less", "Leave these genes out.", f
    ),
    ("retraining", "better_not_than_random"): lambda f: _gain("Removing random genes can help as much", KEEP, f),
    ("retraining", "better_random_not_tested"): lambda f: _gain(
        "Removal of random genes was not tested", "Repeat with random removals.", f
    ),
    ("retraining", "only_constants_retrained"): lambda f: (
        "",
        "Constant predictions cannot show the effect of retraining.",
        DISTINGUISH,
    ),
    ("retraining", "nothing_changes"): lambda f: (
        "",
        f"Retraining {without(f['regime'])} leaves all relative errors unchanged.",
        KEEP,
    ),
    ("retraining", "worse"): _worse,
    ("retraining", "no_significant_gain"): lambda f: (
        "",
        f"{upper(without(f['regime']))}, no model improves significantly.",
        HOLD_OUT,
    ),
}

SHORT_CAUTIONS: dict[str, Callable[[Facts], str]] = {
    "labels_confounded": lambda f: f"perturbations are confounded with {f['column']}",
    "cells_left_out": lambda f: f"{percent(f['n_left_out'] / f['n_cells'])} of the cells were left out",
    "few_controls": lambda f: (
        f"only {f['fewest_controls']} control cells in a batch"
        if f["n_batches"] > 1
        else f"only {f['fewest_controls']} control cells"
    ),
    "few_genes": lambda f: f"only {f['n_genes']} genes",
    "column_adopted": lambda f: f"the audit uses {f['column']} as batch",
    "cannot_be_separated": lambda f: f"effects cannot be separated from {f['column']}",
    "labels_shifted": lambda f: "expression values and gene names do not seem to match",
    "observed_means": lambda f: f"predictions of {f['model']} equal observed means",
    "above_ceiling": lambda f: f"{f['model']} scores above the noise ceiling",
    "correlation_above_ceiling": lambda f: f"{f['model']} correlates above the noise ceiling",
}
"""The severe cautions in a few words, for the line above the verdicts; their sentences stand below it."""

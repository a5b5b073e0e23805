"""Sentences about models: can any predict an unseen perturbation, and what may be believed of its scores?"""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import between, by_words, known, listed, percent, percent_interval, short
from .terms import BASELINES, UNLINKED, Facts, estimates, rows_of, sample_size, some_names, verb

SPECIFIC = ("specific_skill", "model", "specific_ci_low", "specific_ci_high")


def _best(f: Facts, value: str) -> int:
    return max(range(len(f[value])), key=lambda i: f[value][i] if known(f[value][i]) else float("-inf"))


def _one(f: Facts, i: int, value: str, low: str = "ci_low", high: str = "ci_high") -> str:
    """Return an estimate of one model, with its interval and n."""
    size = sample_size(f["n"][i], f["n_effective"][i])
    return f"{short(f[value][i])} (95% CI {between(f[low][i], f[high][i], short)}, {size})"


def _too_good(f: Facts) -> str:
    high = f["above_ceiling"]
    return f" {some_names(high)} {verb(high, 'are', 'is')} above the noise ceiling: check for leakage." if high else ""


def _perturbation_specific(f: Facts) -> str:
    i, models = _best(f, "specific_skill"), f["model"]
    do = verb(models, "predict", "predicts")
    return (
        f"Yes. {some_names(models)} {do} perturbation-specific effects better than the mean baseline. The specific skill of "
        f"{models[i]} is {_one(f, i, 'specific_skill', 'specific_ci_low', 'specific_ci_high')}.{_too_good(f)} Use "
        f"{models[i]}, and check the effects that you need"
    )


def _specific_not_better(f: Facts) -> str:
    i, models = _best(f, "specific_skill"), f["model"]
    do = verb(models, "predict", "predicts")
    return (
        f"Partly. {some_names(models)} {do} perturbation-specific effects but not the whole effect better than the mean "
        f"baseline. The specific skill of {models[i]} is "
        f"{_one(f, i, 'specific_skill', 'specific_ci_low', 'specific_ci_high')}.{_too_good(f)} Check the shared part of its "
        "predictions"
    )


def _right_direction(f: Facts) -> str:
    i, models = _best(f, "specific_skill"), f["model"]
    do = verb(models, "predict", "predicts")
    return (
        f"Partly. {some_names(models)} {do} the direction of specific effects but not their size. The specific effects of "
        f"{models[i]} fit best when multiplied by {short(f['specific_slope'][i])}.{_too_good(f)} Use directions and ranks, "
        "not sizes"
    )


def _better(words: str, action: str, f: Facts) -> str:
    i, models = _best(f, "skill"), f["model"]
    do = verb(models, "are", "is")
    return (
        f"Partly. {some_names(models)} {do} more accurate than the mean baseline, {words}. The skill of {models[i]} is "
        f"{_one(f, i, 'skill')}.{_too_good(f)} {action}"
    )


def _none_better(f: Facts) -> str:
    return (
        "None. No model predicts unseen perturbations significantly better than the mean of the training perturbations "
        f"({sample_size(f['n'], f['n_effective'])}). Use the mean baseline"
    )


def _compared(words: str, f: Facts) -> str:
    return f"{words}, by skill: {estimates(f, 'skill')}"


def _specific(words: str, f: Facts) -> str:
    return f"{words}, by specific skill: {estimates(f, *SPECIFIC)}"


def _wrong_size(f: Facts) -> str:
    parts = [f"{r['model']} ({short(r['specific_slope'])} times)" for r in rows_of(f, "model", "specific_slope")]
    return f"Right direction but wrong size, with the factor that fits best: {listed(parts)}"


def _external(words: str, f: Facts) -> str:
    others = [BASELINES.get(name, name) for name in f["other"]]
    differences = estimates({**f, "other": others}, "difference", "other")
    return f"On the perturbations that all models predict, {f['model']} {words} {differences}"


def _constant(f: Facts) -> str:
    do = verb(f["model"], "predict", "predicts")
    return (
        f"{listed(f['model'])} {do} the same profile for every unseen perturbation, so no score shows knowledge of one. "
        f"Skill: {estimates(f, 'skill')}"
    )


def _without_links(f: Facts) -> str:
    return f"{listed(f['model'])} {verb(f['model'], 'are', 'is')} not evaluated: {UNLINKED}"


def _collapsed(f: Facts) -> str:
    ways = [
        f"({percent(r['ratio'])} of the observed variance, 95% CI {percent_interval(r['ci_low'], r['ci_high'])})"
        for r in rows_of(f, "ratio", "ci_low", "ci_high")
    ]
    return f"Nearly the same predictions as {BASELINES.get(f['baseline'], f['baseline'])}: {by_words(f['model'], ways)}"


def _correlation_of_mean(f: Facts) -> str:
    ceiling = f", noise ceiling {short(f['ceiling'])}" if known(f["ceiling"]) else ""
    ends, size = between(f["ci_low"], f["ci_high"], short), sample_size(f["n"], f["n_effective"])
    return (
        f"The mean baseline alone correlates with the observed effects by {short(f['estimate'])} without shared noise "
        f"(95% CI {ends}, {size}{ceiling}). Correlation counts only beyond that"
    )


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "no_models": lambda f: "Not tested. No model was fitted; this report covers the screen only",
    "only_baseline": lambda f: "Not tested. Only the mean baseline was fitted. Add models to compare with it",
    "too_few_held_out": lambda f: (
        "Inconclusive. No model has enough held-out perturbations, or room between baseline and noise ceiling, for an "
        "interval. Hold out more perturbations"
    ),
    "perturbation_specific": _perturbation_specific,
    "specific_not_better": _specific_not_better,
    "right_direction": _right_direction,
    "better_along_axis": lambda f: _better(
        "but not perturbation-specific", "Use it for the shared effect, not for differences between perturbations", f
    ),
    "better_not_assessed": lambda f: _better(
        "but specificity could not be assessed", "Hold out more perturbations before you use it", f
    ),
    "none_better": _none_better,
    "all_constant": lambda f: (
        "None. Every assessed model predicts the same profile for all unseen perturbations "
        f"({sample_size(f['n'])}). Add models that distinguish perturbations"
    ),
    "better_than_mean": lambda f: _compared("Better than the mean baseline", f),
    "worse_than_mean": lambda f: _compared("Worse than the mean baseline", f),
    "same_as_mean": lambda f: _compared("Not significantly different from the mean baseline", f),
    "no_verdict": lambda f: f"No verdict on {f['model']}: {f['reason']}",
    "specific_effects": lambda f: _specific("Perturbation-specific", f),
    "wrong_size": _wrong_size,
    "not_specific": lambda f: _specific("Not specific", f),
    "pearson_skill": lambda f: (
        f"Skill by correlation beyond the mean effect, without shared noise: {estimates(f, 'estimate')}"
    ),
    "equal_weights": lambda f: (
        "Skill weights strong perturbations most. When each counts equally, the error relative to the mean baseline (below 1 "
        f"is better) is: {estimates(f, 'estimate')}"
    ),
    "external_better": lambda f: _external("has a lower relative error than", f),
    "external_worse": lambda f: _external("has a higher relative error than", f),
    "external_same": lambda f: _external("does not differ significantly from", f),
    "constant_predictions": _constant,
    "graph_without_links": _without_links,
    "collapsed": _collapsed,
    "correlation_of_mean": _correlation_of_mean,
}

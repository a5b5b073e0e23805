"""Sentences about models: can any predict an unseen perturbation, and what may be believed of its scores?"""

from __future__ import annotations

from collections.abc import Callable

from ..._tables.specificity import PERTURBATION_SPECIFIC, SPECIFIC_ABOVE
from ..numbers import between, by_words, known, listed, short
from ..verdicts.base import MIN_HELD_OUT
from .terms import (
    BASELINES,
    EXCLUDE_LEAKAGE,
    UNLINKED,
    Facts,
    estimates,
    leakage,
    rows_of,
    said_of,
    sample_size,
    some_names,
    values,
    verb,
)

SPECIFIC = ("specific_skill", "model", "specific_ci_low", "specific_ci_high")


def _best(f: Facts, value: str) -> int:
    return max(range(len(f[value])), key=lambda i: f[value][i] if known(f[value][i]) else float("-inf"))


def _one(f: Facts, i: int, value: str, low: str = "ci_low", high: str = "ci_high") -> str:
    """Return an estimate of one model, with its interval and n."""
    size = sample_size(f["n"][i], f["n_effective"][i])
    return f"{short(f[value][i])} (95% CI {between(f[low][i], f[high][i], short)}, {size})"


def _others_too_good(f: Facts) -> str:
    """Return which other models are left out of the verdict."""
    high = f["too_good"]
    them = verb(high, "these models", "this model")
    results = verb(high, "results", "result")
    return (
        f" The {results} of {some_names(high)} {verb(high, 'are', 'is')} too good to be trusted, so exclude leakage before "
        f"you use {them}."
        if high
        else ""
    )


def _too_good(f: Facts) -> str:
    rows = rows_of(f, "model", "evidence", "n", "n_effective", "estimate", "ci_low", "ci_high", "n_copied")
    others = f["model"][1:]
    also = f" The results of {some_names(others)} are too good, too." if others else ""
    them = verb(f["model"], "These results are", "This result is")
    return (
        f"Inconclusive. {leakage(rows[0])}.{also} {them} too good to be trusted until leakage is excluded. {EXCLUDE_LEAKAGE}, "
        "then repeat the audit"
    )


def _perturbation_specific(f: Facts) -> str:
    i, models = _best(f, "specific_skill"), f["model"]
    do = verb(models, "predict", "predicts")
    return (
        f"Yes. {some_names(models)} {do} perturbation-specific effects better than the mean baseline does. The specific skill "
        f"of {models[i]} is {_one(f, i, 'specific_skill', 'specific_ci_low', 'specific_ci_high')}.{_others_too_good(f)} Use "
        f"{models[i]}, and validate the predictions that you need"
    )


def _specific_not_better(f: Facts) -> str:
    i, models = _best(f, "specific_skill"), f["model"]
    do = verb(models, "predict", "predicts")
    return (
        f"Partly. {some_names(models)} {do} the perturbation-specific part of effects, but {verb(models, 'are', 'is')} not "
        f"better than the mean baseline for whole effects. The specific skill of {models[i]} is "
        f"{_one(f, i, 'specific_skill', 'specific_ci_low', 'specific_ci_high')}.{_others_too_good(f)} Check the shared part of the "
        "predictions"
    )


def _right_direction(f: Facts) -> str:
    i, models = _best(f, "specific_skill"), f["model"]
    do = verb(models, "predict", "predicts")
    return (
        f"Partly. {some_names(models)} {do} the direction of perturbation-specific effects, but not their size. The specific "
        f"effects predicted by {models[i]} fit the data best when they are multiplied by {short(f['specific_slope'][i])}.{_others_too_good(f)} Use directions "
        "and ranks, not sizes"
    )


def _better(words: str, action: str, f: Facts) -> str:
    i, models = _best(f, "skill"), f["model"]
    do = verb(models, "are", "is")
    return (
        f"Partly. {some_names(models)} {do} more accurate than the mean baseline, {words}. The skill of {models[i]} is "
        f"{_one(f, i, 'skill')}.{_others_too_good(f)} {action.format(models[i])}"
    )


def _none_better(f: Facts) -> str:
    return (
        "None. No model predicts unseen perturbations significantly better than the mean of the training perturbations "
        f"({sample_size(f['n'], f['n_effective'])}). Use the mean baseline"
    )


def _these(f: Facts) -> str:
    return verb(f["model"], "these models", "this model")


def _compared(words: str, f: Facts) -> str:
    return said_of(
        f, estimates(f, "skill", name="skill"), f"are {words} the mean baseline", f"is {words} the mean baseline"
    )


def _category(category: str, is_above: str, f: Facts) -> str:
    placed = f"in the category “{category}”"
    models = estimates(f, *SPECIFIC, name="specific skill")
    whose = verb(f["model"], "The specific skills of these models are", "The specific skill of this model is")
    return (
        f"{said_of(f, models, f'are {placed}', f'is {placed}')}. {whose} {is_above} {SPECIFIC_ABOVE}, the "
        "threshold for perturbation-specific predictions"
    )


def _wrong_size(f: Facts) -> str:
    factors = [f"{short(r['specific_slope'])} for {r['model']}" for r in rows_of(f, "model", "specific_slope")]
    return (
        f"{listed(f['model'])} {verb(f['model'], 'predict', 'predicts')} the direction of perturbation-specific effects, but "
        f"not their size. The predicted specific effects fit the data best when they are multiplied by a factor ({listed(factors)})"
    )


def _external(words: str, name: str, sign: int, f: Facts) -> str:
    """Return how the user's model compares with others; ``sign`` turns a difference into what ``name`` says."""
    low, high = ("ci_low", "ci_high")[::sign]
    facts = {
        **f,
        "other": [BASELINES.get(other, other) for other in f["other"]],
        **{key: [sign * value for value in f[of]] for key, of in (("ci_low", low), ("ci_high", high))},
        "difference": [sign * value for value in f["difference"]],
    }
    differences = estimates(facts, "difference", "other", name=name)
    return f"On the perturbations that both models predict, {f['model']} {words} {differences}"


def _constant(f: Facts) -> str:
    models = f["model"]
    return (
        f"{listed(models)} {verb(models, 'predict', 'predicts')} the same profile for every unseen perturbation. "
        f"The scores of {_these(f)} therefore contain no information about single perturbations. "
        f"The skill is {values(f, 'skill')}"
    )


def _without_links(f: Facts) -> str:
    return f"{listed(f['model'])} {verb(f['model'], 'are', 'is')} not evaluated, because {UNLINKED}"


def _collapsed(f: Facts) -> str:
    ways = [
        f"(spread ratio {short(r['ratio'])}, 95% CI {between(r['ci_low'], r['ci_high'], short)})"
        for r in rows_of(f, "ratio", "ci_low", "ci_high")
    ]
    nearly = (
        "nearly the mean effect" if f["baseline"] == "mean" else "nearly no effect, or a small part of the mean effect,"
    )
    for_all = f"{nearly} for every perturbation"
    return said_of(f, by_words(f["model"], ways), f"predict {for_all}", f"predicts {for_all}")


def _correlation_of_mean(f: Facts) -> str:
    ceiling = f", noise ceiling {short(f['ceiling'])}" if known(f["ceiling"]) else ""
    ends, size = between(f["ci_low"], f["ci_high"], short), sample_size(f["n"], f["n_effective"])
    return (
        "The metric “correlation of effects, without shared noise” does not subtract the mean effect, so the mean baseline already "
        f"reaches {short(f['estimate'])} (95% CI {ends}, {size}{ceiling}). By this metric, a model is better than the mean "
        "baseline only if its value is higher than that of the mean baseline"
    )


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "no_models": lambda f: "Not tested. No model was fitted; this report covers the screen only",
    "only_baseline": lambda f: (
        "Not tested. Only the mean baseline was fitted. Add models to compare with this baseline"
    ),
    "too_few_held_out": lambda f: (
        f"Inconclusive. No interval could be computed for any model. Either fewer than {MIN_HELD_OUT} held-out "
        "perturbations are predicted, or the mean baseline is too close to the noise ceiling. Hold out more perturbations"
    ),
    "perturbation_specific": _perturbation_specific,
    "specific_not_better": _specific_not_better,
    "right_direction": _right_direction,
    "better_along_axis": lambda f: _better(
        "but the predictions are not perturbation-specific",
        "Use {} for the shared effect, not for differences between perturbations",
        f,
    ),
    "better_not_assessed": lambda f: _better(
        "but specificity could not be assessed", "Hold out more perturbations before you use {}", f
    ),
    "too_good": _too_good,
    "none_better": _none_better,
    "all_constant": lambda f: (
        "None. Every assessed model makes a constant prediction: the same profile for every unseen perturbation "
        f"(n = {f['n']}). Add models that distinguish between perturbations"
    ),
    "better_than_mean": lambda f: _compared("significantly better than", f),
    "worse_than_mean": lambda f: _compared("significantly worse than", f),
    "same_as_mean": lambda f: _compared("not significantly different from", f),
    "no_verdict": lambda f: f"{f['model']} has no verdict. Reason: {f['reason']}",
    "specific_effects": lambda f: _category(PERTURBATION_SPECIFIC, "significantly above", f),
    "wrong_size": _wrong_size,
    "not_specific": lambda f: _category("not specific", "not significantly above", f),
    "pearson_skill": lambda f: (
        "A second skill score, the “skill by correlation beyond the mean”, uses correlations instead of squared errors. "
        f"This skill is {values(f, 'estimate')}"
    ),
    "equal_weights": lambda f: (
        "In the skill, perturbations with strong effects have the most weight. In the relative error, all perturbations have "
        "equal weight, and a value below 1 is better than the mean baseline. Skill and relative error lead to different "
        f"conclusions about {estimates(f, 'estimate', name='relative error')}"
    ),
    "external_better": lambda f: _external("has a lower relative error than", "lower by", 1, f),
    "external_worse": lambda f: _external("has a higher relative error than", "higher by", -1, f),
    "external_same": lambda f: _external("does not differ significantly in relative error from", "lower by", 1, f),
    "constant_predictions": _constant,
    "graph_without_links": _without_links,
    "collapsed": _collapsed,
    "correlation_of_mean": _correlation_of_mean,
    "no_target_measured": lambda f: (
        f"The target genes of all {f['n']} perturbations are not measured. Models that represent a perturbation by its "
        "measured target gene cannot distinguish unseen perturbations. Add a model with other information about the "
        "perturbations, or measure their target genes"
    ),
}

"""Sentences about retraining without confounder genes, and about genes that models predict for too many perturbations."""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import between, by_words, fixed, listed, upper
from .terms import Facts, estimates, plural, rows_of, sample_size, some_names, verb, without

RANDOM = "the same number of random genes"


def _better(lead: str, ending: str, f: Facts) -> str:
    models = f["model"]
    do = verb(models, "improve when they are", "improves when it is")
    return f"{lead}. {some_names(models)} {do} retrained {without(f['regime'])}. {ending}"


def _them(f: Facts) -> str:
    return verb(f["model"], "these models", "this model")


def _genes(f: Facts) -> str:
    return without(f["regime"]).removeprefix("without ")


def _no_change(f: Facts) -> str:
    assessed = plural(f["n_judged"], "assessed model")
    return (
        f"No. Retraining {without(f['regime'])} changes every relative error by less than {f['negligible']} ({assessed}). "
        "Keep these genes in the data"
    )


def _only_constants(f: Facts) -> str:
    n = f["n_judged"]
    lead = "The only assessed model makes" if n == 1 else f"Each of the {n} assessed models makes"
    return (
        f"Not tested. {lead} a constant prediction: the same profile for every unseen perturbation. Such predictions cannot show the effect of "
        "retraining. Add models that distinguish between perturbations"
    )


def _worse(f: Facts) -> str:
    models = f["model"]
    do = verb(models, "get worse when they are", "gets worse when it is")
    return (
        f"No. {some_names(models)} {do} retrained {without(f['regime'])}, and no assessed model improves. Keep these genes in "
        "the data"
    )


def _no_significant_gain(f: Facts) -> str:
    n, n_same, tiny = f["n_judged"], f["n_same"], f["negligible"]
    same = (
        f" The relative error of {n_same} of {n} assessed models is unchanged (difference below {tiny})."
        if n_same
        else ""
    )
    those = verb(range(n - n_same), "the other models", "the other model") if n_same else plural(n, "assessed model")
    zero = (
        "the 95% interval of the change includes 0"
        if f["others_include_0"]
        else f"the change is below {tiny} or not significant"
    )
    return (
        f"Inconclusive. Retraining {without(f['regime'])} improves no model significantly.{same} For {those}, {zero}. Hold out "
        "more perturbations"
    )


def _changes(f: Facts) -> str:
    names = ("model", "change", "n", "n_effective", "gain", "ci_low", "ci_high")
    sentences = []
    for change in ("better", "worse", "same", "unclear"):
        rows = [r for r in rows_of(f, *names) if r["change"] == change]
        if rows:
            sentences.append(_of_change(change, {**f, **{name: [r[name] for r in rows] for name in names}}))
    return f"After retraining {without(f['regime'])}, {'. '.join([sentences[0], *map(upper, sentences[1:])])}"


def _of_change(change: str, f: Facts) -> str:
    """Return how much the relative error of some models changes, all of them in the same way."""
    if change == "same":
        ways = [f"(change below {f['negligible']}, n = {n})" for n in f["n"]]
        return f"the relative error is unchanged for {by_words(f['model'], ways)}"
    words = {
        "better": "is significantly lower for",
        "worse": "is significantly higher for",
        "unclear": "does not change significantly for",
    }
    return f"the relative error {words[change]} {estimates(f, 'gain', name='gain')}"


def _not_assessed(f: Facts) -> str:
    regimes = [without(regime) for regime in f["regime"]]
    where = f"after retraining {regimes[0]}" if len(regimes) == 1 else f"in these feature regimes: {'; '.join(regimes)}"
    return (
        f"For {listed(f['model'])}, no verdict is possible {where}. Either fewer than {f['min_n']} held-out perturbations are "
        "predicted, or no interval could be computed"
    )


def _ranking_reversed(f: Facts) -> str:
    pairs = [
        f"{r['before']} is better than {r['behind']} when both are trained on all genes, but worse when both are retrained "
        f"{without(r['regime'])} ({sample_size(r['n'])})"
        for r in rows_of(f, "regime", "before", "behind", "n")
    ]
    return f"Retraining changes the ranking of models: {'; '.join(pairs)}"


def _ranking_kept(f: Facts) -> str:
    rows = rows_of(f, "n_kept", "n_pairs", "regime")
    parts = [f"{without(r['regime'])}, {r['n_kept']} of {plural(r['n_pairs'], 'pair')}" for r in rows]
    rest = " In all other pairs, at least one of the two differences is not significant."
    return (
        "Retraining does not reverse the order of any two models. In these pairs, the two models differ significantly both "
        f"before and after retraining: {'; '.join(parts)}.{rest if f['n_kept'] != f['n_pairs'] else ''}"
    )


def _against_random(words: str, f: Facts) -> str:
    numbers = [
        f"{fixed(r['gain'])} ({r['n_random']} random removals: mean {fixed(r['random_mean'])}, range "
        f"{between(r['random_min'], r['random_max'], fixed)}; n = {r['n']})"
        for r in rows_of(f, "model", "gain", "random_mean", "random_min", "random_max", "n", "n_random")
    ]
    helps = f"removing {_genes(f)} helps {words} the same number of random genes"
    models = f["model"]
    if len(models) == 1:
        return f"For {models[0]}, {helps}. The gain is {numbers[0]}"
    gains = "; ".join(f"for {model}, {gain}" for model, gain in zip(models, numbers, strict=True))
    return f"For {len(models)} models, {helps}. These are the gains: {gains}"


# -- recurrence ----------------------------------------------------------------------------------------------------


def _in_sets(f: Facts) -> str:
    words = {"n_mt": "mitochondrial", "n_ribo": "ribosomal", "n_other_set": "in another confounder gene set"}
    return ", ".join(f"{f[name]} {text}" for name, text in words.items() if f[name])


def _genes_recur(f: Facts) -> str:
    of_sets = f" ({_in_sets(f)})" if _in_sets(f) else ""
    n = f["n_genes"]
    return (
        f"Yes. {some_names(f['model'])} {verb(f['model'], 'over-predict', 'over-predicts')} {plural(n, 'gene')}{of_sets}: "
        f"{some_names(f['gene'])}. Do not rely on predicted changes of {verb(range(n), 'these genes', 'this gene')}"
    )


def _genes_of_models(f: Facts) -> str:
    genes = [
        f"{r['gene']} ({r['count']} of {f['n_perturbations']} perturbations in predictions, {r['count_in_data']} in the data)"
        for r in rows_of(f, "gene", "count", "count_in_data")
    ]
    more = f["n_genes"] - len(genes)
    models = f["model"]
    return (
        f"{listed(models)} {verb(models, 'rank', 'ranks')} these genes among the five strongest for too many "
        f"perturbations: {listed([*genes, *([f'{more} more'] if more else [])])}"
    )


def _no_gene(f: Facts) -> str:
    fewest, most = min(f["n_perturbations"]), max(f["n_perturbations"])
    size = f"{fewest} to {most} held-out perturbations per model" if fewest < most else f"n = {most}"
    return f"{listed(f['model'])} {verb(f['model'], 'over-predict', 'over-predicts')} no gene ({size})"


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "only_baseline_retrained": lambda f: "Not tested. Only the mean baseline was retrained",
    "no_regime": lambda f: (
        "Not tested. No model was retrained without mitochondrial or ribosomal genes. "
        + ("Measure these genes" if f["left_out"] else "Repeat the audit with a regime that removes these genes")
    ),
    "better_than_random": lambda f: _better(
        "Yes", f"No removal of {RANDOM} improves {_them(f)} as much. Leave out {_genes(f)}", f
    ),
    "better_not_than_random": lambda f: _better(
        "Partly", f"Removal of {RANDOM} can improve {_them(f)} as much. Keep {_genes(f)} in the data", f
    ),
    "better_random_not_tested": lambda f: _better(
        "Partly", f"Removal of {RANDOM} was not tested for comparison. Repeat the audit with random removals", f
    ),
    "only_constants_retrained": _only_constants,
    "nothing_changes": _no_change,
    "worse": _worse,
    "no_significant_gain": _no_significant_gain,
    "ranking_reversed": _ranking_reversed,
    "ranking_kept": _ranking_kept,
    "ranking_inconclusive": lambda f: (
        "The effect of retraining on the ranking of models is inconclusive, because no two models differ significantly both "
        "before and after retraining"
    ),
    "more_than_random": lambda f: _against_random("more than any removal of", f),
    "not_more_than_random": lambda f: _against_random("no more than removing", f),
    "changes_by_retraining": _changes,
    "not_assessed_by_retraining": _not_assessed,
    "only_constants": lambda f: (
        f"Inconclusive. This test needs a model with different predictions for at least {f['min_n']} held-out perturbations. "
        "This audit has no such model"
    ),
    "genes_recur": _genes_recur,
    "no_gene_recurs": lambda f: f"No. {_no_gene(f)}",
    "no_gene_of_models": _no_gene,
    "genes_of_models": _genes_of_models,
}

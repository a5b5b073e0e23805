"""Sentences about retraining without confounder genes, and about genes that models predict for too many perturbations."""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import between, fixed, listed, upper
from .terms import Facts, estimates, one_or_these, plural, rows_of, sample_size, some_names, verb, without

RANDOM = "the same number of random genes"


def _better(lead: str, ending: str, f: Facts) -> str:
    models = f["model"]
    do = verb(models, "improve when they are", "improves when it is")
    return f"{lead}. {some_names(models)} {do} retrained {without(f['regime'])}. {ending}"


def _them(f: Facts) -> str:
    return verb(f["model"], "these models", "this model")


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
    for change in ("better", "worse", "same", "unclear", "none"):
        rows = [r for r in rows_of(f, *names) if r["change"] == change]
        if rows:
            sentences.append(_of_change(change, {**f, **{name: [r[name] for r in rows] for name in names}}))
    return f"After retraining {without(f['regime'])}, {'. '.join([sentences[0], *map(upper, sentences[1:])])}"


def _of_change(change: str, f: Facts) -> str:
    """Return how much the relative error of some models changes, all of them in the same way."""
    if change == "none":
        why = f"fewer than {f['min_n']} perturbations are held out, or no interval could be computed"
        return f"no verdict is possible for {listed(f['model'])}, because {why}"
    if change == "same":
        n = listed([str(n) for n in sorted(set(f["n"]))])
        models, ending = one_or_these(f, listed(f["model"]))
        return f"the relative error of {models} changes by less than {f['negligible']} (n = {n}){ending}"
    words = {
        "better": "is significantly lower",
        "worse": "is significantly higher",
        "unclear": "does not change significantly",
    }
    models, ending = one_or_these(f, estimates(f, "gain", name="gain"))
    return f"the relative error of {models} {words[change]}{ending}"


def _ranking_reversed(f: Facts) -> str:
    pairs = [
        f"{r['before']} is better than {r['behind']} when both are trained on all genes, but worse when both are retrained "
        f"{without(r['regime'])} ({sample_size(r['n'])})"
        for r in rows_of(f, "regime", "before", "behind", "n")
    ]
    return f"Retraining changes the ranking of models: {'; '.join(pairs)}"


def _ranking_kept(f: Facts) -> str:
    parts = [
        f"{r['n_kept']} of {r['n_pairs']} pairs (retrained {without(r['regime'])})"
        for r in rows_of(f, "n_kept", "n_pairs", "regime")
    ]
    return (
        "Retraining does not change the ranking of models. In these pairs of models, the same model is significantly better "
        f"before and after retraining: {'; '.join(parts)}"
    )


def _against_random(words: str, f: Facts) -> str:
    parts = [
        f"{r['model']} (gain {fixed(r['gain'])}; mean gain of {r['n_random']} random removals {fixed(r['random_mean'])}, range "
        f"{between(r['random_min'], r['random_max'], fixed)}; n = {r['n']})"
        for r in rows_of(f, "model", "gain", "random_mean", "random_min", "random_max", "n", "n_random")
    ]
    return (
        f"Retraining {without(f['regime'])} lowers the relative error of {_them(f)} {words} retraining without "
        "as many random genes: "
        f"{'; '.join(parts)}"
    )


# -- recurrence ----------------------------------------------------------------------------------------------------


def _in_sets(f: Facts) -> str:
    words = {"n_mt": "mitochondrial", "n_ribo": "ribosomal", "n_other_set": "in another confounder set"}
    return ", ".join(f"{f[name]} {text}" for name, text in words.items() if f[name])


def _genes_recur(f: Facts) -> str:
    of_sets = f" ({_in_sets(f)})" if _in_sets(f) else ""
    n = f["n_genes"]
    return (
        f"Yes. In the predictions of {some_names(f['model'])}, {plural(n, 'gene')}{of_sets} {verb(range(n), 'are', 'is')} among "
        f"the five strongest for more perturbations than in the data: {some_names(f['gene'])}. Do not rely on predicted "
        f"changes of {verb(range(n), 'these genes', 'this gene')}"
    )


def _genes_of_models(f: Facts) -> str:
    genes = [
        f"{r['gene']} ({r['count']} of {f['n_perturbations']} perturbations; {r['count_in_data']} in the data)"
        for r in rows_of(f, "gene", "count", "count_in_data")
    ]
    more = f["n_genes"] - len(genes)
    models = f["model"]
    return (
        f"{listed(models)} {verb(models, 'rank', 'ranks')} these genes among the five strongest for too many "
        f"perturbations: {listed([*genes, *([f'{more} more'] if more else [])])}"
    )


def _no_gene(f: Facts) -> str:
    n = listed([str(n) for n in f["n_perturbations"]])
    return (
        f"In the predictions of {_them(f)}, no gene is among the five strongest for "
        f"significantly more perturbations than in the data (n = {n}): {listed(f['model'])}"
    )


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "only_baseline_retrained": lambda f: "Not tested. Only the mean baseline was retrained",
    "no_regime": lambda f: (
        "Not tested. No model was retrained without mitochondrial or ribosomal genes. "
        + ("Measure these genes" if f["left_out"] else "Repeat the audit with a regime that removes these genes")
    ),
    "better_than_random": lambda f: _better(
        "Yes", f"No removal of {RANDOM} improves {_them(f)} as much. Leave these genes out", f
    ),
    "better_not_than_random": lambda f: _better(
        "Partly", f"Removal of {RANDOM} can improve {_them(f)} as much. Keep these genes in the data", f
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
        "The effect of retraining on the ranking is inconclusive, because no two models differ significantly both before and "
        "after retraining"
    ),
    "more_than_random": lambda f: _against_random("more than", f),
    "not_more_than_random": lambda f: _against_random("no more than", f),
    "changes_by_retraining": _changes,
    "only_constants": lambda f: (
        f"Inconclusive. This test needs different predictions for at least {f['min_n']} held-out perturbations, but no model "
        "provides them"
    ),
    "genes_recur": _genes_recur,
    "no_gene_recurs": lambda f: f"No. {_no_gene(f)}",
    "no_gene_of_models": _no_gene,
    "genes_of_models": _genes_of_models,
}

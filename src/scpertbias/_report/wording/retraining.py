"""Sentences about retraining without confounder genes, and about genes that models predict for too many perturbations."""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import between, fixed, listed, upper
from .terms import Facts, estimates, plural, rows_of, sample_size, some_names, verb, without


def _better(lead: str, ending: str, f: Facts) -> str:
    do = verb(f["model"], "improve", "improves")
    return f"{lead}. {some_names(f['model'])} {do} when retrained {without(f['regime'])}, {ending}"


def _no_change(f: Facts) -> str:
    assessed = plural(f["n_judged"], "assessed model")
    return (
        f"No. Retraining {without(f['regime'])} changes no relative error by {f['negligible']} or more ({assessed}). "
        "Keep these genes in the data"
    )


def _only_constants(f: Facts) -> str:
    n = f["n_judged"]
    return (
        f"Not tested. {upper(plural(n, 'assessed model'))} {'predicts' if n == 1 else 'predict'} the same profile for all "
        "unseen perturbations, so they cannot show what retraining changes. Add models that distinguish perturbations"
    )


def _worse(f: Facts) -> str:
    models = f["model"]
    return (
        f"No. Retrained {without(f['regime'])}, {some_names(models)} {verb(models, 'get', 'gets')} worse and no assessed "
        "model improves. Keep these genes in the data"
    )


def _no_significant_gain(f: Facts) -> str:
    zero = "the 95% interval includes 0" if f["others_include_0"] else f"the change is below {f['negligible']}"
    same = f" Nothing changes for {f['n_same']} of {f['n_judged']} assessed models." if f["n_same"] else ""
    those = "For the others" if f["n_same"] else f"For {plural(f['n_judged'], 'assessed model')}"
    return (
        f"Inconclusive. Retraining {without(f['regime'])} improves no model significantly.{same} {those}, {zero}. Hold out "
        "more perturbations"
    )


def _changes(f: Facts) -> str:
    leads = {
        "better": "Better",
        "worse": "Worse",
        "same": f"No change (below {f['negligible']}",
        "unclear": "No significant change",
        "none": f"No verdict (fewer than {f['min_n']} perturbations, or no interval)",
    }
    names = ("model", "change", "n", "n_effective", "gain", "ci_low", "ci_high")
    parts = []
    for change, lead in leads.items():
        rows = [r for r in rows_of(f, *names) if r["change"] == change]
        part = {name: [r[name] for r in rows] for name in names}
        if not rows:
            continue
        if change == "same":
            n = listed([str(n) for n in sorted(set(part["n"]))])
            parts.append(f"{lead}, n = {n}): {listed(part['model'])}")
        else:
            parts.append(f"{lead}: {listed(part['model']) if change == 'none' else estimates(part, 'gain')}")
    return f"Models retrained {without(f['regime'])}. {'. '.join(parts)}"


def _ranking_reversed(f: Facts) -> str:
    pairs = [
        f"{r['before']} ranks before {r['behind']} when trained on all genes and behind it when retrained "
        f"{without(r['regime'])} ({sample_size(r['n'])})"
        for r in rows_of(f, "regime", "before", "behind", "n")
    ]
    return f"Retraining changes the ranking of models: {'; '.join(pairs)}"


def _ranking_kept(f: Facts) -> str:
    parts = [
        f"{r['n_kept']} of {r['n_pairs']} {without(r['regime'])}" for r in rows_of(f, "n_kept", "n_pairs", "regime")
    ]
    return (
        "Retraining does not change the ranking. Pairs of models that differ significantly before and after keep their "
        f"order ({', '.join(parts)})"
    )


def _against_random(words: str, f: Facts) -> str:
    parts = [
        f"{r['model']} ({fixed(r['gain'])}, against {fixed(r['random_mean'])} for {r['n_random']} random removals, range "
        f"{between(r['random_min'], r['random_max'], fixed)}, n = {r['n']})"
        for r in rows_of(f, "model", "gain", "random_mean", "random_min", "random_max", "n", "n_random")
    ]
    return (
        f"{upper(without(f['regime']))}, models improve {words} after removing as many random genes: {'; '.join(parts)}"
    )


# -- recurrence ----------------------------------------------------------------------------------------------------


def _in_sets(f: Facts) -> str:
    words = {"n_mt": "mitochondrial", "n_ribo": "ribosomal", "n_other_set": "in another confounder set"}
    return ", ".join(f"{f[name]} {text}" for name, text in words.items() if f[name])


def _genes_recur(f: Facts) -> str:
    of_sets = f" ({_in_sets(f)})" if _in_sets(f) else ""
    models = f["model"]
    return (
        f"Yes. {some_names(models)} {verb(models, 'rank', 'ranks')} {plural(f['n_genes'], 'gene')} among the top five for "
        f"more perturbations than the data do{of_sets}: {some_names(f['gene'])}. Distrust these genes in predictions"
    )


def _genes_of_models(f: Facts) -> str:
    genes = [
        f"{r['gene']} ({r['count']} of {f['n_perturbations']}; data {r['count_in_data']})"
        for r in rows_of(f, "gene", "count", "count_in_data")
    ]
    more = f["n_genes"] - len(genes)
    return (
        f"Too often among the top five of {listed(f['model'])}: {listed([*genes, *([f'{more} more'] if more else [])])}"
    )


def _no_gene(f: Facts) -> str:
    n = listed([str(n) for n in f["n_perturbations"]])
    return f"more perturbations than in the data (n = {n}): {listed(f['model'])}"


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "only_baseline_retrained": lambda f: "Not tested. No model besides the mean baseline was retrained",
    "no_regime": lambda f: (
        "Not tested. No model was retrained without mitochondrial or ribosomal genes. "
        + ("Measure these genes" if f["left_out"] else "Repeat the audit with the regimes without these genes")
    ),
    "better_than_random": lambda f: _better(
        "Yes", "more than after removing as many random genes. Leave these genes out", f
    ),
    "better_not_than_random": lambda f: _better(
        "Partly", "but not more than after removing as many random genes. Keep these genes in the data", f
    ),
    "better_random_not_tested": lambda f: _better(
        "Partly", "but random genes were not removed for comparison. Repeat with random removals", f
    ),
    "only_constants_retrained": _only_constants,
    "nothing_changes": _no_change,
    "worse": _worse,
    "no_significant_gain": _no_significant_gain,
    "ranking_reversed": _ranking_reversed,
    "ranking_kept": _ranking_kept,
    "ranking_inconclusive": lambda f: (
        "Whether retraining changes the ranking is inconclusive: no two models differ significantly before and after"
    ),
    "more_than_random": lambda f: _against_random("more than", f),
    "not_more_than_random": lambda f: _against_random("no more than", f),
    "changes_by_retraining": _changes,
    "only_constants": lambda f: (
        "Inconclusive. No model makes different predictions for enough held-out perturbations "
        f"({f['min_n']} are needed)"
    ),
    "genes_recur": _genes_recur,
    "no_gene_recurs": lambda f: f"No. No gene is among the top five for significantly {_no_gene(f)}",
    "no_gene_of_models": lambda f: f"Without a gene among the top five for significantly {_no_gene(f)}",
    "genes_of_models": _genes_of_models,
}

"""Sentences about models: which one to trust, what retraining changes, which genes recur."""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import by_words, fixed, fixed_interval, interval, known, listed, number, percent, percent_interval
from .terms import Facts, gains, rows_of, sample_size, sample_sizes, shares, verb, without

CLOSER = "closer to the truth than the mean of the other perturbations"


def _best(f: Facts) -> int:
    return max(range(len(f["skill"])), key=lambda i: f["skill"][i])


def _ways(f: Facts) -> str:
    ways = zip(shares(f, "skill"), sample_sizes(f), strict=True)
    return by_words(f["model"], [f"{way} ({size})" for way, size in ways])


def _far(f: Facts) -> str:
    """Return how far the best of them comes on the way from the mean to the truth."""
    i, ways = _best(f), shares(f, "skill")
    best = "" if len(set(ways)) == 1 else f" for {f['model'][i]}"
    return f"{CLOSER} ({ways[i]} of the way{best}, {sample_sizes(f)[i]})"


def _too_good(f: Facts) -> str:
    high = f["above_ceiling"]
    return f"; but {listed(high)} {verb(high, 'are', 'is')} above the ceiling: read with care" if high else ""


def _right_about_specific(f: Facts) -> str:
    skill, low, high = (f[f"specific_skill{key}"][_best(f)] for key in ("", "_ci_low", "_ci_high"))
    return (
        f"{listed(f['model'])}: {_far(f)}, and right about what is specific to each (specific skill "
        f"{percent(skill)} {percent_interval(low, high)}){_too_good(f)}"
    )


def _only_what_is_shared(f: Facts) -> str:
    lead = f"None fully: {listed(f['model'])} {verb(f['model'], 'come', 'comes')}"
    return f"{lead} {_far(f)}, but only by what perturbations share{_too_good(f)}"


def _own(words: str, f: Facts) -> str:
    most = f"; the truth itself gains {fixed(f['ceiling_gain'])}" if known(f["ceiling_gain"]) else ""
    return f"{words} {gains(f, 'specific_gain')}{most}"


def _constant_predictions(f: Facts) -> str:
    do = verb(f["model"], "predict", "predicts")
    return f"{listed(f['model'])} {do} the same for every unseen perturbation, so that no score is knowledge of one"


def _collapsed(f: Facts) -> str:
    return (
        f"Collapsed to the baseline {f['baseline']} (cosine above 0.999); of the variance between perturbations "
        f"they predict: {by_words(f['model'], shares(f, 'ratio'))}"
    )


def _correlation_of_mean(f: Facts) -> str:
    ceiling = f"; ceiling {number(f['ceiling'])}" if known(f["ceiling"]) else ""
    size = sample_size(f["n"], f["n_effective"])
    return (
        f"The mean baseline, which knows nothing of the perturbation at hand, already correlates {number(f['estimate'])} "
        f"{interval(f['ci_low'], f['ci_high'])} with the observed effects (pearson_delta, {size}{ceiling}): a model's "
        "pearson_delta counts only beyond that"
    )


# -- retraining ----------------------------------------------------------------------------------------------------


def _better(lead: str, ending: str, f: Facts) -> str:
    return f"{lead}: {listed(f['model'])} {verb(f['model'], 'do', 'does')} better {without(f['regime'])}, {ending}"


def _no_model(f: Facts) -> str:
    return "no model" if f["n_judged"] == f["n_models"] else "no model with a verdict"


def _worse(f: Facts) -> str:
    models = f["model"]
    return f"No: {without(f['regime'])}, {listed(models)} {verb(models, 'do', 'does')} worse, and {_no_model(f)} better"


def _no_gain_told(f: Facts) -> str:
    zero = "0" if f["others_include_0"] else f"changes below {f['negligible']}"
    return (
        f"No gain can be told: {without(f['regime'])}, nothing changes for {f['n_same']} of {f['n_judged']} models, and the "
        f"intervals of the others hold {zero}"
    )


def _changes_by_retraining(f: Facts) -> str:
    leads = {
        "better": "a gain for",
        "worse": "a loss for",
        "same": "nothing changes for",
        "unclear": "no change can be told for",
        "none": "there is no verdict on",
    }
    names = ("model", "change", "n", "n_effective", "gain", "ci_low", "ci_high")
    parts = []
    for change, lead in leads.items():
        rows = [r for r in rows_of(f, *names) if r["change"] == change]
        part = {name: [r[name] for r in rows] for name in names}
        if change == "same":
            n = listed([str(n) for n in sorted(set(part["n"]))])
            gain = f"below {f['negligible']}" if any(part["gain"]) else "0"
            words = f"{listed(part['model'])} (gain {gain}; n = {n})"
        elif change == "none":
            words = f"{listed(part['model'])} (n below {f['min_n']}, or no interval)"
        else:
            words = gains(part, "gain")
        parts += [f"{lead} {words}"] if rows else []
    return f"Retrained {without(f['regime'])}: {'; '.join(parts)}"


def _ranking_reversed(f: Facts) -> str:
    pairs = [
        f"{without(r['regime'])}, {r['before']} is before {r['behind']} if trained on all genes, and behind it if retrained "
        f"({sample_size(r['n'])})"
        for r in rows_of(f, "regime", "before", "behind", "n")
    ]
    return f"The ranking changes: {'; '.join(pairs)}"


def _ranking_kept(f: Facts) -> str:
    parts = [
        f"{r['n_kept']} of {r['n_pairs']} {without(r['regime'])}" for r in rows_of(f, "n_kept", "n_pairs", "regime")
    ]
    return (
        "Retraining does not change the ranking: where two models are told apart before and after, the order is the same "
        f"(pairs: {', '.join(parts)})"
    )


def _against_random(words: str, ending: str, f: Facts) -> str:
    ways = [
        f"gains {fixed(r['gain'])}, random removals {fixed(r['random_mean'])} "
        f"{fixed_interval(r['random_min'], r['random_max'])} (n = {r['n']}; the range of {r['n_random']})"
        f"{ending.format(r['n_random'])}"
        for r in rows_of(f, "gain", "random_mean", "random_min", "random_max", "n", "n_random")
    ]
    return f"Retraining {without(f['regime'])} {words}: {by_words(f['model'], ways)}"


# -- recurrence ----------------------------------------------------------------------------------------------------


def _in_sets(f: Facts) -> str:
    words = {"n_mt": "mitochondrial", "n_ribo": "ribosomal", "n_other_set": "of another confounder set"}
    parts = [f"{f[name]} {text}" for name, text in words.items() if f[name]]
    return f"; among these {f['n_genes']} genes: {listed(parts)}" if parts else ""


def _genes_recur(f: Facts) -> str:
    genes = f["gene"][:5]
    more = f" and {f['n_genes'] - len(genes)} more" if f["n_genes"] > len(genes) else ""
    return f"{', '.join(genes)}{more}: {listed(f['model'])} put them on top more often than the data do{_in_sets(f)}"


def _genes_of_models(f: Facts) -> str:
    genes = [
        f"{r['gene']} in {r['count']} (data {r['count_in_data']})" for r in rows_of(f, "gene", "count", "count_in_data")
    ]
    more = f" and {f['n_genes'] - len(genes)} more" if f["n_genes"] > len(genes) else ""
    return (
        f"Among the five strongest predicted by {listed(f['model'])}: {', '.join(genes)}{more}, of {f['n_perturbations']} "
        f"perturbations{_in_sets(f)}"
    )


def _no_gene_recurs(f: Facts) -> str:
    n = listed([str(n) for n in f["n_perturbations"]])
    return f"No gene recurs more often than in the data in the predictions of {listed(f['model'])} (n = {n})"


OWN_UNTOLD = "Whether predictions fit their own perturbation better than a wrong one cannot be told:"
OFF_AXIS = "Off the axis that perturbations share"
HELPS_MORE = "helps more than without as many random genes of the same expression"
TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "no_models": lambda f: "No model was fitted: this report is about the screen alone",
    "only_baseline": lambda f: "This cannot be told: no model was fitted beside the mean baseline",
    "too_few_held_out": lambda f: "This cannot be told: no model has enough held-out perturbations for a verdict",
    "right_about_specific": _right_about_specific,
    "tells_perturbations_apart": lambda f: (
        f"{listed(f['model'])}: {_far(f)}, and better on the own perturbation than on others{_too_good(f)}"
    ),
    "only_what_is_shared": _only_what_is_shared,
    "none_closer": lambda f: f"None: no model can be told to come {CLOSER} ({sample_size(f['n'], f['n_effective'])})",
    "weak_as_strong": lambda f: (
        "With weak perturbations counted as much as strong ones (l2_ratio), the error is this many times that of the mean "
        f"baseline: {gains(f, 'estimate')}"
    ),
    "closer_than_mean": lambda f: (
        f"Closer to the truth than the mean baseline, by this share of the way to the ceiling: {_ways(f)}"
    ),
    "farther_than_mean": lambda f: f"Farther from the truth than the mean baseline: {_ways(f)}",
    "untold_from_mean": lambda f: f"Cannot be told from the mean baseline: {_ways(f)}",
    "no_verdict": lambda f: f"No verdict on {f['model']}: {f['reason']}",
    "own_better": lambda f: _own(
        "Predictions fit their own perturbation better than a wrong one, in correlation by", f
    ),
    "own_worse": lambda f: _own("Predictions fit their own perturbation worse than a wrong one:", f),
    "own_untold": lambda f: _own(OWN_UNTOLD, f),
    "off_axis_better": lambda f: _own(f"{OFF_AXIS} they do so too, by", f),
    "off_axis_worse": lambda f: _own(f"{OFF_AXIS}, predictions fit a wrong perturbation better than their own:", f),
    "off_axis_untold": lambda f: _own(f"{OFF_AXIS} no such gain can be told for", f),
    "constant_predictions": _constant_predictions,
    "collapsed": _collapsed,
    "correlation_of_mean": _correlation_of_mean,
    "correlation_of_noise": lambda f: (
        "The score pearson_delta is not used here, as it rewards the noise of the control: control noise "
        f"{f['control_noise']:.2f} > {f['max_control_noise']}"
    ),
    "only_baseline_retrained": lambda f: "This cannot be told: no model was retrained beside the mean baseline",
    "no_regime": lambda f: "This cannot be told: no regime without confounder genes could be made of this screen",
    "better_than_random": lambda f: _better("Yes", "and more so than without as many random genes", f),
    "better_not_than_random": lambda f: _better("In part", "but not more so than without as many random genes", f),
    "better_random_not_tested": lambda f: _better("In part", "other genes were not removed in their place", f),
    "nothing_changes": lambda f: (
        f"No: retrained {without(f['regime'])}, the error of {_no_model(f)} changes by as much as {f['negligible']}"
    ),
    "worse": _worse,
    "no_gain_told": _no_gain_told,
    "ranking_reversed": _ranking_reversed,
    "ranking_kept": _ranking_kept,
    "ranking_untold": lambda f: "Whether retraining changes the ranking cannot be told: no two models are told apart",
    "more_than_random": lambda f: _against_random(HELPS_MORE, ", and rests on a gain above all {} removals", f),
    "not_more_than_random": lambda f: _against_random(
        "cannot be told to help more than without as many random genes", "", f
    ),
    "changes_by_retraining": _changes_by_retraining,
    "only_constants": lambda f: (
        "This cannot be told: no model predicts more than one constant for ten held-out perturbations"
    ),
    "recurrence_without_response": lambda f: "This cannot be told: the perturbations show no reproducible response",
    "genes_recur": _genes_recur,
    "no_gene_recurs": _no_gene_recurs,
    "genes_of_models": _genes_of_models,
}

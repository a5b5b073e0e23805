"""Sentences about the screen: what worked, what confounds it, and what must be known before one believes the rest."""

from __future__ import annotations

from collections.abc import Callable

from ..._log import some
from ..numbers import by_words, count, known, listed, number, percent, percent_interval, upper
from .terms import AXIS_PROBLEMS, DEGENERATE, Facts, genes_of, rows_of, sample_size


def _detected(f: Facts) -> str:
    own = f"; in {f['n_target_only']} more only the own gene changes" if f["n_target_only"] else ""
    return f"An effect is detected in {f['n_detected'] or 'none'} of {f['n']} perturbations (q of {f['max_q']:g} or less){own}"


def _kinds_of_perturbations(f: Facts) -> str:
    words = {
        "n_specific": "are specific (the effect is mostly their own)",
        "n_shared": "move mostly along the shared axis or in one technical gene set",
        "n_in_confounder_set": "target a confounder gene",
        "n_weak": "are too weak to be sorted",
    }
    parts = listed([f"{f[name]} {text}" for name, text in words.items() if f[name]])
    return f"Of these {f['n_detected']}, {parts}; judge models on specific ones"


def _few_carry_response(f: Facts) -> str:
    names = f["perturbation"]
    return f"{len(names)} of {f['n']} perturbations carry {100 * f['share']:.0f} % of the response: {some(names, 8)}"


def _response_of_target_genes(f: Facts) -> str:
    return (
        f"Of the {f['n_measured']} whose own gene is measured, it falls in {f['n_down'] or 'none'} and rises in "
        f"{f['n_up'] or 'none'} (|z| above {f['min_z']:g})"
    )


def _alignment_in_place(f: Facts) -> str:
    own = "".join(
        f": in their own columns the {r['n_targets']:.0f} measured targets move more than {percent(r['percentile'])} of "
        f"genes, in a random perturbation more than {percent(r['expected'])} (p = {number(r['p'])})"
        for r in rows_of(f, "n_targets", "percentile", "expected", "p")
    )
    return f"No shift of values against gene names is proposed{own}"


# -- confounding ---------------------------------------------------------------------------------------------------


def confounded(much: float) -> str:
    """Return what is called confounded."""
    return (
        f"Confounded means here that at least {100 * much:.0f} % of the response lies on one axis that perturbations share, "
        "or that a confounder gene set carries more than random sets of equally expressed genes"
    )


def _share(f: Facts) -> str:
    return f"{percent(f['share'])} {percent_interval(f['ci_low'], f['ci_high'])}"


def _large_axis(f: Facts) -> str:
    if "sets" in f:
        sets = [f"{genes_of(r['sets'])} ({percent(r['on_systematic'])})" for r in rows_of(f, "sets", "on_systematic")]
        source = f"made of {listed(sets)}"
    else:
        source = f"not made of confounder genes but led by {listed(f['top_genes'])}"
    few = f"; it is in effect the response of {f['n_axis']:.0f} perturbations" if f["of_few_perturbations"] else ""
    if few and len(f["carriers"]) <= MAX_CARRIERS:
        few += f" (most of it: {listed(f['carriers'])})"
    share = f"{_share(f)} of the response"
    return f"Yes: {share} lies on one axis that perturbations share, {source}{few}"


def _sets_carry(lead: str, f: Facts) -> str:
    sets = [
        f"{genes_of(r['axis'])} ({_share(r)}, random {percent(r['null'])})"
        for r in rows_of(f, "axis", "share", "ci_low", "ci_high", "null")
    ]
    return f"{lead}: more of the response than random sets of equally expressed genes is carried by {listed(sets)}"


def _set_share(f: Facts, aside: str = "") -> str:
    if known(f["null"], f["p"]):
        random = f"random sets of equally expressed genes {percent(f['null'])} (p = {number(f['p'])})"
    else:
        random = "no random sets can be compared"
    return f"{upper(genes_of(f['axis']))} carry {_share(f)} of the response{aside}; {random}"


# -- what must be known --------------------------------------------------------------------------------------------


def _above_ceiling(f: Facts) -> str:
    return (
        f"{f['model']} comes closer to what was measured than the truth itself would ({percent(f['skill'])} "
        f"{percent_interval(f['ci_low'], f['ci_high'])} of the way, {sample_size(f['n'], f['n_effective'])}): has it seen these perturbations?"
    )


def _values_shifted(f: Facts) -> str:
    places = [
        f"from {r['first']} to {r['last']} by {count(r['shift'])} (there {r['n_targets']:.0f} targets move more than "
        f"{percent(r['percentile'])} of genes, by chance {percent(r['expected'])}; q = {number(r['q'])})"
        for r in rows_of(f, "first", "last", "shift", "n_targets", "percentile", "expected", "q")
    ]
    return f"Values seem to lie beside their gene names: {'; '.join(places)}"


def _check_warning(f: Facts) -> str:
    # A capital where the text begins with a word, and not with a name.
    return upper(f["detail"]) if f["detail"].startswith("no ") else f["detail"]


def _few_perturbations(f: Facts) -> str:
    those = "all models" if f["all_models"] else listed(f["model"])
    fewest, effective = min(f["n"]), min(f["n_effective"])
    reasons = [f"under {f['many']} held-out perturbations (down to {fewest})"] if fewest < f["many"] else []
    if effective < f["few"]:
        reasons.append(f"where under {f['few']} in effect carry the error of the mean (down to {effective:.0f})")
    return f"{upper(' or '.join(reasons))} intervals are approximate: those of {those}"


MAX_CARRIERS = 5
RANDOM = "random sets of equally expressed genes"
TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "all_detected": _detected,
    "some_detected": _detected,
    "none_detected": _detected,
    "kinds_of_perturbations": _kinds_of_perturbations,
    "few_carry_response": _few_carry_response,
    "response_of_target_genes": _response_of_target_genes,
    "alignment_untested": lambda f: (
        f"Whether values lie beside their gene names cannot be told: fewer than {f['min_targets']} measured targets"
    ),
    "alignment_in_place": _alignment_in_place,
    "axis_of_confounders": _large_axis,
    "axis_not_confounders": _large_axis,
    "sets_carry_much": lambda f: _sets_carry("Yes", f),
    "sets_carry_some": lambda f: _sets_carry("In part", f),
    "no_axis_no_sets": lambda f: (
        f"No sign of it: no confounder gene set carries more than {RANDOM}, and no axis that perturbations "
        "share is measurable"
    ),
    "small_axis_no_sets": lambda f: (
        f"No: only {_share(f)} of the response lies on one axis that perturbations share, and no "
        f"confounder gene set carries more than {RANDOM}"
    ),
    "no_response": lambda f: "This cannot be told: the perturbations show no reproducible response",
    "wide_interval": lambda f: (
        f"This cannot be told: {_share(f)} of the response lies on the shared axis, an interval too wide for a verdict"
    ),
    "no_usable_axis": lambda f: (
        "This cannot be told: the axis that perturbations share is too weak in this screen to be used"
    ),
    "set_beyond_chance": _set_share,
    "set_within_chance": lambda f: _set_share(f, ", no more than chance"),
    "set_untold_from_chance": lambda f: _set_share(f, ", which cannot be told from chance"),
    "set_without_random_sets": _set_share,
    "set_not_measured": lambda f: f"What {genes_of(f['axis'])} carry cannot be asked: none is measured",
    "axis_unusable": lambda f: (
        f"Nothing is said of the axis that all perturbations share: {AXIS_PROBLEMS[f['problem']]}"
    ),
    "axis_genes": lambda f: f"The genes that move most along the shared axis are {listed(f['top_genes'])}",
    "depth_share": lambda f: f"Sequencing depth carries {_share(f)} of the response",
    "above_ceiling": _above_ceiling,
    "values_shifted": _values_shifted,
    "check_warning": _check_warning,
    "degenerate_attributions": lambda f: (
        "Attributions that say nothing: those of "
        f"{by_words(f['model'], [f'are {DEGENERATE[flag]}' for flag in f['flag']])}"
    ),
    "no_pretraining": lambda f: (
        f"Trained from scratch, without a published checkpoint: {listed(f['model'])}; nothing here is a verdict on what "
        "pretraining brings"
    ),
    "regime_left_out": lambda f: f"Regime {f['regime']} was left out: {f['reason']}",
    "model_left_out": lambda f: f"Model {f['model']} was left out (regime {listed(f['regime'])}): {f['reason']}",
    "few_perturbations": _few_perturbations,
}

"""Sentences about the perturbations: did they work, and are gene labels right?"""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import listed, number, p_text, percent
from .terms import Facts, plural, rows_of, some_names


def _detected(lead: str, action: str, f: Facts) -> str:
    only = f["n_target_only"]
    own = f" In {only} more, only the target gene changes." if only else ""
    n = (
        f"{f['n_detected']} of {f['n']} perturbations have"
        if f["n_detected"]
        else f"None of {f['n']} perturbations has"
    )
    if f["confounded_with"] and f["n_detected"]:
        action = f"These may be differences between levels of {listed(f['confounded_with'])}, not effects"
    return f"{lead}. {n} a detected effect (q ≤ {f['max_q']:g}).{own} {action}"


def _kinds_of_perturbations(f: Facts) -> str:
    words = {
        "n_specific": "perturbation-specific",
        "n_on_axis": "mostly shared",
        "n_technical": "mostly on one technical gene set",
        "n_in_confounder_set": "on a confounder gene",
        "n_weak": "too weak to sort",
    }
    parts = ", ".join(f"{f[name]} {text}" for name, text in words.items() if f[name])
    return f"The detected perturbations fall into categories ({parts})"


def _few_perturbations_respond(f: Facts) -> str:
    names = f["perturbation"]
    do = "accounts" if len(names) == 1 else "account"
    of_all = f"{percent(f['share'])}, {len(names)} of {plural(f['n'], 'perturbation')}"
    return f"{some_names(names)} {do} for most of the response ({of_all})"


def _response_of_target_genes(f: Facts) -> str:
    down, up = f["n_down"] or "none", f["n_up"] or "none"
    return (
        f"The target gene is measured for {plural(f['n_measured'], 'perturbation')}: it decreases in {down} and increases in "
        f"{up} (|z| > {f['min_z']:g})"
    )


def _alignment(lead: str, f: Facts) -> str:
    own = "".join(
        f" Target genes change more than {percent(r['percentile'])} of genes in their own perturbation, against "
        f"{percent(r['expected'])} in a random one ({p_text(r['p'])}, n = {r['n_targets']:.0f})"
        for r in rows_of(f, "n_targets", "percentile", "expected", "p")
    )
    return f"{lead}.{own}"


def _labels_shifted(f: Facts) -> str:
    places = [
        f"from {r['first']} to {r['last']} by {number(r['shift'], digits=1)} (q {p_text(r['q'])[2:]})"
        for r in rows_of(f, "first", "last", "shift", "q")
    ]
    return f"Values seem shifted against their gene names: {'; '.join(places)}. Check the order of genes in the input"


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "all_detected": lambda f: _detected("Yes", "Evaluate models on the perturbation-specific ones", f),
    "some_detected": lambda f: _detected("Partly", "Evaluate models on the perturbation-specific ones", f),
    "only_together": lambda f: _detected(
        "Partly", "Their summed effect does exceed sampling noise. Read scores of single perturbations with care", f
    ),
    "none_detected": lambda f: _detected("No", "Add cells or check the perturbations before judging models", f),
    "kinds_of_perturbations": _kinds_of_perturbations,
    "few_perturbations_respond": _few_perturbations_respond,
    "response_of_target_genes": _response_of_target_genes,
    "alignment_untested": lambda f: (
        "Whether gene labels are correctly aligned was not tested: this needs at least "
        f"{f['min_targets']} perturbations whose target gene is measured"
    ),
    "alignment_in_place": lambda f: _alignment("Gene labels look correctly aligned", f),
    "alignment_inconclusive": lambda f: _alignment(
        "The alignment of gene labels cannot be checked, as target genes do not respond more than others", f
    ),
    "labels_shifted": _labels_shifted,
}

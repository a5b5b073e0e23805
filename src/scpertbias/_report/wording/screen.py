"""Sentences about the perturbations: did they work, and are gene labels right?"""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import listed, number, p_text, percent
from .terms import Facts, plural, rows_of, some_names

SPECIFIC = "Evaluate models on perturbations of the category “specific”"


def _detected(lead: str, action: str, f: Facts) -> str:
    only = f["n_target_only"]
    own = f" In {plural(only, 'other perturbation')}, only the target gene changes." if only else ""
    n = (
        f"{f['n_detected']} of {f['n']} perturbations have"
        if f["n_detected"]
        else f"None of {f['n']} perturbations has"
    )
    if f["confounded_with"] and f["n_detected"]:
        action = (
            f"These effects may be differences between levels of {listed(f['confounded_with'])}, and not responses to the "
            "perturbations"
        )
    return f"{lead}. {n} a detected effect (q ≤ {f['max_q']:g}).{own} {action}"


def _kinds_of_perturbations(f: Facts) -> str:
    words = {
        "n_specific": "specific effect",
        "n_on_axis": "effect mostly along the shared axis",
        "n_technical": "effect mostly in one technical gene set",
        "n_in_confounder_set": "target gene in a confounder gene set",
        "n_weak": "weak effect",
    }
    parts = [f"{text} ({f[name]})" for name, text in words.items() if f[name]]
    return f"Categories of the {plural(f['n_detected'], 'detected perturbation')}: {listed(parts)}"


def _few_perturbations_respond(f: Facts) -> str:
    names, share = f["perturbation"], percent(f["share"])
    if len(names) == 1:
        return f"{names[0]} alone (1 of {plural(f['n'], 'perturbation')}) accounts for {share} of the response"
    return f"The strongest perturbations ({len(names)} of {f['n']}) account for {share} of the response: {some_names(names)}"


def _response_of_target_genes(f: Facts) -> str:
    n = f["n_measured"]
    down, up = ({0: "none", n: "all"}.get(f[name], f[name]) for name in ("n_down", "n_up"))
    return (
        f"The target gene is measured for {plural(n, 'perturbation')}. The expression of the target gene decreases in {down} of "
        f"these perturbations (z < −{f['min_z']:g}) and increases in {up} (z > {f['min_z']:g})"
    )


def _alignment(lead: str, f: Facts) -> str:
    own = "".join(
        f" In its own perturbation, a target gene changes more strongly than {percent(r['percentile'])} of all genes do "
        f"(mean of {r['n_targets']:.0f} target genes). In a random perturbation, a target gene changes more strongly than "
        f"{percent(r['expected'])} of all genes do ({p_text(r['p'])} for the difference)"
        for r in rows_of(f, "n_targets", "percentile", "expected", "p")
    )
    return f"{lead}.{own}"


def _labels_shifted(f: Facts) -> str:
    places = [
        f"by {number(r['shift'], digits=1)} from gene {r['first']} to gene {r['last']} (q {p_text(r['q'])[2:]})"
        for r in rows_of(f, "first", "last", "shift", "q")
    ]
    return (
        "Expression values and gene names do not seem to match. Values seem to be shifted by a number of columns: "
        f"{'; '.join(places)}. Check the order of genes in the input"
    )


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "all_detected": lambda f: _detected("Yes", SPECIFIC, f),
    "some_detected": lambda f: _detected("Partly", SPECIFIC, f),
    "only_together": lambda f: _detected(
        "Partly",
        "The sum of all squared effects, however, exceeds sampling noise. Do not rely on scores of single perturbations",
        f,
    ),
    "none_detected": lambda f: _detected("No", "Add cells or check the perturbations before you judge models", f),
    "kinds_of_perturbations": _kinds_of_perturbations,
    "few_perturbations_respond": _few_perturbations_respond,
    "response_of_target_genes": _response_of_target_genes,
    "alignment_untested": lambda f: (
        "The match between gene names and expression values was not tested. This test needs at least "
        f"{f['min_targets']} perturbations with a measured target gene"
    ),
    "alignment_in_place": lambda f: _alignment("The gene names seem to fit the columns of the matrix", f),
    "alignment_inconclusive": lambda f: _alignment(
        "The match between gene names and expression values could not be checked, because target genes do not respond more than other "
        "genes do",
        f,
    ),
    "labels_shifted": _labels_shifted,
}

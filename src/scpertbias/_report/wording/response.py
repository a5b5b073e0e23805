"""Sentences about the response: is it shared, and is it technical?"""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import known, listed, p_text, percent, upper
from .terms import MOST_NAMED, Facts, genes_of, plural, rows_of, set_name, share, some_names

ACTION_ON_AXIS = "Judge models by specific skill, which leaves this axis out"
RANDOM = "random genes of similar expression"
MAJORITY = 0.5
ADDED = {"technical_sets": "mitochondrial or ribosomal genes", "columns": "a batch column"}
MISSING = {
    "technical_sets": "no technical gene set has enough measured genes",
    "columns": "no column of the cell table could be tested for balance",
}


def _axis(lead: str, f: Facts) -> str:
    names = f["carriers"]
    return (
        f"{lead}. One axis accounts for {share(f)} of the response, mainly through {some_names(names)} "
        f"({len(names)} of {plural(f['n'], 'perturbation')}). {ACTION_ON_AXIS}"
    )


def _small_axis(f: Facts) -> str:
    return f"No. One shared axis accounts for only {share(f)} of the response. Scores need no correction for it"


def _no_axis(f: Facts) -> str:
    common = {"share": f["common"], "ci_low": f["common_ci_low"], "ci_high": f["common_ci_high"]}
    return (
        f"No. No shared axis is measurable, and a shift common to all perturbations accounts for {share(common)}. "
        "Scores need no correction for it"
    )


def _axis_of_sets(f: Facts) -> str:
    rows = rows_of(f, "axis", "on_systematic")[:MOST_NAMED]
    parts = []
    for word, of_most in (("mostly", True), ("partly", False)):
        sets = [r for r in rows if (r["on_systematic"] > MAJORITY) == of_most]
        if sets:
            shares = [f"{genes_of(r['axis'])} ({percent(r['on_systematic'])})" for r in sets]
            parts.append(f"{word} on {listed(shares)}")
    return f"The axis lies {' and '.join(parts)}"


def _batch(f: Facts) -> str:
    return (
        f"Yes, batch. The composition of {f['column']} accounts for {percent(f['share'])} of the response, "
        f"more than random composition ({p_text(f['p'])}). Repeat the audit with the column {f['column']} as batch"
    )


def _action_on_sets(f: Facts) -> str:
    if {f["axis"], *f["others"]} & {"mt", "ribo"}:
        return "Compare models after retraining without mitochondrial and ribosomal genes"
    return "Check whether these genes reflect stress of the cells rather than the perturbations"


def _sets(lead: str, action: str, f: Facts) -> str:
    others = f" So do {listed([genes_of(axis) for axis in f['others']])}." if f.get("others") else ""
    return (
        f"{lead}. {upper(genes_of(f['axis']))} account for {share(f)} of the response, more than {RANDOM} "
        f"({percent(f['null'])}).{others} {action}"
    )


def _depth(f: Facts) -> str:
    return (
        f"Partly. Sequencing depth differs between perturbations and accounts for {percent(f['share'])} of the response "
        f"({p_text(f['p'])}). Repeat the audit with depth regressed out, unless it is an effect of the perturbations"
    )


def _no_sign(f: Facts) -> str:
    return (
        f"No sign. No technical gene set accounts for {percent(f['much'])} of the response "
        f"({plural(f['n_sets'], 'set')} tested), and no column is confounded with the labels "
        f"({plural(f['n_columns'], 'column')} tested). Nothing needs to be done"
    )


def _large_sets(f: Facts) -> str:
    return (
        f"Inconclusive. {upper(genes_of(f['axis']))} account for {share(f)} of the response{_no_more_than_random(f)}. "
        "Compare models with and without these genes"
    )


def _no_more_than_random(f: Facts) -> str:
    """Return how a share that is not significant compares with random genes; one below theirs needs no p."""
    if not known(f["null"]):
        return ""
    if f["share"] < f["null"]:
        return f", less than {RANDOM} ({percent(f['null'])})"
    return f", not significantly more than {RANDOM} ({percent(f['null'])}, {p_text(f['p'])})"


def _set_share(words: str, f: Facts) -> str:
    return f"{upper(genes_of(f['axis']))} account for {share(f)} of the response{words}"


def _programs(f: Facts) -> str:
    programs = [
        f"{set_name(r['axis'])} ({share(r).replace(' (', ', ').removesuffix(')')})"
        for r in rows_of(f, "axis", "share", "ci_low", "ci_high")
    ]
    lead = "A program that accounts" if len(programs) == 1 else "Programs that account"
    return f"{lead} for more of the response than {RANDOM}: {some_names(programs)}"


def _differs(what: str, f: Facts) -> str:
    return (
        f"{what} differs between perturbations and accounts for {percent(f['share'])} of the response ({p_text(f['p'])}). "
        "This may be an effect of the perturbations"
    )


def _column_noted(f: Facts) -> str:
    return (
        f"The composition of {f['column']} accounts for {percent(f['share'])} of the response ({p_text(f['p'])}). It is "
        "not corrected for, as it is an outcome of the perturbations"
    )


def _column_adopted(f: Facts) -> str:
    return (
        f"Effects are computed within levels of {f['column']}. Without this correction, its composition would account for "
        f"{percent(f['share'])} of the response ({p_text(f['p'])})"
    )


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "axis_of_all": lambda f: _axis("Yes, by all", f),
    "axis_of_few": lambda f: _axis("Yes, by a few", f),
    "axis_of_some": lambda f: _axis("Yes", f),
    "axis_in_part": lambda f: _axis("Partly", f),
    "small_axis": _small_axis,
    "no_axis": _no_axis,
    "axis_not_measurable": lambda f: (
        "Inconclusive. The perturbations with a measurable shared axis account for too little of the response. Add "
        "perturbations or cells"
    ),
    "wide_interval": lambda f: (
        f"Inconclusive. One axis accounts for {share(f)} of the response, an interval too wide for a verdict. Add "
        "perturbations or cells"
    ),
    "no_response": lambda f: (
        "Inconclusive. The summed effect of all perturbations does not exceed sampling noise. Add cells or perturbations"
    ),
    "not_computed": lambda f: "Inconclusive. Shares of the response were not computed",
    "axis_genes": lambda f: f"The genes that change most along the axis are {listed(f['top_genes'])}",
    "axis_of_sets": _axis_of_sets,
    "common_shift": lambda f: f"A shift common to all perturbations accounts for {share(f)} of the response",
    "batch": _batch,
    "technical_sets": lambda f: _sets("Yes", _action_on_sets(f), f),
    "technical_sets_in_part": lambda f: _sets("Partly", _action_on_sets(f), f),
    "depth": _depth,
    "program": lambda f: _sets("No", "This is a biological program. Keep these genes in the data", f),
    "no_sign": _no_sign,
    "large_sets": _large_sets,
    "not_tested": lambda f: (
        f"Inconclusive. Not tested, as {' and '.join(MISSING[m] for m in f['missing'])}. Add "
        f"{' and '.join(ADDED[m] for m in f['missing'])} to the input"
    ),
    "set_beyond_chance": lambda f: _set_share(f", more than {RANDOM} ({percent(f['null'])}, {p_text(f['p'])})", f),
    "set_within_chance": lambda f: _set_share(_no_more_than_random(f), f),
    "set_not_compared": lambda f: _set_share("", f),
    "set_not_measured": lambda f: f"{upper(genes_of(f['axis']))}: not assessed (none measured)",
    "programs": _programs,
    "depth_differs": lambda f: _differs("Sequencing depth", f),
    "mt_percent_differs": lambda f: _differs("The percentage of mitochondrial counts", f),
    "columns_balanced": lambda f: f"Balanced between perturbations and control: {listed(f['column'])}",
    "column_noted": _column_noted,
    "column_adopted": _column_adopted,
}

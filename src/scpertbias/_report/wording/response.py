"""Sentences about the response: is it shared, and is it technical?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..._tables.response import CARRY
from ..numbers import known, listed, p_text, percent, upper
from .terms import MOST_NAMED, Facts, genes_of, plural, rows_of, set_name, share, some_names, verb

ACTION_ON_AXIS = "Judge models by specific skill, which ignores this axis"
ACTION_WITHOUT = "You can judge models by skill"
RANDOM = "random genes of similar expression"
NOT_SIGNIFICANT = "difference not significant, "
ADDED = {"technical_sets": "mitochondrial or ribosomal genes", "columns": "a batch column"}
MISSING = {
    "technical_sets": "No technical gene set has enough measured genes",
    "columns": "No batch column could be tested for balance",
}
QUALITY = {"depth": "sequencing depth", "mt_percent": "mitochondrial counts"}


def _missing(what: str, quality: Sequence[str]) -> str:
    """Return what was not tested, and what was tested in its place."""
    if what != "columns" or not quality:
        return MISSING[what]
    return f"{MISSING[what]}; only {listed([QUALITY[name] for name in quality])} {verb(quality, 'were', 'was')} tested"


def _axis(lead: str, f: Facts) -> str:
    names = f["carriers"]
    of = f"({len(names)} of {f['n']})"
    contribute = verb(names, f"These perturbations {of} together contribute", f"One perturbation {of} contributes")
    return (
        f"{lead}. One axis accounts for {share(f)} of the response. {contribute} at least {percent(CARRY)} of this axis: "
        f"{some_names(names)}. {ACTION_ON_AXIS}"
    )


def _small_axis(f: Facts) -> str:
    return f"No. One shared axis accounts for only {share(f)} of the response. {ACTION_WITHOUT}"


def _no_axis(f: Facts) -> str:
    common = {"share": f["common"], "ci_low": f["common_ci_low"], "ci_high": f["common_ci_high"]}
    return (
        f"No. No shared axis is measurable. A change that is identical in all perturbations accounts for {share(common)} of "
        f"the response. {ACTION_WITHOUT}"
    )


def _axis_of_sets(f: Facts) -> str:
    rows = rows_of(f, "axis", "on_systematic")[:MOST_NAMED]
    sets = [f"{set_name(r['axis'])} ({percent(r['on_systematic'])})" for r in rows]
    if len(sets) == 1:
        return f"One gene set accounts for a part of the shared axis: {sets[0]}"
    return f"Each of these gene sets alone accounts for a part of the shared axis (sets can overlap): {listed(sets)}"


def _imbalance(column: str) -> str:
    return f"different proportions of the levels of {column} in perturbed and control cells"


def _batch(f: Facts) -> str:
    return (
        f"Yes, batch. {upper(_imbalance(f['column']))} account for {percent(f['share'])} of the response (the share expected by "
        f"chance is already subtracted; {p_text(f['p'])}). Repeat the audit with {f['column']} as the batch column"
    )


def _action_on_sets(f: Facts) -> str:
    if {f["axis"], *f["others"]} & {"mt", "ribo"}:
        return "Retrain models without mitochondrial and ribosomal genes, and compare the scores"
    return "Check whether these genes respond to stress of the cells rather than to the perturbations"


def _sets(lead: str, action: str, f: Facts) -> str:
    others = [genes_of(axis) for axis in f.get("others") or []]
    more = (
        f" {upper(listed(others))} also account for significantly more of the response than random genes do."
        if others
        else ""
    )
    return f"{lead}. {_set_share(f, with_p=False)}.{more} {action}"


def _depth(f: Facts) -> str:
    return (
        f"Partly. Sequencing depth differs between perturbations and accounts for {percent(f['share'])} of the response "
        f"({p_text(f['p'])}). Repeat the audit with depth regressed out, unless the perturbations themselves change depth"
    )


def _no_sign(f: Facts) -> str:
    return (
        f"No sign. No technical gene set accounts for {percent(f['much'])} or more of the response "
        f"({plural(f['n_sets'], 'set')} tested). No column of the cell table is confounded with the perturbations "
        f"({plural(f['n_columns'], 'column')} tested). Nothing needs to be done"
    )


def _set_share(f: Facts, before_p: str = "", *, with_p: bool = True) -> str:
    """Return the share of a set, and that of random genes; a set with a smaller share than these needs no p."""
    text = f"{upper(genes_of(f['axis']))} account for {share(f)} of the response"
    if not known(f["null"]):
        return text
    p = f" ({before_p}{p_text(f['p'])})" if with_p and f["share"] >= f["null"] else ""
    return f"{text}; {RANDOM} account for {percent(f['null'])}{p}"


def _programs(f: Facts) -> str:
    programs = [
        f"{set_name(r['axis'])} ({share(r).replace(' (', ', ').removesuffix(')')})"
        for r in rows_of(f, "axis", "share", "ci_low", "ci_high")
    ]
    account = f"for significantly more of the response than {RANDOM} do"
    if len(programs) == 1:
        return f"The biological program {programs[0]} accounts {account}"
    return f"These biological programs account {account}: {some_names(programs)}"


def _differs(what: str, f: Facts) -> str:
    return (
        f"{what} differs between perturbations and accounts for {percent(f['share'])} of the response ({p_text(f['p'])}). "
        "This difference can be an effect of the perturbations, so the verdicts are not corrected for it"
    )


def _column_noted(f: Facts) -> str:
    return (
        f"{upper(_imbalance(f['column']))} account for {percent(f['share'])} of the response ({p_text(f['p'])}). The audit does "
        "not correct for this column, because it can be an outcome of the perturbations"
    )


def _column_adopted(f: Facts) -> str:
    return (
        f"Each perturbed cell is compared with control cells of the same level of {f['column']}. Without this correction, "
        f"{_imbalance(f['column'])} would account for {percent(f['share'])} of the response ({p_text(f['p'])})"
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
        f"Inconclusive. One axis accounts for {share(f)} of the response. This interval is too wide for a verdict. Add "
        "perturbations or cells"
    ),
    "no_response": lambda f: (
        "Inconclusive. The sum of all squared effects does not exceed sampling noise. Add cells or perturbations"
    ),
    "not_computed": lambda f: "Inconclusive. Shares of the response were not computed",
    "axis_genes": lambda f: f"The genes that change most along the shared axis are {listed(f['top_genes'])}",
    "axis_of_sets": _axis_of_sets,
    "common_shift": lambda f: (
        f"A change that is identical in all perturbations accounts for {share(f)} of the response"
    ),
    "batch": _batch,
    "technical_sets": lambda f: _sets("Yes", _action_on_sets(f), f),
    "technical_sets_in_part": lambda f: _sets("Partly", _action_on_sets(f), f),
    "depth": _depth,
    "program": lambda f: _sets("No", "This gene set is a biological program, so keep its genes in the data", f),
    "no_sign": _no_sign,
    "large_sets": lambda f: (
        f"Inconclusive. {_set_share(f, NOT_SIGNIFICANT)}. Compare models with and without these genes"
    ),
    "not_tested": lambda f: (
        f"Inconclusive. {'. '.join(_missing(m, f['quality']) for m in f['missing'])}. Add "
        f"{' and '.join(ADDED[m] for m in f['missing'])} to the input"
    ),
    "set_beyond_chance": _set_share,
    "set_within_chance": lambda f: _set_share(f, NOT_SIGNIFICANT),
    "set_not_compared": _set_share,
    "set_not_measured": lambda f: f"{upper(genes_of(f['axis']))} were not assessed, because none are measured",
    "programs": _programs,
    "depth_differs": lambda f: _differs("Sequencing depth", f),
    "mt_percent_differs": lambda f: _differs("The percentage of mitochondrial counts", f),
    "columns_balanced": lambda f: (
        f"{verb(f['column'], 'These columns are', 'This column is')} balanced between perturbations and control: "
        f"{listed(f['column'])}"
    ),
    "column_noted": _column_noted,
    "column_adopted": _column_adopted,
}

"""What questions, verdicts, genes, regimes and problems are called in sentences, and the parts that sentences share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any

from ..._keys import DIRECTION_NAMES, REGIME_NAMES
from ...ds._hallmark import plain_name
from ...tl._summary import is_approximate
from ..numbers import between, groups_of, known, listed, percent, percent_interval, short
from ..verdicts.leakage import COPIED, CORRELATION
from ..verdicts.scorecard import Standing

Facts = Mapping[str, Any]

QUESTIONS = {
    "screen": "Did the perturbations work?",
    "shared": "Do the perturbations share one response?",
    "technical": "Is the response technical?",
    "models": "Can any model predict an unseen perturbation?",
    "retraining": "Does retraining without confounder genes help?",
    "recurrence": "Do models predict the same genes for too many perturbations?",
}
STANDINGS = {
    Standing.RIGHT: "better than the mean, and perturbation-specific",
    Standing.DIRECTION: "better than the mean; right direction, wrong size",
    Standing.SHARED: "better than the mean, along the shared axis only",
    Standing.BETTER: "better than the mean; specificity not assessed",
    Standing.SPECIFIC_ALONE: "perturbation-specific, but not better than the mean",
    Standing.DIRECTION_ALONE: "right direction, wrong size; not better than the mean",
    Standing.SAME: "not significantly different from the mean",
    Standing.CONSTANT: "constant prediction",
    Standing.UNLINKED: "not evaluated: no link in the gene network",
    Standing.WORSE: "worse than the mean",
    Standing.TOO_GOOD: "too good to be trusted: exclude leakage first",
    Standing.NONE: "no verdict",
}
UNLINKED = "the gene network has no link between an unseen and a training perturbation"
CONSTANT = "same prediction for every unseen perturbation"
GENES = {
    "mt": "mitochondrial genes",
    "ribo": "ribosomal genes",
    "oxphos_nuclear": "nuclear respiratory-chain genes",
    "cell_cycle": "cell-cycle genes",
    "histone": "histone genes",
    "heat_shock": "heat-shock genes",
    "upr_isr": "unfolded-protein-response genes",
    "p53": "p53 target genes",
    "hemoglobin": "hemoglobin genes",
}
DIRECTIONS = {**DIRECTION_NAMES, "other": "genes in no confounder gene set"}
SHORT_SETS = {
    "mt": "mitochondrial",
    "ribo": "ribosomal",
    "oxphos_nuclear": "respiratory chain",
    "cell_cycle": "cell cycle",
    "histone": "histone",
    "heat_shock": "heat shock",
    "upr_isr": "unfolded protein",
    "p53": "p53",
    "hemoglobin": "hemoglobin",
    "other": "all other genes",
}
HALLMARK = "HALLMARK_"
LEADING = "leading_"
BASELINES = {"mean": "the mean baseline", "no_change": "the control mean"}
DEGENERATE = {
    "zero": "0 for all genes",
    "constant": "the same for all genes",
    "one_hot": "nearly all on one gene per perturbation",
    "shared": "the same for all perturbations",
}
MOST_NAMED = 5
EXCLUDE_LEAKAGE = "Check that no cells of the held-out perturbations were used for these predictions"


def sample_size(n: float, n_effective: float = float("nan")) -> str:
    """Return the number of perturbations that an interval rests on, and whether it is approximate."""
    return f"n = {int(n)}, approximate interval" if is_approximate(n, n_effective) else f"n = {int(n)}"


def leakage(f: Facts) -> str:
    """Return the evidence that a model predicts the noise of held-out cells."""
    if f["evidence"] == COPIED:
        of = f"{f['n_copied']} of {plural(f['n'], 'held-out perturbation')}"
        return f"The predictions of {f['model']} equal the observed means of {of}"
    how = " by correlation" if f["evidence"] == CORRELATION else ""
    ends, size = between(f["ci_low"], f["ci_high"], short), sample_size(f["n"], f["n_effective"])
    return f"The skill of {f['model']}{how} is {short(f['estimate'])} (95% CI {ends}, {size}), above the noise ceiling of 1"


def rows_of(f: Facts, *names: str) -> list[dict[str, Any]]:
    """Return lists of facts side by side, as the rows that they came from."""
    return [dict(zip(names, values, strict=True)) for values in zip(*(f[name] for name in names), strict=True)]


def share(f: Facts) -> str:
    """Return a share of the response in percent, with its interval if it has one."""
    if not known(f["ci_low"], f["ci_high"]):
        return percent(f["share"])
    size = f", {sample_size(f['n'], f['n_effective'])}" if "n_effective" in f else ""
    return f"{percent(f['share'])} (95% CI {percent_interval(f['ci_low'], f['ci_high'])}{size})"


def estimates(
    f: Facts, value: str, of: str = "model", low: str = "ci_low", high: str = "ci_high", *, name: str = ""
) -> str:
    """Return models with their estimates (called ``name``), intervals and n; models with the same ones stand together."""
    effective = f.get("n_effective", [float("nan")] * len(f["n"]))
    groups: dict[str, list[str]] = {}
    for i, model in enumerate(f[of]):
        ends = between(f[low][i], f[high][i], short)
        words = f"{name} {short(f[value][i])}, 95% CI {ends}, {sample_size(f['n'][i], effective[i])}".strip()
        groups.setdefault(words, []).append(model)
    return groups_of([f"{listed(models)} ({verb(models, 'each: ', '')}{words})" for words, models in groups.items()])


def values(f: Facts, value: str) -> str:
    """Return estimates with their models, intervals and n, to follow "The skill is"; models with the same ones stand together."""
    effective = f.get("n_effective", [float("nan")] * len(f["n"]))
    groups: dict[tuple[str, str], list[str]] = {}
    for i, model in enumerate(f["model"]):
        ends = between(f["ci_low"][i], f["ci_high"][i], short)
        words = short(f[value][i]), f"95% CI {ends}, {sample_size(f['n'][i], effective[i])}"
        groups.setdefault(words, []).append(model)
    return groups_of([f"{number} for {listed(models)} ({words})" for (number, words), models in groups.items()])


def said_of(f: Facts, text: str, do: str, does: str) -> str:
    """Return a sentence on models: ``text`` names them with their numbers, first where they are one group, else last."""
    models = f["model"]
    return f"{len(models)} models {do}: {text}" if "; " in text else f"{text} {verb(models, do, does)}"


def set_name(axis: str) -> str:
    """Return what a gene set is called."""
    if axis.startswith(HALLMARK):
        return plain_name(axis)
    return GENES.get(axis, axis)


def axis_name(axis: str, *, short: bool = False) -> str:
    """Return what an axis, a set or a direction, is called in a figure."""
    if short:
        return SHORT_SETS.get(axis, axis)
    return DIRECTIONS.get(axis) or set_name(axis)


def genes_of(axis: str) -> str:
    """Return what the genes of a set are called."""
    if axis.startswith(HALLMARK):
        return f"genes of the set {set_name(axis)}"
    return GENES.get(axis, f"genes of the set {axis}")


def without(regime: str) -> str:
    """Return what a regime leaves out."""
    return REGIME_NAMES.get(regime, regime)


def some_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return listed([*names[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])])


def verb(things: Sized, plural: str, singular: str) -> str:
    """Return the words that go with some things, or with one."""
    return singular if len(things) == 1 else plural


def plural(n: int, thing: str) -> str:
    """Return a number of things."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"

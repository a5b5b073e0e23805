"""What questions, verdicts, genes, regimes and problems are called in sentences, and the parts that sentences share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..numbers import by_words, fixed, fixed_interval, percent, percent_interval
from ..verdicts.base import is_approximate
from ..verdicts.scorecard import Standing

Facts = Mapping[str, Any]

QUESTIONS = {
    "screen": "Did the perturbations work?",
    "confounding": "Is this screen confounded, and by what?",
    "models": "Which model would you trust on a perturbation it has not seen?",
    "retraining": "Do models do better without the confounders?",
    "recurrence": "Which genes do models predict whatever is perturbed?",
}
BADGES = {"yes": "yes", "partly": "in part", "no": "no", "inconclusive": "not told"}
BADGES_OF_MODELS = {**BADGES, "yes": "found", "partly": "none fully", "no": "none"}
STANDINGS = {
    Standing.SPECIFIC: "better than the mean, right about what is specific",
    Standing.TELLS_APART: "better than the mean, tells perturbations apart",
    Standing.AXIS_ONLY: "better than the mean, along the shared axis only",
    Standing.SHARED: "better than the mean, by what all perturbations share",
    Standing.UNTOLD_TELLS_APART: "not told from the mean, tells perturbations apart",
    Standing.UNTOLD: "not told from the mean",
    Standing.CONSTANT: "one prediction for all",
    Standing.WORSE: "worse than the mean",
    Standing.NONE: "no verdict",
}
CONSTANT = "same prediction for every unseen perturbation"
GENES = {
    "mt": "mitochondrial genes",
    "ribo": "ribosomal genes",
    "oxphos_nuclear": "nuclear genes of the respiratory chain",
    "cell_cycle": "cell-cycle genes",
    "histone": "histone genes",
    "heat_shock": "heat-shock genes",
    "upr_isr": "stress-response genes (upr_isr)",
    "p53": "target genes of p53",
    "hemoglobin": "hemoglobin genes",
}
WITHOUT = {
    "no_mt": "without mitochondrial genes",
    "no_mt_ribo": "without mitochondrial and ribosomal genes",
    "regressed": "with the covariates regressed out",
}
AXIS_PROBLEMS = {
    "weak_axis": "weak axis: its share may be up to 0.06 too high",
    "no_measurable_axis": "no axis is measurable",
    "no_reproducible_axis": "no reproducible axis",
    "no_reproducible_response": "no reproducible response",
    "no_interval": "its share has no interval",
}
DEGENERATE = {
    "zero": "all zero",
    "constant": "the same for every gene",
    "one_hot": "one gene only for each perturbation",
    "shared": "the same for every perturbation",
}


def sample_size(n: float, n_effective: float = float("nan")) -> str:
    """Return the number of perturbations that an interval rests on, and whether it is approximate."""
    return f"n = {int(n)}, approximate" if is_approximate(n, n_effective) else f"n = {int(n)}"


def sample_sizes(f: Facts) -> list[str]:
    """Return the same of each model; the effective numbers are known of some estimates only."""
    effective = f.get("n_effective", [float("nan")] * len(f["n"]))
    return [sample_size(n, e) for n, e in zip(f["n"], effective, strict=True)]


def rows_of(f: Facts, *names: str) -> list[dict[str, Any]]:
    """Return lists of facts side by side, as the rows that they came from."""
    return [dict(zip(names, values, strict=True)) for values in zip(*(f[name] for name in names), strict=True)]


def gains(f: Facts, value: str) -> str:
    """Return the models with their gains, intervals and n."""
    rows = zip(rows_of(f, value, "ci_low", "ci_high"), sample_sizes(f), strict=True)
    ways = [f"{fixed(r[value])} {fixed_interval(r['ci_low'], r['ci_high'])} ({size})" for r, size in rows]
    return by_words(f["model"], ways)


def shares(f: Facts, value: str) -> list[str]:
    """Return the share of each model, in percent with its interval."""
    return [
        f"{percent(r[value])} {percent_interval(r['ci_low'], r['ci_high'])}"
        for r in rows_of(f, value, "ci_low", "ci_high")
    ]


def genes_of(axis: str) -> str:
    """Return what the genes of a set are called."""
    return GENES.get(axis, f"genes of the set {axis}")


def without(regime: str) -> str:
    """Return what a regime leaves out."""
    return WITHOUT.get(regime, regime)


def verb(models: Sequence[str], plural: str, singular: str) -> str:
    """Return the verb that goes with some models."""
    return singular if len(models) == 1 else plural

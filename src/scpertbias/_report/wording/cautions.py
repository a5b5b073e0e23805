"""Sentences about what must be known before one believes a verdict."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..numbers import by_words, count, listed, number, percent, short, upper
from ..verdicts.leakage import EVIDENCE
from .terms import DEGENERATE, EXCLUDE_LEAKAGE, Facts, leakage, plural, some_names, verb, without


def _too_good(evidence: str, f: Facts) -> str:
    return (
        f"{leakage({**f, 'evidence': evidence})}. Predictions that were made without the held-out cells are rarely so good. "
        f"{EXCLUDE_LEAKAGE} before you use {f['model']}"
    )


def _few_perturbations(f: Facts) -> str:
    those = "all models" if f["all_models"] else listed(f["model"])
    fewest, effective = min(f["n"]), min(f["n_effective"])
    only = "as few as" if max(f["n"]) > fewest else "only"
    held_out = f"{only} {plural(fewest, 'held-out perturbation')} {verb(range(fewest), 'are', 'is')} predicted"
    number_of = f"{number(effective, digits=2)} (at least {f['few']} are recommended)"
    if fewest < f["many"]:
        weights = (
            f". Strong effects also dominate the scores, so the effective number of perturbations is only {number_of}"
        )
        because = f"{held_out} (at least {f['many']} are recommended){weights if effective < f['few'] else ''}"
    else:
        because = (
            f"strong effects dominate the scores. The effective number of held-out perturbations is only {number_of}"
        )
    return f"The intervals of {those} are approximate, because {because}"


def _check_warning(f: Facts) -> str:
    # A capital where the text begins with a word, and not with a name.
    return upper(f["detail"]) if f["detail"].startswith("no ") else f["detail"]


def _labels_confounded(f: Facts) -> str:
    return (
        f"Perturbations are confounded with the column {f['column']}, because the proportions of its levels differ between "
        f"perturbed and control cells. This imbalance accounts for {percent(f['share'])} of the response and affects all "
        f"verdicts below. Repeat the audit with {f['column']} as the batch column"
    )


def _no_pretraining(f: Facts) -> str:
    return (
        f"{listed(f['model'])} {verb(f['model'], 'were', 'was')} trained without published weights. This audit therefore "
        "does not evaluate pretraining"
    )


def _model_left_out(f: Facts) -> str:
    regimes = ["all genes" if regime == "full" else without(regime) for regime in f["regime"]]
    these = verb(regimes, "these feature regimes", "this feature regime")
    return f"{f['model']} was left out in {these}: {'; '.join(regimes)}. Reason: {f['reason']}"


def _shared_noise(f: Facts) -> str:
    those, their = verb(f["model"], "these models", "this model"), verb(f["model"], "their", "its")
    return (
        "Predicted and observed effects contain noise from the same control and training cells. This shared noise raises the "
        f"mean correlation of {those} by more than {f['max_inflation']} (up to {short(max(f['inflation']))}): "
        f"{some_names(f['model'])}. Use {their} correlations “without shared noise”"
    )


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "labels_confounded": _labels_confounded,
    "cells_left_out": lambda f: (
        f"The audit left out {percent(f['n_left_out'] / f['n_cells'])} of the cells ({count(f['n_left_out'])} of "
        f"{count(f['n_cells'])}). Check the labels and the batch columns before you use a verdict"
    ),
    "few_controls": lambda f: (
        f"{'One batch has' if f['n_batches'] > 1 else 'The screen has'} only "
        f"{plural(f['fewest_controls'], 'control cell')} (at least {f['enough']} are recommended). Verdicts may change when "
        "more control cells are measured"
    ),
    "few_genes": lambda f: (
        f"Only {plural(f['n_genes'], 'gene')} {verb(range(f['n_genes']), 'are', 'is')} measured (at least {f['enough']} are "
        "recommended). The verdicts are valid for these genes only"
    ),
    "cannot_be_separated": lambda f: (
        f"Effects cannot be separated from the column {f['column']}, because {percent(f['untested'])} of the perturbed cells "
        "belong to levels with too few control cells. Measure more control cells in these levels"
    ),
    **{evidence: partial(_too_good, evidence) for evidence in EVIDENCE},
    "check_warning": _check_warning,
    "degenerate_attributions": lambda f: (
        "Ignore the attributions of these models, because the attributions do not distinguish genes or perturbations: "
        f"{by_words(f['model'], [f'({DEGENERATE[flag]})' for flag in f['flag']])}"
    ),
    "no_pretraining": _no_pretraining,
    "regime_left_out": lambda f: f"No model was retrained {without(f['regime'])}. Reason: {f['reason']}",
    "model_left_out": _model_left_out,
    "few_perturbations": _few_perturbations,
    "shared_noise": _shared_noise,
}

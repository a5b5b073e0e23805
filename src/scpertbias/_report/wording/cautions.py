"""Sentences about what must be known before one believes a verdict."""

from __future__ import annotations

from collections.abc import Callable

from ..numbers import between, by_words, count, listed, percent, short, upper
from .terms import DEGENERATE, Facts, plural, sample_size, some_names, without


def _above_ceiling(f: Facts) -> str:
    return (
        f"{f['model']} scores above the noise ceiling ({short(f['skill'])}, 95% CI "
        f"{between(f['ci_low'], f['ci_high'], short)}, {sample_size(f['n'], f['n_effective'])}). Check that its training "
        "data exclude the held-out perturbations"
    )


def _few_perturbations(f: Facts) -> str:
    those = "all models" if f["all_models"] else listed(f["model"])
    fewest, effective = min(f["n"]), min(f["n_effective"])
    number = f" ({fewest} held-out perturbations; {f['many']} are recommended)" if fewest < f["many"] else ""
    weights = (
        f". Weighted by effect size, the held-out perturbations are as informative as {effective:.0f} of equal size "
        f"({f['few']} are recommended)"
        if effective < f["few"]
        else ""
    )
    return f"Intervals of {those} are approximate{number}{weights}"


def _cannot_be_separated(f: Facts) -> str:
    return (
        f"Effects cannot be separated from {f['column']}: {percent(f['untested'])} of the perturbed cells are in levels "
        "without enough control cells"
    )


def _check_warning(f: Facts) -> str:
    # A capital where the text begins with a word, and not with a name.
    return upper(f["detail"]) if f["detail"].startswith("no ") else f["detail"]


def _labels_confounded(f: Facts) -> str:
    return (
        f"Labels are confounded with {f['column']}, whose composition accounts for {percent(f['share'])} of the response. "
        "All verdicts below include these differences"
    )


TEMPLATES: dict[str, Callable[[Facts], str]] = {
    "labels_confounded": _labels_confounded,
    "cells_left_out": lambda f: (
        f"{percent(f['n_left_out'] / f['n_cells'])} of the cells were left out ({count(f['n_left_out'])} of "
        f"{count(f['n_cells'])}). Check labels and batches before you use a verdict"
    ),
    "few_controls": lambda f: (
        f"{'One batch has' if f['n_batches'] > 1 else 'The screen has'} only "
        f"{plural(f['fewest_controls'], 'control cell')}; {f['enough']} are recommended. Verdicts may change with more"
    ),
    "few_genes": lambda f: (
        f"The panel has only {plural(f['n_genes'], 'gene')}; {f['enough']} are recommended. Verdicts hold for this panel"
    ),
    "cannot_be_separated": _cannot_be_separated,
    "above_ceiling": _above_ceiling,
    "check_warning": _check_warning,
    "degenerate_attributions": lambda f: (
        f"Ignore the attributions of {by_words(f['model'], [f'({DEGENERATE[flag]})' for flag in f['flag']])}"
    ),
    "no_pretraining": lambda f: (
        f"{listed(f['model'])}: trained without published weights, so this audit does not evaluate pretraining"
    ),
    "regime_left_out": lambda f: f"No model was retrained {without(f['regime'])}: {f['reason']}",
    "model_left_out": lambda f: f"{f['model']} was left out: {f['reason']}",
    "few_perturbations": _few_perturbations,
    "shared_noise": lambda f: (
        f"Noise of the same cells in predicted and observed effects raises the correlations of {some_names(f['model'])} by up "
        f"to {short(max(f['inflation']))} (limit {f['max_inflation']}). The report uses correlations without shared noise"
    ),
}

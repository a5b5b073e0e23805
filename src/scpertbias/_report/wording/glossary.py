"""The terms that the page explains where they stand, and once more in a list."""

from __future__ import annotations

GLOSSARY = {
    "mean baseline": "The mean of the training perturbations, predicted for every perturbation.",
    "noise ceiling": "The score of the true expression profiles, measured with the same number of cells.",
    "skill": (
        "1 minus the ratio of squared errors of model and mean baseline, without noise: 0 is the mean baseline, 1 the noise "
        "ceiling. Strong perturbations count most."
    ),
    "specific skill": "The skill after the effects that all perturbations share are removed from predictions and data.",
    "relative error": (
        "L2 error divided by that of the mean baseline; below 1 is better. Every perturbation counts equally, so its sign "
        "may differ from that of the skill."
    ),
    "shared axis": "The direction of gene expression along which the other perturbations move on average.",
    "reproducibility": "The expected cosine of an effect with that of a repeat of the experiment of the same size.",
    "95% interval": (
        "Of a score: jackknife over held-out perturbations. Of a share of the response: for these perturbations, if other "
        "cells were measured. Approximate under 50 perturbations, or if "
        "these are only as informative as fewer than 20 of equal effect size."
    ),
    "significant": (
        "On this page a result is significant if its 95% interval excludes the value to compare with. Only detection tests "
        "many perturbations at once, and uses q (Benjamini–Hochberg)."
    ),
    "confounder gene set": "Genes that change with the state of cells, such as mitochondrial and ribosomal genes.",
    "feature regime": "The genes that a model is trained on: all, or all without a confounder gene set.",
    "held-out perturbation": "A perturbation that the model did not see in training; n counts these.",
    "constant prediction": "The same predicted profile for every unseen perturbation.",
    "n": "Number of perturbations that a row rests on.",
}
"""Each is one or two plain sentences; a test holds them to the rules of the page's prose."""

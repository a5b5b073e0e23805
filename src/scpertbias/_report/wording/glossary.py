"""The terms that the page explains where they stand, and once more in a list."""

from __future__ import annotations

GLOSSARY = {
    "mean baseline": "The mean of the training perturbations, predicted for every perturbation.",
    "noise ceiling": (
        "The score that a perfect prediction would get. An error at the noise ceiling is above 0, and a correlation is below "
        "1, because the observed means contain sampling noise."
    ),
    "skill": (
        "1 minus a ratio: the squared error of the model divided by the squared error of the mean baseline. Before division, "
        "noise is subtracted from both errors. The mean baseline therefore has a skill of 0, and a perfect prediction has a "
        "skill of 1 (the noise ceiling). Perturbations with strong effects have the most weight."
    ),
    "specific skill": (
        "A skill score that ignores what all perturbations have in common. Before scoring, two directions are removed from "
        "predictions and data: the mean training effect, and the direction in which predictions differ most."
    ),
    "relative error": (
        "The L2 error of the model divided by the L2 error of the mean baseline. Below 1, the model is better than the mean "
        "baseline. In the relative error, all perturbations have equal weight; in the skill, strong effects have more "
        "weight. The two scores can therefore disagree."
    ),
    "shared axis": (
        "The direction in which perturbations change expression together. For each perturbation, the axis is the summed "
        "effect of all other perturbations."
    ),
    "reproducibility": (
        "The expected cosine between the effects of one perturbation in two experiments of the same size. The value 1 means "
        "perfect agreement."
    ),
    "95% interval": (
        "Intervals of scores are jackknife intervals over held-out perturbations. Intervals of shares of the response show how "
        "much a share would vary if other cells of the same perturbations were measured. Intervals of scores are approximate if "
        "fewer than 50 held-out perturbations are predicted. Intervals are also approximate if strong effects dominate (effective number "
        "of perturbations below 20)."
    ),
    "effective number of perturbations": (
        "A number that is smaller than the number of perturbations if a few of them dominate an estimate. If all perturbations "
        "contribute equally, the two numbers are equal."
    ),
    "significant": (
        "A score or gain is significant if its 95% interval excludes the value that means no difference (0, or 1 for a ratio). "
        "The specific skill is compared with 0.05 instead of 0. The share of a gene set is compared with random gene sets by a "
        "p-value (Bonferroni). Effects are detected by q (Benjamini–Hochberg), because many perturbations are tested at once."
    ),
    "confounder gene set": (
        "A gene set that many perturbations change for reasons unrelated to their target, such as the mitochondrial genes."
    ),
    "feature regime": (
        "The genes and values on which models are trained, for example all genes, or all genes except mitochondrial ones."
    ),
    "held-out perturbation": ("A perturbation without cells in the training data of the model."),
    "constant prediction": "The same predicted profile for every unseen perturbation.",
    "n": "The number of perturbations from which the values of a row were computed.",
}
"""Each is a few plain sentences; a test holds them to the rules of the page's prose."""

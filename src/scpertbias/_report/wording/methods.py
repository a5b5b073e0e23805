"""The paragraph for a paper's methods, and how to cite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..numbers import count, listed

AUTHORS = "scpertbias developers"
TITLE = "scpertbias: audit confounding in Perturb-seq screens and in what perturbation models learn from them"


def citation(version: str) -> str:
    """Return how to cite the package."""
    return f"{AUTHORS}. {TITLE}. Version {version}."


def methods(provenance: Mapping[str, Any], n_perturbations: int, models: list[str], regimes: list[str]) -> str:
    """Return what was done, in the words of a methods section."""
    parameters, version = provenance["parameters"], provenance["versions"].get("scpertbias", "")
    cells = f"{count(provenance['n_cells'])} cells, " if provenance["n_cells"] else ""
    control = listed([str(name) for name in parameters["reference"] or ["control"]])
    batches = parameters["batch_key"]
    within = f" in the same levels of {listed([str(b) for b in batches])}" if batches else ""
    sentences = [
        f"The screen ({cells}{count(n_perturbations)} perturbations, {count(provenance['genes']['full'])} genes) was audited "
        f"with scpertbias {version}.",
        "The effect of a perturbation is its mean log-normalized expression minus that of the control cells "
        f"({control}){within}.",
        "Shares of the response are shares of the summed squared effects, corrected for sampling noise. Their 95% confidence "
        "intervals show how much a share would vary if other cells of the same perturbations were measured.",
    ]
    if models:
        folds = f" in {parameters['n_folds']} folds" if parameters["n_folds"] else ""
        sentences += [
            f"Models ({listed(models)}) were evaluated on held-out perturbations. Built-in models were cross-fitted{folds}.",
            "The skill is 0 for the mean of the training perturbations and 1 for the noise ceiling. The specific skill ignores "
            "what all perturbations have in common. The 95% confidence intervals of both are jackknife intervals over "
            "perturbations.",
        ]
    if regimes:
        sentences.append(f"Models were also retrained {listed(regimes)}.")
    return " ".join([*sentences, f"The random seed was {provenance['seed']}."])

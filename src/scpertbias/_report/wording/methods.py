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
    within = f" within levels of {listed([str(b) for b in batches])}" if batches else ""
    sentences = [
        f"The screen ({cells}{count(n_perturbations)} perturbations, {count(provenance['genes']['full'])} genes) was audited "
        f"with scpertbias {version}.",
        f"Effects are differences of mean log-normalized expression from the control ({control}){within}.",
        "Shares of the response are noise-corrected squared effects; their 95% confidence intervals refer to other cells of "
        "the same perturbations.",
    ]
    if models:
        folds = f" in {parameters['n_folds']} folds" if parameters["n_folds"] else ""
        sentences += [
            f"Models ({listed(models)}) were evaluated on held-out perturbations, built-in ones by cross-fitting{folds}.",
            "Skill is 0 for the mean of the training perturbations and 1 for the noise ceiling; specific skill is computed "
            "after shared effects are removed. Their 95% confidence intervals are jackknife intervals over perturbations.",
        ]
    if regimes:
        sentences.append(f"Models were also retrained {listed(regimes)}.")
    return " ".join([*sentences, f"The random seed was {provenance['seed']}."])

"""Checks of the parameters of `simulate`."""

from __future__ import annotations

import math
from typing import Any

_AT_LEAST = {"n_cells": 10, "n_genes": 10, "n_perturbations": 1, "n_modules": 1, "n_strata": 1}
_RANGES = {
    "axis_strength": (0.0, 5.0),
    "specific_strength": (0.0, 5.0),
    "inert_fraction": (0.0, 1.0),
    "module_share": (0.0, 1.0),
    "depth_sd": (0.0, 1.0),
    "cell_axis_sd": (0.0, 0.5),
    "strata_strength": (0.0, 2.0),
}


def check_parameters(given: dict[str, Any]) -> None:
    """Raise where a parameter of `simulate` makes no screen, saying what to do."""
    for name, least in _AT_LEAST.items():
        value = given[name]
        if int(value) != value or value < least:
            msg = f"{name} must be an integer of at least {least}, found {value!r}."
            raise ValueError(msg)
    for name, (low, high) in _RANGES.items():
        if not low <= given[name] <= high:
            msg = f"{name} must lie between {low:g} and {high:g}, found {given[name]!r}."
            raise ValueError(msg)
    if not 0 < given["knockdown"] <= 1:
        msg = f"knockdown is the share of expression that is left, above 0 and at most 1, found {given['knockdown']!r}."
        raise ValueError(msg)
    if not 0 < given["control_fraction"] < 1:
        msg = f"control_fraction must lie between 0 and 1, both excluded, found {given['control_fraction']!r}."
        raise ValueError(msg)
    depth = given["depth"]
    if depth is not None and not (math.isfinite(depth) and 1 <= depth <= 1e6):
        msg = f"depth is a mean number of UMIs per cell, 1 to 1,000,000, found {depth!r}; leave it out for K562's."
        raise ValueError(msg)
    n_perturbed = given["n_cells"] - round(given["control_fraction"] * given["n_cells"])
    if n_perturbed < given["n_perturbations"]:
        msg = (
            f"n_perturbations={given['n_perturbations']} is more than the {n_perturbed} cells that are not controls; "
            "raise n_cells or ask for fewer perturbations."
        )
        raise ValueError(msg)

"""Shared parts of models that smooth over a net."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _validate
from .._core.arrays import FloatArray
from ._base import CONSTANT, Problem

AXES = ("genes", "perturbations", "both")
LAPLACIANS = ("normalized", "unnormalized")


def check_words(axis: str, laplacian: str) -> None:
    """Refuse an unknown axis or Laplacian."""
    _validate.choice(axis, AXES, argument="axis")
    _validate.choice(laplacian, LAPLACIANS, argument="laplacian")


def smoothers(problem: Problem, axis: str, laplacian: str) -> dict[str, Any]:
    """Return the Laplacians of an axis, for the solvers."""
    if problem.graphs is None:
        msg = "`net` is missing: pass a table with `source` and `target`, or spb.pp.coexpression_net(cells)."
        raise ValueError(msg)
    normalized = laplacian == "normalized"
    return {
        "genes": problem.graphs.genes(normalized=normalized) if axis != "perturbations" else None,
        "perturbations": problem.graphs.perturbations(normalized=normalized) if axis != "genes" else None,
    }


def same_for_unseen(problem: Problem, axis: str, coef: FloatArray) -> tuple[bool, str]:
    """Return whether all unseen perturbations get the same prediction (the intercept), and a note."""
    if axis == "genes":
        return True, CONSTANT
    unseen = coef[~problem.trained[problem.rows]]
    if len(unseen) and np.abs(unseen).max() <= 1e-12:
        return True, f"{CONSTANT}, because no edge of the net joins an unseen to a training perturbation"
    return False, ""

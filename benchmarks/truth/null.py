"""False calls on screens on which nothing responds."""

from __future__ import annotations

import numpy as np

import scpertbias as spb
from benchmarks import screens
from scpertbias import _moments

from .records import Aim, Claim, Condition, Values
from .shapes import SHAPES, batch_key

HEADLINE = ("balanced", "nested", "few_controls", "small_panel")
OTHERS = ("nested_few", "uneven", "one_batch", "random")
N_PERTURBATIONS = {"small_panel": 12}
SETTINGS = {"n_genes": 200, "truth_cells": 0}
ANY = "any perturbation called"


def measure(condition: Condition, seed: int) -> Values:
    """Return what is called on one null screen."""
    settings = SETTINGS | SHAPES[condition.shape] | {"n_perturbations": condition.n}
    profiles = spb.pp.profiles(
        adata := screens.normalize(screens.Screen(**settings).plant(seed).draw(seed)), batch_key=batch_key(adata)
    )
    detection = _moments.of(profiles).detection
    spb.tl.confounding(profiles)
    shares = spb.get.confounding(profiles, level="screen").set_index("axis")
    q, own_q = (values[np.isfinite(values)] for values in (detection.q, detection.own_q))
    return {
        ANY: (q <= 0.05).any(),
        "perturbations called": (q <= 0.05).mean(),
        "any own gene called": (own_q <= 0.05).any(),
        "response known": detection.response_known,
        "any gene set beyond": shares["beyond"].fillna(False).any(),
        "shared axis exists": np.isfinite(shares.loc["systematic", "share"]),
    }


def aim(condition: Condition, quantity: str) -> Aim:
    """Return the bounds of false calls: 5 %, 10 % with 10 to 12 controls per batch."""
    return (0.0, 0.10) if condition.shape == "few_controls" and quantity == ANY else (0.0, 0.05)


CLAIM = Claim(
    "null",
    tuple(Condition(shape, "none", N_PERTURBATIONS.get(shape, 40)) for shape in (*HEADLINE, *OTHERS)),
    measure,
    aim,
    lambda condition: 1000 if condition.shape in HEADLINE else 500,
)

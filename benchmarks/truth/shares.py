"""How often intervals of shares of the response hold the true share.

Shares of *this screen* are those of the perturbations drawn, the share in a *typical* perturbation and the shift that is
*common* to all are those of the population.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

import scpertbias as spb
from benchmarks import screens

from .population import N_POPULATIONS, SIZE, Population, population
from .records import Aim, Claim, Condition, Values
from .shapes import batch_key

SHAPES = ("one_batch", "uneven")
TAILS = ("gamma", "pareto")
SIZES = (12, 25, 50, 100)
AIM = (0.92, 0.98)
# One set that perturbations move, and one that moves along.
SETS = {"ribo": "moved gene set", "mt": "another gene set"}
# Noise of the control is not to be the same for all perturbations of the population.
N_CONTROLS = 40


def measure(condition: Condition, seed: int, size: int = SIZE) -> Values:
    """Return which intervals hold the true share of one screen."""
    people = population(condition.shape, condition.tails, seed % N_POPULATIONS, size)
    rows = np.random.default_rng([seed, condition.n]).choice(size, condition.n, replace=False)
    adata = people.draw(rows, seed)
    member = people.world.genes["set"].astype(str)
    sets = pd.DataFrame({"source": member, "target": people.genes})[member.isin(list(SETS)).to_numpy()]
    spb.tl.confounding(adata, sets, n_random=1, batch_key=batch_key(adata))
    table = spb.get.confounding(adata, level="screen").set_index("axis")
    effects, typical = people.effects[rows], typical_shares(people)
    axis = table.loc["systematic"]
    values = {
        "shared axis": holds(axis["ci_low"], axis["ci_high"], screens.axis_share(effects)[0]),
        "common to all": holds(axis["common_ci_low"], axis["common_ci_high"], screens.common_share(people.effects)),
    }
    for name, label in SETS.items():
        row, genes = table.loc[name], (member == name).to_numpy()
        true = screens.set_share(effects, genes)
        values[f"{label}, this screen"] = holds(row["ci_low"], row["ci_high"], true)
        values[f"{label}, typical"] = holds(row["typical_ci_low"], row["typical_ci_high"], typical[name])
    return values


def holds(low: float, high: float, true: float) -> float:
    """Whether an interval holds the true value; NaN without an interval."""
    return float(low <= true <= high) if np.isfinite(low) and np.isfinite(high) else np.nan


@lru_cache(maxsize=2 * N_POPULATIONS)
def typical_shares(people: Population) -> dict[str, float]:
    """Share of each set in a typical perturbation, by its definition, over the population."""
    # Σ_p ω_p (energy on the set) / Σ_p ω_p (energy), ω_p = 1 / max(|Δ_p|², N_p)
    n_cells = people.world.cells.to_numpy(float)[1:].sum(axis=1, keepdims=True)
    controls = np.array([people.draw_control(seed) for seed in range(N_CONTROLS)])
    of_control = controls.var(axis=0, ddof=1)
    of_each = np.arange(len(people.effects)) % N_CONTROLS
    effects = people.means - np.einsum("pb,pbg->pg", people.weights, controls[of_each])
    noise = people.variances / n_cells + people.weights**2 @ of_control
    energy = effects**2 - noise
    weight = 1 / np.maximum((effects**2).sum(axis=1), noise.sum(axis=1))
    total = weight @ energy.sum(axis=1)
    member = people.world.genes["set"].astype(str)
    return {name: float(weight @ energy[:, (member == name).to_numpy()].sum(axis=1) / total) for name in SETS}


def aim(condition: Condition, quantity: str) -> Aim:
    """Return the bounds of coverage."""
    return AIM


CLAIM = Claim(
    "shares",
    tuple(Condition(shape, tails, n) for shape in SHAPES for tails in TAILS for n in SIZES),
    measure,
    aim,
    lambda condition: 600,
    ("population.py",),
)

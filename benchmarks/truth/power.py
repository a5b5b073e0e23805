"""How many of the perturbations that move are detected, and how many of the others, beside the rule of version 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

import scpertbias as spb
from benchmarks import screens

from .population import batch_means, codes
from .records import Aim, Claim, Condition, Values
from .shapes import SHAPES, batch_key

# Half of the perturbations respond: weakly in all genes, or more in a few.
PLANTED = {
    "dense": {"own_strength": 0.1, "own_fraction": 0.5},
    "sparse": {"own_strength": 0.1, "own_fraction": 0.5, "gene_density": 0.05, "gene_tails": "heavy"},
}
SETTINGS = {"n_genes": 200, "truth_cells": 0}
REPRODUCIBLE = 0.3


def measure(condition: Condition, seed: int) -> Values:
    """Return the shares of perturbations that both rules detect, of those that move and of those that do not."""
    values = {}
    for name, planted in PLANTED.items():
        settings = SETTINGS | SHAPES[condition.shape] | planted
        settings |= {"n_perturbations": condition.n, "tails": condition.tails}
        world = screens.Screen(**settings).plant(seed)
        adata = screens.normalize(world.draw(seed))
        moved = world.perturbations["responds"]
        for version, detected in (("", detect(adata)), (", version 1", detect_as_before(adata, seed))):
            called, of_moved = detected.to_numpy(), moved[detected.index].to_numpy()
            values[f"{name}: detected{version}"] = called[of_moved].mean()
            values[f"{name}: false calls{version}"] = called[~of_moved].mean()
            values[f"{name}: false among detected{version}"] = (called & ~of_moved).sum() / max(called.sum(), 1)
    return values


def detect(adata: AnnData) -> pd.Series:
    """Return which perturbations are detected: q of 0.05 or less."""
    spb.pp.check(adata, batch_key=batch_key(adata))
    return spb.get.check(adata, check="perturbation").set_index("perturbation")["q"].dropna() <= 0.05


def detect_as_before(adata: AnnData, seed: int) -> pd.Series:
    """Return which perturbations version 1 calls reproducible, in plain numpy.

    Cells are centered by all controls of their batch, so that the halves of a perturbation share their noise; it takes one
    random split and the reproducibility 2r / (1 + r) from the correlation r of the two half effects.
    """
    values, control = adata.X.toarray().astype(float), batch_means(adata, [screens.CONTROL])[0]
    labels = [str(name) for name in adata.obs["perturbation"].cat.categories]
    code, batch = codes(adata, labels)
    order = np.random.default_rng([seed, 1]).permutation(len(code))
    half = np.empty(len(code), dtype=np.int64)
    for label in range(len(labels)):
        cells = order[code[order] == label]
        half[cells] = np.arange(len(cells)) % 2
    centered = values - control[batch]
    halves = np.array([[centered[(code == p) & (half == a)].mean(axis=0) for p in range(len(labels))] for a in (0, 1)])
    is_control = labels.index(screens.CONTROL)
    effects = np.delete(halves - halves[:, [is_control]], is_control, axis=1)
    r = np.array([np.corrcoef(first, second)[0, 1] for first, second in zip(*effects, strict=True)])
    return pd.Series(2 * r / (1 + r) > REPRODUCIBLE, [name for name in labels if name != screens.CONTROL])


def aim(condition: Condition, quantity: str) -> Aim | None:
    """Return the bounds of false calls; power and version 1 have none."""
    return None if ": detected" in quantity or "version 1" in quantity else (0.0, 0.05)


CLAIM = Claim(
    "power",
    tuple(
        Condition(shape, "gamma", 12 if shape == "small_panel" else 40)
        for shape in ("one_batch", "balanced", "nested", "few_controls", "small_panel")
    ),
    measure,
    aim,
    lambda condition: 200,
    ("population.py",),
)
